/** BU4: filters are shared. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SharedFilter, sharedFilter } from '../../../daemon/pipeline/tell/shared-filter.ts';
import { conditionsOf, parseFilter } from '../../../protocol/users/finding/filter.ts';
import { WorkMeter } from '../../../protocol/users/finding/filter-cost.ts';
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

test('BU4 BU5 a filter knows its conditions and the length of its text, by which it is bounded; a walk judges without remembering', () => {
  const parsed = parseFilter({ $or: [{ name: { $q: 'ann' } }, { id: { $in: ['a', 'b'] } }] });
  const made = sharedFilter(parsed);
  assert.deepEqual([made.filter, made.conditions, made.bytes], [parsed, conditionsOf(parsed), JSON.stringify(parsed).length]);
  const { user, reads } = counted('Ann');
  for (const _ of [1, 2]) assert.equal(made.judge(user, false), true);
  assert.equal(reads(), 2);
});

test('BU4 the last two judgements are remembered, also when they are of one user, online and not', () => {
  const filter = new SharedFilter(parseFilter({ name: { $q: 'ann' } }), 10);
  const [ann, bob, carl] = [counted('Ann'), counted('Bob'), counted('Carl')];
  const reads = (): number[] => [ann, bob, carl].map((one) => one.reads());
  for (const online of [true, false, true, false]) assert.equal(filter.matches(ann.user, online), true);
  assert.deepEqual(reads(), [2, 0, 0]);
  for (const { user } of [bob, ann]) filter.matches(user, false);
  assert.deepEqual(reads(), [2, 1, 0], 'the one before the last is known');
  filter.matches(carl.user, false);
  filter.matches(bob.user, false);
  filter.matches(ann.user, false);
  assert.deepEqual(reads(), [3, 1, 1], 'an older one is judged again');
});

test('BU5 what a walk looks at is added up', () => {
  const filter = sharedFilter(parseFilter({ $or: [{ name: { $q: 'ann' } }, { id: { $in: ['a', 'b'] } }] }));
  const { user } = counted('Bob');
  const work = new WorkMeter();
  filter.judge(user, false, work);
  const once = work.units;
  assert.ok(once > 0, `${work.units}`);
  filter.judge(user, false, work);
  assert.equal(work.units, 2 * once);
});
