/** The state of an id at this moment of a batch. Pure. */
import { isInSight } from '../../../protocol/access/tenancy.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { Policy } from '../policy.ts';
import type { Draft, Submitter } from './draft.ts';
import { isTombstone, living } from './record.ts';

export type Found = { readonly kind: 'alive'; readonly user: StoredUser } | { readonly kind: 'deleted' } | { readonly kind: 'absent' };

/** Finds the user with this id. A burned id counts as deleted, unless the policy frees the ids of hard-deleted users. */
export function find(draft: Draft, id: string, policy?: Policy): Found {
  const record = draft.record(id);
  if (record === undefined) return { kind: 'absent' };
  if (isTombstone(record)) return { kind: policy?.reuseHardDeleted === true ? 'absent' : 'deleted' };
  return isAlive(record) ? { kind: 'alive', user: record } : { kind: 'deleted' };
}

/** Whether the sender may see the user: a client sees itself, and those that are not deleted and that no wall between teams hides. */
export function mayKnow(draft: Draft, sender: Submitter, user: StoredUser): boolean {
  if (sender.kind === 'server') return true;
  // Nobody has the empty id. A user that does not exist yet has no team.
  const id = sender.kind === 'user' ? sender.id : '';
  if (id === user.id) return true;
  return isAlive(user) && isInSight(draft.app, living(draft.record(id)) ?? { id, teams: [] }, user);
}
