/**
 * Documents: the small things that are kept beside users (tasks, roles, user
 * groups, imports, the feeds room). Each kind has a schema; one fact writes them
 * all, and the directory keeps them in one place. Part of the durable format.
 */

import Type, { type Static, type TSchema } from 'typebox';
import { UserGroup } from '../access/groups.ts';
import { Role } from '../access/roles.ts';
import { AnyObject, MicrosField } from '../base/schemas.ts';
import type { Micros as Time } from '../base/time.ts';
import { Activity } from '../feeds/activities.ts';
import { Follow } from '../feeds/follows.ts';
import { ImportTask } from '../transfer/imports.ts';
import { StoredUser } from '../users/user.ts';

export const TaskStatus = Type.Union([
  Type.Literal('waiting'),
  Type.Literal('pending'),
  Type.Literal('running'),
  Type.Literal('completed'),
  Type.Literal('failed'),
]);
export type TaskStatus = Static<typeof TaskStatus>;

/** Work that outlives its request. What it needs to go on after a restart is in `input`. */
export const Task = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  status: TaskStatus,
  created_at: MicrosField,
  updated_at: MicrosField,
  /** When it began to run, the last time it did. */
  started_at: Type.Optional(MicrosField),
  input: Type.Optional(AnyObject),
  progress: Type.Optional(Type.Object({ done: Type.Integer(), total: Type.Integer() })),
  result: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  error: Type.Optional(Type.Object({ type: Type.String(), description: Type.String() })),
});
export type Task = Static<typeof Task>;

/** A durable consumer of events: where it is, acknowledged by itself. Its id is its name. */
export const Consumer = Type.Object({
  name: Type.String(),
  epoch: Type.String(),
  seq: Type.Integer({ minimum: 0 }),
  created_at: MicrosField,
  updated_at: MicrosField,
});
export type Consumer = Static<typeof Consumer>;

/** Where a webhook is: every event up to here was delivered, or put aside where it is not forgotten. Its id is that of the hook. */
export const Outbox = Type.Object({
  id: Type.String(),
  epoch: Type.String(),
  seq: Type.Integer({ minimum: 0 }),
  updated_at: MicrosField,
});

export type Outbox = Static<typeof Outbox>;

/**
 * What a request with an `Idempotency-Key` did, so that repeating it does nothing and gives the same answer. Its id is the
 * key with whose it is. Written in the same entry as the effects.
 */
export const Receipt = Type.Object({
  id: Type.String(),
  /** Of the request: the same key with another request is refused. */
  fingerprint: Type.String(),
  seq: Type.Integer({ minimum: 0 }),
  users: Type.Array(Type.Tuple([Type.String(), Type.Union([Type.Literal('created'), Type.Literal('updated'), Type.Literal('unchanged')])])),
  docs: Type.Optional(Type.Array(Type.Object({ kind: Type.String(), id: Type.String() }))),
  missing: Type.Optional(Type.Array(Type.String())),
  warnings: Type.Optional(Type.Array(Type.String())),
  /** Users that it hard-deleted, as it answered with them: without personal data. */
  pruned: Type.Optional(Type.Array(StoredUser)),
  created_at: MicrosField,
});
export type Receipt = Static<typeof Receipt>;

export const DOCS = {
  task: Task,
  role: Role,
  group: UserGroup,
  import: ImportTask,
  activity: Activity,
  follow: Follow,
  consumer: Consumer,
  outbox: Outbox,
  receipt: Receipt,
} as const satisfies Record<string, TSchema>;

export type DocKind = keyof typeof DOCS;
export type Doc<Kind extends DocKind = DocKind> = Static<(typeof DOCS)[Kind]>;
export const DOC_KINDS = [
  'task',
  'role',
  'group',
  'import',
  'activity',
  'follow',
  'consumer',
  'outbox',
  'receipt',
] as const satisfies readonly DocKind[];

/** The document is now exactly this; null: it is gone. */
export type DocChange = {
  readonly [Kind in DocKind]: { readonly kind: Kind; readonly id: string; readonly doc: Doc<Kind> | null };
}[DocKind];

export const DocEventType = Type.Union([
  Type.Literal('user_group.created'),
  Type.Literal('user_group.updated'),
  Type.Literal('user_group.deleted'),
  Type.Literal('user_group.member_added'),
  Type.Literal('user_group.member_removed'),
  Type.Literal('export.users.success'),
  Type.Literal('export.users.error'),
  Type.Literal('import.updated'),
]);
export type DocEventType = Static<typeof DocEventType>;

/** What is told of a change to a document, where anybody is: with the document itself, all that the event is made from. */
export const DocEvent = Type.Object({
  type: DocEventType,
  /** Of a user group: who came, or went. */
  members: Type.Optional(Type.Array(Type.String())),
  /** The user group as it was last, when it is gone. */
  was: Type.Optional(UserGroup),
  /** The user who did it, where it is known. */
  by: Type.Optional(Type.String()),
});
export type DocEvent = Static<typeof DocEvent>;

function docFact<Kind extends DocKind>(kind: Kind) {
  return Type.Object({
    t: Type.Literal('doc'),
    kind: Type.Literal(kind),
    id: Type.String(),
    doc: Type.Union([DOCS[kind], Type.Null()]),
    event: Type.Optional(DocEvent),
  });
}

export const DocFact = Type.Union([
  docFact('task'),
  docFact('role'),
  docFact('group'),
  docFact('import'),
  docFact('activity'),
  docFact('follow'),
  docFact('consumer'),
  docFact('outbox'),
  docFact('receipt'),
]);
/** Without `event` it is stored, and nobody is told. */
export type DocFact = DocChange & { readonly t: 'doc'; readonly event?: DocEvent };

/** Where the activities of a feed with one foreign id are found. The name of a feed has no space. */
export function foreignKey(feed: string, foreignId: string): string {
  return `${feed} ${foreignId}`;
}

/** Time by which documents of a kind are kept in order; undefined for those in the order in which they came. */
export function docTime({ doc, kind }: DocChange): Time | undefined {
  return kind === 'activity' ? doc?.time : undefined;
}

/** Names under which a document can be found beside its id. Derived: they are stored nowhere. */
export function docKeys({ kind, doc }: DocChange): readonly string[] {
  if (doc === null) return [];
  switch (kind) {
    case 'activity':
      return doc.foreign_id === undefined ? doc.feeds : [...doc.feeds, ...doc.feeds.map((feed) => foreignKey(feed, doc.foreign_id ?? ''))];
    case 'follow':
      return [`from ${doc.source}`, `to ${doc.target}`];
    case 'group':
      return doc.members.map(({ user_id }) => user_id);
    case 'task':
    case 'role':
    case 'import':
    case 'consumer':
    case 'outbox':
    case 'receipt':
      return [];
  }
}
