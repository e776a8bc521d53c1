/**
 * The durable format: an entry is one batch of facts, stored whole or not at all.
 *
 * A fact says what is true now ("user ann is now {…}", "user bob was deleted"),
 * never what was requested, so applying it needs no rules and gives the same
 * directory on every machine and after every restart. Any change here changes
 * the format on disk: the tripwire test then requires a new version.
 */

import Type, { type Static } from 'typebox';
import { AppSettings } from '../app/settings.ts';
import { MicrosField } from '../base/schemas.ts';
import { DeactivateOptions, DeleteMode, DeleteOptions } from '../users/delete-options.ts';
import { StoredUser } from '../users/user.ts';
import { DocFact } from './documents.ts';

export const ENTRY_VERSION = 3;

/** The origin of a change, which the history of a user shows beside the change. */
export const Origin = Type.Object({
  /** A request with a server token or a client token, a live connection, an import, a sync plan, or the daemon itself. */
  source: Type.Union([
    Type.Literal('server'),
    Type.Literal('client'),
    Type.Literal('live'),
    Type.Literal('import'),
    Type.Literal('plan'),
    Type.Literal('daemon'),
  ]),
  /** The user who did it, if it was a user. */
  by: Type.Optional(Type.String()),
  /** The client's self-description (`X-Stream-Client`), at most `LIMITS.clientNameChars`. */
  client: Type.Optional(Type.String()),
  /** The id of the import, or of the sync plan. */
  job: Type.Optional(Type.String()),
});
export type Origin = Readonly<Static<typeof Origin>>;

/** The details of an event about a ban, a mute or a flag, beside the user. */
export const ModerationDetails = Type.Object({
  /** The user that did it; absent when it expired. */
  by: Type.Optional(Type.String()),
  /** The other users: those that are muted, or no longer muted. */
  targets: Type.Optional(Type.Array(Type.String())),
  reason: Type.Optional(Type.String()),
  expires: Type.Optional(MicrosField),
  shadow: Type.Optional(Type.Boolean()),
  cid: Type.Optional(Type.String()),
  /** Also, or only, for the channels that `by` will create. */
  future_channels: Type.Optional(Type.Boolean()),
  ip_ban: Type.Optional(Type.Boolean()),
  /** The request to the service that owns messages. */
  delete_messages: Type.Optional(DeleteMode),
  /** Flags of the user, this one included. */
  total_flags: Type.Optional(Type.Integer()),
});
export type ModerationDetails = Static<typeof ModerationDetails>;

/** The user is now exactly this. `event` is the event for subscribers; a `silent` fact is stored, but no event is sent. */
export const UserFact = Type.Object({
  t: Type.Literal('user'),
  event: Type.Union([
    Type.Literal('created'),
    Type.Literal('updated'),
    Type.Literal('deactivated'),
    Type.Literal('reactivated'),
    Type.Literal('restored'),
    Type.Literal('banned'),
    Type.Literal('unbanned'),
    Type.Literal('muted'),
    Type.Literal('unmuted'),
    Type.Literal('flagged'),
    Type.Literal('unflagged'),
    Type.Literal('silent'),
  ]),
  user: StoredUser,
  options: Type.Optional(DeactivateOptions),
  about: Type.Optional(ModerationDetails),
  from: Type.Optional(Origin),
  /** The fields that changed, custom data by its keys (`custom.book`). Absent for a new user and a silent fact. */
  fields: Type.Optional(Type.Array(Type.String())),
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
  from: Type.Optional(Origin),
});
export type DeletedFact = Static<typeof DeletedFact>;

/** A custom event of the application about a user. It changes nothing, but is in the log so that a resuming subscriber gets it, too. */
export const CustomFact = Type.Object({
  t: Type.Literal('custom'),
  /** The user at that time. */
  user: StoredUser,
  type: Type.String(),
  custom: Type.Record(Type.String(), Type.Unknown()),
});
export type CustomFact = Static<typeof CustomFact>;

export const AppFact = Type.Object({ t: Type.Literal('app'), app: AppSettings });
export type AppFact = Static<typeof AppFact>;

export const Fact = Type.Union([UserFact, DeletedFact, CustomFact, AppFact, DocFact]);
export type Fact = UserFact | DeletedFact | CustomFact | AppFact | DocFact;

/** The entry to append: the log adds the position. `id` is random, so that the outcome can be found when the answer was lost. */
export const EntryDraft = Type.Object({
  id: Type.String({ minLength: 1 }),
  /** Time of the batch, microseconds. */
  time: MicrosField,
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
