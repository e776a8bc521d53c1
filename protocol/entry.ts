/**
 * The durable format: an entry is one batch of facts, stored whole or not at all.
 *
 * A fact says what is true now ("user ann is now {…}", "user bob was deleted"),
 * never what was asked for, so applying it needs no rules and gives the same
 * directory on every machine and after every restart. A change to anything
 * here changes the format on disk: the tripwire test asks for a new version.
 */
import Type, { type Static } from 'typebox';
import { DeactivateOptions, DeleteMode, DeleteOptions } from './delete-options.ts';
import { StoredUser } from './user.ts';

export const ENTRY_VERSION = 1;

const Micros = Type.Integer({ minimum: 0 });

/** The user is now exactly this. `event` is what subscribers are told; a `silent` fact is stored, but nobody is told. */
export const UserFact = Type.Object({
  t: Type.Literal('user'),
  event: Type.Union([
    Type.Literal('created'),
    Type.Literal('updated'),
    Type.Literal('deactivated'),
    Type.Literal('reactivated'),
    Type.Literal('silent'),
  ]),
  user: StoredUser,
  options: Type.Optional(DeactivateOptions),
});
export type UserFact = Static<typeof UserFact>;

/**
 * The user was deleted. `user` is the marked record that stays (soft: all of it, pruning: without personal data).
 * After a hard delete only the id and the time stay; `user` is then the pruned record, for the event alone.
 */
export const DeletedFact = Type.Object({
  t: Type.Literal('deleted'),
  mode: DeleteMode,
  user: StoredUser,
  options: DeleteOptions,
});
export type DeletedFact = Static<typeof DeletedFact>;

export const TaskStatus = Type.Union([
  Type.Literal('waiting'),
  Type.Literal('pending'),
  Type.Literal('running'),
  Type.Literal('completed'),
  Type.Literal('failed'),
]);
export type TaskStatus = Static<typeof TaskStatus>;

export const Task = Type.Object({
  id: Type.String(),
  kind: Type.String(),
  status: TaskStatus,
  created_at: Micros,
  updated_at: Micros,
  result: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  error: Type.Optional(Type.Object({ type: Type.String(), description: Type.String() })),
});
export type Task = Static<typeof Task>;

export const TaskFact = Type.Object({ t: Type.Literal('task'), task: Task });
export type TaskFact = Static<typeof TaskFact>;

/** Settings of the application that change how commands are decided. */
export const AppSettings = Type.Object({
  enforce_unique_usernames: Type.Union([Type.Literal('no'), Type.Literal('app'), Type.Literal('team')]),
  revoke_tokens_issued_before: Type.Optional(Micros),
});
export type AppSettings = Static<typeof AppSettings>;

export const AppFact = Type.Object({ t: Type.Literal('app'), app: AppSettings });
export type AppFact = Static<typeof AppFact>;

export const Fact = Type.Union([UserFact, DeletedFact, TaskFact, AppFact]);
export type Fact = UserFact | DeletedFact | TaskFact | AppFact;

/** What is appended: the log adds the position. `id` is random, so that a lost answer can be found out. */
export const EntryDraft = Type.Object({
  id: Type.String({ minLength: 1 }),
  /** Time of the batch, microseconds. */
  time: Micros,
  facts: Type.Array(Fact, { minItems: 1 }),
});
export interface EntryDraft {
  readonly id: string;
  readonly time: number;
  readonly facts: readonly Fact[];
}

/** An entry of n facts covers the positions `first` to `first + n - 1`. Never mutated: readers share it. */
export interface Entry extends EntryDraft {
  readonly first: number;
}

/** The seq of the entry's last fact: the position after the entry. */
export function lastSeq(entry: Entry): number {
  return entry.first + entry.facts.length - 1;
}
