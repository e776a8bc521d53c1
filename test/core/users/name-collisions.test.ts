/** UN5: the names that several users hold. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type NameCollisions, nameCollisions } from '../../../daemon/core/users/name-collisions.ts';
import { Bench } from '../../support/decide-bench.ts';

function found(bench: Bench, scope: 'app' | 'team'): NameCollisions {
  const walk = nameCollisions(bench.directory, scope);
  for (;;) {
    const step = walk.next();
    if (step.done === true) return step.value;
  }
}

test('UN5 a name counts where several living users hold it: in the application, or in a team that they share', () => {
  const bench = new Bench();
  bench.upsert([
    { id: 'a1', name: 'Ann', teams: ['red', 'blue'] },
    { id: 'a2', name: 'ann', teams: ['blue', 'green'] },
    { id: 'a3', name: 'A.n.n', teams: ['green'] },
    { id: 'b1', name: 'Bob', teams: ['red'] },
    { id: 'b2', name: 'Bob', teams: ['blue'] },
    { id: 'c1', name: 'Carl' },
    { id: 'c2', name: 'Carl' },
    { id: 'd1', name: '!!!', teams: ['red'] },
    { id: 'd2', name: '?', teams: ['red'] },
    { id: 'e1', name: 'Eve' },
    { id: 'nobody' },
  ]);
  bench.run({ kind: 'delete', ids: ['c2'], mode: 'soft', options: {} });
  const app = found(bench, 'app');
  assert.equal(app.total, 2);
  assert.deepEqual(app.examples, [
    { name: 'Ann', user_ids: ['a1', 'a2', 'a3'], users: 3 },
    { name: 'Bob', user_ids: ['b1', 'b2'], users: 2 },
  ]);
  const team = found(bench, 'team');
  assert.equal(team.total, 2);
  assert.deepEqual(team.examples, [
    { name: 'Ann', team: 'blue', user_ids: ['a1', 'a2'], users: 2 },
    { name: 'ann', team: 'green', user_ids: ['a2', 'a3'], users: 2 },
  ]);
});

test('UN5 all are counted, and some of them shown', () => {
  const bench = new Bench();
  for (let n = 0; n < 120; n++) bench.upsert([0, 1, 2].map((k) => ({ id: `u${n}-${k}`, name: `name ${n}` })));
  bench.upsert(Array.from({ length: 130 }, (_, n) => ({ id: `many${n}`, name: 'Many' })));
  const { total, examples } = found(bench, 'app');
  assert.deepEqual([total, examples.length], [121, 100]);
  const only = new Bench();
  only.upsert(Array.from({ length: 130 }, (_, n) => ({ id: `many${n}`, name: 'Many' })));
  const [one] = found(only, 'app').examples;
  assert.deepEqual([one?.users, one?.user_ids.length], [130, 100]);
});
