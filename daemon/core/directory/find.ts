/** The state of an id at this moment of a batch. Pure. */
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import type { Policy } from '../policy.ts';
import type { Draft } from './draft.ts';
import { isTombstone } from './record.ts';

export type Found = { readonly kind: 'alive'; readonly user: StoredUser } | { readonly kind: 'deleted' } | { readonly kind: 'absent' };

/** Finds the user with this id. A burned id counts as deleted, unless the policy frees the ids of hard-deleted users. */
export function find(draft: Draft, id: string, policy?: Policy): Found {
  const record = draft.record(id);
  if (record === undefined) return { kind: 'absent' };
  if (isTombstone(record)) return { kind: policy?.reuseHardDeleted === true ? 'absent' : 'deleted' };
  return isAlive(record) ? { kind: 'alive', user: record } : { kind: 'deleted' };
}
