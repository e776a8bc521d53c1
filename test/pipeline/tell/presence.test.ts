/** PR: who is there, by a clock that the test moves. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Presence } from '../../../daemon/pipeline/tell/presence.ts';

const GRACE_MS = 10_000;
const GATHER_MS = 50;

function bench(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  const told: [string, boolean][] = [];
  const hidden = new Set<string>();
  const presence = new Presence({
    graceMs: GRACE_MS,
    gatherMs: GATHER_MS,
    nowMs: () => nowMs,
    isVisible: (id) => !hidden.has(id),
    onChange: (changes) => told.push(...changes),
  });
  t.after(() => presence.stop());
  const pass = (ms: number): void => {
    // In small steps, so that a timer which arms another one finds the time it expects.
    for (let left = ms; left > 0; left -= 10) {
      nowMs += Math.min(10, left);
      t.mock.timers.tick(Math.min(10, left));
    }
  };
  return { presence, told, hidden, pass };
}

test('PR1 the first connection is coming, the end of the last one is going, after the grace', (t) => {
  const { presence, told, pass } = bench(t);
  presence.arrived('ann');
  presence.arrived('ann');
  pass(GATHER_MS);
  assert.deepEqual(told.splice(0), [['ann', true]]);
  presence.left('ann');
  pass(GRACE_MS * 2);
  assert.deepEqual(told, [], 'one connection is left');
  presence.left('ann');
  assert.ok(presence.isOnline('ann'), 'the grace has begun');
  pass(GRACE_MS - 100);
  assert.deepEqual(told, []);
  pass(200 + GATHER_MS);
  assert.deepEqual(told.splice(0), [['ann', false]]);
  assert.ok(!presence.isOnline('ann'));
  assert.equal(presence.visible.size, 0);
});

test('PR1 a reconnect within the grace is nothing; each user has a grace of its own', (t) => {
  const { presence, told, pass } = bench(t);
  for (const id of ['ann', 'bob']) presence.arrived(id);
  pass(GATHER_MS);
  told.length = 0;
  presence.left('ann');
  pass(GRACE_MS / 2);
  presence.left('bob');
  presence.arrived('ann');
  pass(GRACE_MS + GATHER_MS + 10);
  assert.deepEqual(told, [['bob', false]]);
  presence.left('ann');
  pass(GRACE_MS + GATHER_MS + 10);
  assert.deepEqual(told, [
    ['bob', false],
    ['ann', false],
  ]);
});

test('PR2 who ends up as told before is not told', (t) => {
  const { presence, told, hidden, pass } = bench(t);
  presence.arrived('ann');
  pass(GATHER_MS);
  told.length = 0;
  hidden.add('ann');
  presence.touch('ann');
  hidden.delete('ann');
  presence.touch('ann');
  pass(GATHER_MS);
  assert.deepEqual(told, []);
});

test('PR3 becoming invisible is going, becoming visible is coming; whoever comes invisible is not told', (t) => {
  const { presence, told, hidden, pass } = bench(t);
  hidden.add('ann');
  presence.arrived('ann');
  pass(GATHER_MS);
  assert.deepEqual(told, []);
  hidden.delete('ann');
  presence.touch('ann');
  pass(GATHER_MS);
  hidden.add('ann');
  presence.touch('ann');
  pass(GATHER_MS);
  assert.deepEqual(told, [
    ['ann', true],
    ['ann', false],
  ]);
});

test('PR4 a deleted user is forgotten without a word, a deactivated one goes at once', (t) => {
  const { presence, told, hidden, pass } = bench(t);
  for (const id of ['ann', 'bob']) presence.arrived(id);
  pass(GATHER_MS);
  told.length = 0;
  presence.left('ann');
  presence.forget('ann', false);
  hidden.add('bob');
  presence.left('bob');
  presence.forget('bob', true);
  pass(GATHER_MS);
  assert.deepEqual(told, [['bob', false]]);
  assert.ok(!presence.isOnline('ann') && !presence.isOnline('bob'));
  pass(GRACE_MS * 2);
  assert.equal(told.length, 1);
});
