/** A record of the directory: a user or a tombstone; and one change of a record. Pure. */

import type { AppSettings } from '../../../protocol/app/settings.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import type { CustomFact, DeletedFact, UserFact } from '../../../protocol/log/entry.ts';
import { type Ban, type Flag, isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { PackedRecords } from './records/definitions.ts';
import type { UsagePeriod } from './usage.ts';

/** The trace of a hard-deleted user: the id stays burned. */
export interface Tombstone {
  readonly id: string;
  /** Time of the delete, microseconds. */
  readonly gone_at: number;
  /** Of a user that deleted itself: its bans and the reports about it. They return with a user that gets the id again. */
  readonly bans?: readonly Ban[];
  readonly flags?: readonly Flag[];
}

/** The part of a record that its user cannot get rid of by deleting itself. */
export function evidenceOf({ bans, flags }: Pick<Tombstone, 'bans' | 'flags'>): { bans?: Ban[]; flags?: Flag[] } {
  return { ...(bans === undefined ? undefined : { bans: [...bans] }), ...(flags === undefined ? undefined : { flags: [...flags] }) };
}

export function isTombstone(record: StoredUser | Tombstone): record is Tombstone {
  return 'gone_at' in record;
}

/** The record, if it is a user that is not deleted. */
export function living(record: StoredUser | Tombstone | undefined): StoredUser | undefined {
  return record !== undefined && !isTombstone(record) && isAlive(record) ? record : undefined;
}

export function tombstoneOf(user: StoredUser): Tombstone {
  return { id: user.id, gone_at: user.deleted_at ?? user.updated_at, ...evidenceOf(user) };
}

/** The effect of one fact on one user: the raw material of an event. */
export interface UserChange {
  readonly seq: number;
  readonly fact: UserFact | DeletedFact | CustomFact;
  /** The living user before, if any. */
  readonly before: StoredUser | undefined;
  /** The user after. After a delete, it is the marked record, which is no longer alive. */
  readonly after: StoredUser;
}

/** One line of a snapshot. Most lines are users and tombstones; the other kinds come first. */
export type DirectoryLine =
  | {
      readonly state: {
        readonly time: number;
        readonly app: AppSettings;
        readonly app_seq?: number;
        readonly entries: readonly string[];
        /** Version of the keys by which names were compared; absent: 1. */
        readonly names?: number;
      };
    }
  | { readonly doc: DocChange }
  | { readonly usage: UsagePeriod }
  | PackedRecords
  | { readonly user: StoredUser }
  | { readonly gone: Tombstone };
