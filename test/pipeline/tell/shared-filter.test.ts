/** BU4: filters are shared. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import { parseFilter } from '../../../protocol/users/finding/filter.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

/** A user whose name tells how often it was read. */
function counted(name: string): { readonly user: StoredUser; readonly reads: () => number } {
  let reads = 0;
  const user = Object.defineProperty(
    { id: 'u', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 } as StoredUser,
    'name',
    {
      get: () => {
        reads++;
        return name;
      },
    },
  );
  return { user, reads: () => reads };
}

test('BU4 those who ask the same share one filter, which judges each state of a user once', () => {
  const one = sharedFilter(parseFilter({ name: { $q: 'ann' } }));
  assert.equal(sharedFilter(parseFilter({ name: { $q: 'ann' } })), one);
  assert.notEqual(sharedFilter(parseFilter({ name: { $q: 'bob' } })), one);
  const [after, before] = [counted('Ann'), counted('Bob')];
  for (let subscriber = 0; subscriber < 1_000; subscriber++) {
    assert.equal(one.matches(after.user, false), true);
    assert.equal(one.matches(before.user, false), false);
  }
  assert.deepEqual([after.reads(), before.reads()], [1, 1]);
});

test('BU4 whether a user is online is part of the judgement', () => {
  const online = sharedFilter(parseFilter({ online: true }));
  const { user } = counted('Ann');
  assert.deepEqual([online.matches(user, true), online.matches(user, false), online.matches(user, true)], [true, false, true]);
});
