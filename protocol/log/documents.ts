/**
 * Documents: the small records beside users (tasks, roles, user groups, imports,
 * the feeds room). Each kind has a schema; one fact writes all kinds, and the
 * directory keeps them in one place. Part of the durable format.
 */

import Type, { type Static, type TSchema } from 'typebox';
import { UserGroup } from '../access/groups.ts';
import { Role } from '../access/roles.ts';
import { SignIn } from '../access/sign-ins.ts';
import { AnyObject, MicrosField } from '../base/schemas.ts';
import type { Micros as Time } from '../base/time.ts';
import { Activity } from '../feeds/activities.ts';
import { feedOwner } from '../feeds/feed-name.ts';
import { Follow } from '../feeds/follows.ts';
import { ImportTask } from '../transfer/imports.ts';
import { SyncPlan } from '../transfer/plans.ts';
import { StoredUser } from '../users/user.ts';

export const TaskStatus = Type.Union([
  Type.Literal('waiting'),
  Type.Literal('pending'),
  Type.Literal('running'),
  Type.Literal('completed'),
  Type.Literal('failed'),
]);
export type TaskStatus = Static<typeof TaskStatus>;

/** Work that outlives its request. `input` holds everything that it needs to continue after a restart. */
export const Task = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  status: TaskStatus,
  created_at: MicrosField,
  updated_at: MicrosField,
  /** The time at which it last began to run. */
  started_at: Type.Optional(MicrosField),
  input: Type.Optional(AnyObject),
  progress: Type.Optional(Type.Object({ done: Type.Integer(), total: Type.Integer() })),
  result: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  error: Type.Optional(Type.Object({ type: Type.String(), description: Type.String() })),
});
export type Task = Static<typeof Task>;

/** A durable consumer of events, with the position that it acknowledged. Its id is its name. */
export const Consumer = Type.Object({
  name: Type.String(),
  epoch: Type.String(),
  seq: Type.Integer({ minimum: 0 }),
  created_at: MicrosField,
  updated_at: MicrosField,
  /** The connection id of the session that speaks for it, or did last. Only nodes that share a log write it. */
  holder: Type.Optional(Type.String()),
});
export type Consumer = Static<typeof Consumer>;

/** The position of a webhook: every event up to here was delivered, or is kept as a letter. Its id is that of the hook. */
export const Outbox = Type.Object({
  id: Type.String(),
  epoch: Type.String(),
  seq: Type.Integer({ minimum: 0 }),
  updated_at: MicrosField,
});

export type Outbox = Static<typeof Outbox>;

const WhatChanged = Type.Union([
  Type.Literal('created'),
  Type.Literal('updated'),
  Type.Literal('reactivated'),
  Type.Literal('restored'),
  Type.Literal('unchanged'),
]);

/**
 * The effects of a request with an `Idempotency-Key`, so that repeating it does nothing and returns the same answer. Its id is
 * the key with its owner. Written in the same entry as the effects.
 */
export const Receipt = Type.Object({
  id: Type.String(),
  /** Fingerprint of the request: the same key with another request is refused. */
  fingerprint: Type.String(),
  seq: Type.Integer({ minimum: 0 }),
  users: Type.Array(Type.Tuple([Type.String(), WhatChanged])),
  docs: Type.Optional(Type.Array(Type.Object({ kind: Type.String(), id: Type.String() }))),
  missing: Type.Optional(Type.Array(Type.String())),
  warnings: Type.Optional(Type.Array(Type.String())),
  /** Users that it hard-deleted, in the form of its answer: without personal data. */
  pruned: Type.Optional(Type.Array(StoredUser)),
  /** The client whose request it was; `!anon` for a caller without a user, absent for a server. */
  by: Type.Optional(Type.String()),
  created_at: MicrosField,
});
export type Receipt = Static<typeof Receipt>;

/**
 * The right to do a job, where several nodes could: its id is the job. Who has it for how long is no matter of the log; that nobody else
 * acts on it any more is. A later lease of the same job ends this one.
 */
export const Lease = Type.Object({
  id: Type.String(),
  /** The node, and its start. */
  holder: Type.String(),
  /** The position of the fact that granted it: later leases have larger ones. */
  token: Type.Integer({ minimum: 1 }),
});
export type Lease = Static<typeof Lease>;

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
  lease: Lease,
  sign_in: SignIn,
  plan: SyncPlan,
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
  'lease',
  'sign_in',
  'plan',
] as const satisfies readonly DocKind[];

/** The document is now exactly this; null: it no longer exists. */
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

/** The event that a change to a document causes: together with the document, all that is needed to render it. */
export const DocEvent = Type.Object({
  type: DocEventType,
  /** Of a user group: the members that were added or removed. */
  members: Type.Optional(Type.Array(Type.String())),
  /** The last state of a deleted user group. */
  was: Type.Optional(UserGroup),
  /** The user who did it, if known. */
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
  docFact('lease'),
  docFact('sign_in'),
  docFact('plan'),
]);
/** Without `event`, the fact is stored and no event is sent. */
export type DocFact = DocChange & { readonly t: 'doc'; readonly event?: DocEvent };

/** The key of the activities of a feed with one foreign id. The name of a feed has no space. */
export function foreignKey(feed: string, foreignId: string): string {
  return `${feed} ${foreignId}`;
}

/** The key of everything of a kind that one client made; `owner` is its id. The name of a feed has no space. */
export function ownerKey(owner: string): string {
  return `by ${owner}`;
}

/** The keys of follows: of a feed those of the feeds that it follows, of its followers, and of feeds that it no longer follows but shows. */
export const followKeys = {
  from: (source: string) => `from ${source}`,
  to: (target: string) => `to ${target}`,
  kept: (source: string) => `kept ${source}`,
} as const;

/** The time by which documents of a kind are ordered; undefined for kinds in order of arrival. */
export function docTime({ doc, kind }: DocChange): Time | undefined {
  return kind === 'activity' ? doc?.time : undefined;
}

/** Keys by which a document can be found beside its id. They are derived, not stored. */
export function docKeys({ kind, doc }: DocChange): readonly string[] {
  if (doc === null) return [];
  switch (kind) {
    case 'activity':
      return [
        ...doc.feeds,
        ...(doc.foreign_id === undefined ? [] : doc.feeds.map((feed) => foreignKey(feed, doc.foreign_id ?? ''))),
        ownerKey(feedOwner(doc.origin)),
      ];
    case 'follow':
      return [
        ...(doc.ended_at === undefined ? [followKeys.from(doc.source), followKeys.to(doc.target)] : [followKeys.kept(doc.source)]),
        ownerKey(feedOwner(doc.source)),
      ];
    case 'group':
      return doc.members.map(({ user_id }) => user_id);
    case 'task':
    case 'role':
    case 'import':
    case 'consumer':
    case 'outbox':
    case 'lease':
    case 'sign_in':
    case 'plan':
      return [];
    case 'receipt':
      return doc.by === undefined ? [] : [ownerKey(doc.by)];
  }
}
