/** Brings back users that a sync took out, when a sync names them again. Never those that somebody else deactivated or deleted. Pure. */
import type { Micros } from '../../../protocol/base/time.ts';
import type { UpsertCommand } from '../../../protocol/users/upsert.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { withOwnDevices } from '../app/devices.ts';
import type { Draft } from '../directory/draft.ts';
import { isTombstone, living, type Tombstone } from '../directory/record.ts';

export interface Returning {
  readonly change: 'reactivated' | 'restored';
  /** The user as it was while it was out. */
  readonly out: StoredUser;
  /** The user as it was before that, still with its last revision. */
  readonly user: StoredUser;
}

/** Undefined for a user that the command does not bring back. */
export function returningOf(draft: Draft, { returning, actor }: UpsertCommand, id: string): Returning | undefined {
  const out = draft.record(id);
  if (returning === undefined || returning === 'leave' || actor.kind !== 'server' || out === undefined || isTombstone(out))
    return undefined;
  if (isDeletedBySync(out)) {
    if (returning !== 'restore') return undefined;
    const { deleted_at: _at, deleted: _mode, deleted_by_sync: _by, ...user } = out;
    return { change: 'restored', out, user: withOwnDevices(draft, reactivated(user)) };
  }
  return isDeactivatedBySync(out) ? { change: 'reactivated', out, user: reactivated(out) } : undefined;
}

export function isDeactivatedBySync(record: StoredUser | Tombstone | undefined): boolean {
  const user = living(record);
  return user?.deactivated_at !== undefined && user.deactivated_by_sync === true;
}

export function isDeletedBySync(record: StoredUser | Tombstone | undefined): boolean {
  return record !== undefined && !isTombstone(record) && record.deleted === 'soft' && record.deleted_by_sync === true;
}

/** What somebody else deactivated stays deactivated. */
function reactivated(user: StoredUser): StoredUser {
  if (user.deactivated_by_sync !== true) return user;
  const { deactivated_at: _at, deactivated_by_sync: _by, ...rest } = user;
  return rest;
}

/** Stages the return as an event of its own, so that nobody has to find it in a change of details. */
export function stageReturn(draft: Draft, { change, user }: Returning, now: Micros): StoredUser {
  const back = { ...user, rev: draft.nextSeq, updated_at: now };
  draft.stage({ t: 'user', event: change, user: back });
  return back;
}
