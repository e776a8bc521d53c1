/** Upsert that refuses or keeps users that exist, needs them, merges their custom data, or takes a deleted id anew: UP1–UP6. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { UserInput } from '../../../protocol/users/user.ts';
import { idsOf } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';
import { RulesBench } from '../../support/rules-bench.ts';

test('UP1 an upsert that must create names every user that exists already, and creates none', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann' }, { id: 'bob' }]);
  const error = refusal(() => bench.upsert([{ id: 'new' }, { id: 'ann' }, { id: 'bob' }], { existing: 'refuse' }));
  assert.equal(error.kind, 'conflict');
  assert.equal(error.message, 'the user ann exists already');
  assert.deepEqual(
    error.fields.map(({ path, message }) => [path, message]),
    [
      ['users[ann]', 'the user ann exists already'],
      ['users[bob]', 'the user bob exists already'],
    ],
  );
  assert.equal(bench.directory.user('new'), undefined);
  assert.equal(bench.upsert([{ id: 'new' }], { existing: 'refuse' }).users[0]?.change, 'created');
});

test('UP1 the same id twice in one batch is a conflict, too', () => {
  const bench = new RulesBench();
  assert.equal(refusal(() => bench.upsert([{ id: 'ann' }, { id: 'ann' }], { existing: 'refuse' })).kind, 'conflict');
  assert.equal(bench.directory.size, 0);
});

test('UP2 a user that is kept is answered as it is and not touched, whatever was sent for it', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann', custom: { color: 'blue' } }]);
  const before = bench.user('ann');
  const sent = { id: 'ann', name: 'Other', role: 'no-such-role', custom: { color: 'red' } };
  const { users } = bench.upsert([sent, { id: 'bob', name: 'Bob' }], { existing: 'keep' });
  assert.deepEqual(
    users.map(({ user, change }) => [user.id, change]),
    [
      ['ann', 'unchanged'],
      ['bob', 'created'],
    ],
  );
  assert.equal(bench.user('ann'), before);
  assert.equal(users[0]?.user, before);
});

test('UP2 a client may keep only itself, and hears that before it hears whether another user exists', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann' }, { id: 'bob' }]);
  const ann = { kind: 'user', id: 'ann' } as const;
  assert.equal(bench.upsert([{ id: 'ann' }], { existing: 'keep' }, ann).users[0]?.change, 'unchanged');
  for (const existing of ['keep', 'refuse', 'replace'] as const) {
    assert.equal(refusal(() => bench.upsert([{ id: 'bob' }], { existing }, ann)).kind, 'not_allowed', existing);
    assert.equal(refusal(() => bench.upsert([{ id: 'nobody' }], { existing, missing: 'refuse' }, ann)).kind, 'not_allowed', existing);
  }
  assert.equal(refusal(() => bench.upsert([{ id: 'ann' }], { existing: 'refuse' }, ann)).kind, 'conflict');
});

test('UP2 UP1 a server keeps, and is told of, users that are deactivated, whatever their role may do', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann' }]);
  bench.run({ kind: 'deactivate', ids: ['ann'], options: {} });
  bench.settings({ grants: { user: [] } });
  const before = bench.user('ann');
  assert.deepEqual(bench.upsert([{ id: 'ann', name: 'Other' }], { existing: 'keep' }).users, [{ user: before, change: 'unchanged' }]);
  const { kind, fields } = refusal(() => bench.upsert([{ id: 'ann' }], { existing: 'refuse' }));
  assert.deepEqual([kind, fields.map(({ message }) => message)], ['conflict', ['the user ann exists already']]);
});

test('UP3 an upsert that must replace names every user that does not exist', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann' }]);
  const error = refusal(() => bench.upsert([{ id: 'ann', name: 'New' }, { id: 'bob' }, { id: 'cid' }], { missing: 'refuse' }));
  assert.equal(error.kind, 'not_found');
  assert.deepEqual(
    error.fields.map(({ message }) => message),
    ['the user bob does not exist', 'the user cid does not exist'],
  );
  assert.equal(bench.user('ann').name, 'Ann');
  assert.equal(bench.upsert([{ id: 'ann', name: 'New' }], { missing: 'refuse' }).users[0]?.change, 'updated');
});

test('UP4 merging keeps custom data that is not sent and replaces name and image', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann', name: 'Ann', image: 'a.png', custom: { a: 1, b: { c: 1 } } }]);
  bench.upsert([{ id: 'ann', name: 'Ann', custom: { b: { d: 2 }, e: 3 } }], { mergeCustom: true });
  const { image, custom } = bench.user('ann');
  assert.deepEqual({ image, custom }, { image: undefined, custom: { a: 1, b: { d: 2 }, e: 3 } });
  assert.equal(bench.upsert([{ id: 'ann', name: 'Ann' }], { mergeCustom: true }).users[0]?.change, 'unchanged');
});

test('UP4 what is merged must fit into a user', () => {
  const bench = new RulesBench();
  const half = 'x'.repeat(LIMITS.serverUserBytes / 2);
  bench.upsert([{ id: 'ann', custom: { first: half } }]);
  const error = refusal(() => bench.upsert([{ id: 'ann', custom: { second: half } }], { mergeCustom: true }));
  assert.equal(error.kind, 'input');
  assert.equal(error.fields[0]?.path, 'users[ann]');
  assert.deepEqual(Object.keys(bench.user('ann').custom), ['first']);
});

for (const mode of ['soft', 'pruning', 'hard'] as const) {
  test(`UP5 the id of a user deleted in mode ${mode} is burned, unless it may be used anew: then nothing of the old user is left`, () => {
    const bench = new RulesBench();
    bench.upsert([{ id: 'ann', name: 'Ann', role: 'admin', teams: ['red'], custom: { old: true } }]);
    bench.connect('ann');
    const old = bench.user('ann');
    bench.delete('ann', mode);
    for (const variant of [{}, { existing: 'keep' }, { existing: 'refuse' }, { missing: 'refuse' }] as const) {
      const error = refusal(() => bench.upsert([{ id: 'ann' }], variant));
      assert.deepEqual([error.kind, error.message], ['not_found', 'the user ann was deleted']);
    }
    assert.equal(refusal(() => bench.upsert([{ id: 'ann' }], { reuseDeleted: true, missing: 'refuse' })).kind, 'not_found');
    const { users } = bench.upsert([{ id: 'ann', custom: { fresh: true } }], { reuseDeleted: true, existing: 'refuse' });
    assert.equal(users[0]?.change, 'created');
    const { rev, ...fresh } = bench.user('ann');
    assert.deepEqual(fresh, {
      id: 'ann',
      role: 'user',
      teams: [],
      custom: { fresh: true },
      created_at: bench.now,
      updated_at: bench.now,
    });
    assert.ok(rev > old.rev, 'a subscriber must take the new record for newer');
    assert.deepEqual(idsOf(bench.directory, bench.directory.lookup.teams.rows('red')), []);
  });
}

test('UP5 the policy frees ids of hard-deleted users only', () => {
  const bench = new RulesBench({ reuseHardDeleted: true });
  bench.upsert([{ id: 'hard' }, { id: 'soft' }]);
  bench.delete('hard', 'hard');
  bench.delete('soft', 'soft');
  assert.equal(bench.upsert([{ id: 'hard' }], { existing: 'refuse' }).users[0]?.change, 'created');
  assert.equal(refusal(() => bench.upsert([{ id: 'soft' }])).kind, 'not_found');
});

test('UP6 everything that is wrong with a batch is listed, whatever its kind, and the first gives the answer its code', () => {
  const bench = new RulesBench();
  bench.upsert([{ id: 'ann' }, { id: 'gone' }]);
  bench.delete('gone');
  const error = refusal(() =>
    bench.upsert([{ id: 'ann' }, { id: 'gone' }, { id: 'bob', role: 'none' }, { id: 'cid' }], { existing: 'refuse' }),
  );
  assert.equal(error.kind, 'conflict');
  assert.deepEqual(
    error.fields.map(({ path, code }) => [path, code]),
    [
      ['users[ann]', 4],
      ['users[gone]', 16],
      ['users[bob].role', 4],
    ],
  );
  assert.equal(bench.directory.user('cid'), undefined);
});

test('UP6 whatever the variant: a batch is applied as a whole or not at all, and a kept user is never touched', () => {
  const id = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
  const user = fc.record({ id, name: fc.option(fc.string(), { nil: undefined }), custom: fc.dictionary(fc.string(), fc.integer()) });
  const batch = fc.uniqueArray(user, { selector: (one) => one.id, minLength: 1 });
  const variant = fc.record({
    existing: fc.constantFrom('replace' as const, 'refuse' as const, 'keep' as const),
    missing: fc.constantFrom('create' as const, 'refuse' as const),
    mergeCustom: fc.boolean(),
    reuseDeleted: fc.boolean(),
  });
  const property = fc.property(fc.array(fc.tuple(batch, variant), { maxLength: 8 }), (steps) => {
    const bench = new RulesBench();
    bench.upsert([{ id: 'd' }, { id: 'e' }]);
    bench.delete('e', 'soft');
    bench.delete('d', 'hard');
    for (const [users, how] of steps) {
      const before = new Map(users.map((one) => [one.id, bench.directory.user(one.id)]));
      const mustFail = users.some((one) => {
        const isAlive = before.get(one.id) !== undefined;
        const isBurned = !isAlive && bench.directory.record(one.id) !== undefined && !how.reuseDeleted;
        return isBurned || (isAlive ? how.existing === 'refuse' : how.missing === 'refuse');
      });
      const seq = bench.directory.seq;
      const inputs: UserInput[] = users.map(({ name, ...rest }) => (name === undefined ? rest : { ...rest, name }));
      if (mustFail) refusal(() => bench.upsert(inputs, how));
      else bench.upsert(inputs, how);
      if (mustFail) assert.equal(bench.directory.seq, seq);
      for (const one of users) {
        const now = bench.directory.user(one.id);
        const old = before.get(one.id);
        if (mustFail || (how.existing === 'keep' && old !== undefined)) assert.equal(now, old);
        else assert.ok(now !== undefined && Object.entries(one.custom).every(([key, value]) => now.custom[key] === value));
      }
    }
  });
  fc.assert(property, { numRuns: 300 });
});
