/** US13: teams in every way of writing a user. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changedFields } from '../../../daemon/core/directory/changed-fields.ts';
import { decodeUser } from '../../../protocol/users/decode.ts';
import { Bench } from '../../support/decide-bench.ts';
import { refusal } from '../../support/http/refusal.ts';

const RED_BLUE = ['red', 'blue'];
const BLUE_RED = ['blue', 'red'];

test('US13 the same teams in another order are no change: upsert, partial update and connect cause no event', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', teams: RED_BLUE, custom: { tags: ['a', 'b'] } }]);
  const { seq } = bench.directory;
  const same = [
    bench.upsert([{ id: 'ann', teams: BLUE_RED, custom: { tags: ['a', 'b'] } }]),
    bench.patch('ann', { teams: BLUE_RED }),
    bench.patch('ann', { teams: ['blue', 'red', 'blue'] }),
  ];
  assert.deepEqual(
    same.map(({ users }) => users[0]?.change),
    ['unchanged', 'unchanged', 'unchanged'],
  );
  assert.equal(bench.directory.seq, seq);
  assert.equal(bench.connect('ann', { teams: BLUE_RED }).users[0]?.change, 'unchanged');
  assert.deepEqual(bench.user('ann').teams, RED_BLUE);
  assert.equal(refusal(() => bench.connect('ann', { teams: ['blue'] })).kind, 'not_allowed');
  bench.upsert([{ id: 'ann', teams: BLUE_RED, custom: { tags: ['b', 'a'] } }]);
  assert.deepEqual(bench.user('ann').custom, { tags: ['b', 'a'] }, 'a list in custom data keeps its order');
});

test('US13 a change beside the order keeps the stored order, and only that change is named', () => {
  const bench = new Bench();
  bench.upsert([{ id: 'ann', teams: RED_BLUE, name: 'Ann' }]);
  const before = bench.user('ann');
  bench.upsert([{ id: 'ann', teams: BLUE_RED, name: 'Anna' }]);
  assert.deepEqual(bench.user('ann').teams, RED_BLUE);
  assert.deepEqual(changedFields(before, { ...bench.user('ann'), teams: BLUE_RED }), ['name']);
  bench.patch('ann', { teams: BLUE_RED, image: 'i' });
  assert.deepEqual(bench.user('ann').teams, RED_BLUE);
  bench.patch('ann', { teams: ['green', 'red', 'green'] });
  assert.deepEqual(bench.user('ann').teams, ['green', 'red']);
});

test('US13 repetitions are dropped wherever teams are read', () => {
  const bench = new Bench();
  const input = decodeUser(
    { id: 'ann', teams: ['red', 'red', 'blue', 'red'] },
    { path: 'u', key: 'ann', dialect: 'v1', caller: 'server' },
    [],
  );
  assert.deepEqual(input?.teams, RED_BLUE);
  bench.upsert([{ id: 'ann' }]);
  bench.patch('ann', { teams: ['red', 'red'] });
  assert.deepEqual(bench.user('ann').teams, ['red']);
});

test('US13 leaving a team drops the role in it, unless the same request sets the roles', () => {
  const bench = new Bench();
  const begin = (): void => void bench.upsert([{ id: 'ann', teams: RED_BLUE, teams_role: { red: 'admin', blue: 'user' } }]);
  const roles = (): unknown => bench.user('ann').teams_role;
  begin();
  bench.upsert([{ id: 'ann', teams: ['blue'] }]);
  assert.deepEqual(roles(), { blue: 'user' });
  bench.upsert([{ id: 'ann', teams: RED_BLUE }]);
  assert.deepEqual(roles(), { blue: 'user' }, 'who comes back is not given the role back');
  begin();
  bench.patch('ann', { teams: ['red'] });
  assert.deepEqual(roles(), { red: 'admin' });
  bench.patch('ann', { teams: [] });
  assert.equal(roles(), undefined);
  begin();
  bench.patch('ann', {}, ['teams']);
  assert.equal(roles(), undefined);
  begin();
  bench.upsert([{ id: 'ann', teams: [], teams_role: { red: 'admin' } }]);
  assert.deepEqual(roles(), { red: 'admin' });
  begin();
  bench.patch('ann', { teams: [], teams_role: { red: 'admin' } });
  assert.deepEqual(roles(), { red: 'admin' });
  begin();
  bench.patch('ann', { teams: BLUE_RED });
  assert.deepEqual(roles(), { red: 'admin', blue: 'user' });
});

test('US13 a client that may change its teams may leave one in which it has a role, and still gives itself none', () => {
  const bench = new Bench();
  bench.run({ kind: 'settings', set: { grants: { user: ['update-user-owner', 'update-user-teams'] } } });
  const self = { kind: 'user', id: 'ann' } as const;
  bench.upsert([{ id: 'ann', teams: RED_BLUE, teams_role: { red: 'admin' } }]);
  assert.equal(refusal(() => bench.patch('ann', { teams: ['blue'], teams_role: { blue: 'admin' } }, [], self)).kind, 'not_allowed');
  bench.patch('ann', { teams: ['blue'] }, [], self);
  assert.deepEqual([bench.user('ann').teams, bench.user('ann').teams_role], [['blue'], undefined]);
});
