/** PR: who is there, by a clock that the test moves. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { mayShowOnline, Presence } from '../../../daemon/pipeline/tell/presence.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

const GRACE_MS = 10_000;
const GATHER_MS = 50;

function bench(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let nowMs = 0;
  const told: [string, boolean][] = [];
  const here: [string, boolean][] = [];
  const hidden = new Set<string>();
  const presence = new Presence({
    graceMs: GRACE_MS,
    gatherMs: GATHER_MS,
    nowMs: () => nowMs,
    isVisible: (id) => !hidden.has(id),
    onChange: (changes) => told.push(...changes),
    onHere: (id, isHere) => here.push([id, isHere]),
  });
  t.after(() => presence.stop());
  const pass = (ms: number): void => {
    // In small steps, so that a timer which arms another one finds the time it expects.
    for (let left = ms; left > 0; left -= 10) {
      nowMs += Math.min(10, left);
      t.mock.timers.tick(Math.min(10, left));
    }
  };
  return { presence, told, here, hidden, pass };
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

const record = (id: string, more: Partial<StoredUser> = {}): StoredUser => ({
  ...{ id, rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 },
  ...more,
});

test('PR3 PR4 a change of the record counts at once: invisible or visible, deactivated, deleted; any other changes nothing', (t) => {
  const { presence, told, hidden, pass } = bench(t);
  presence.arrived('ann');
  presence.left('ann');
  pass(GATHER_MS);
  told.length = 0;
  const follow = (before: Partial<StoredUser> | undefined, after: Partial<StoredUser>): [string, boolean][] => {
    presence.follow({ before: before && record('ann', before), after: record('ann', after) });
    pass(GATHER_MS);
    return told.splice(0);
  };
  hidden.add('ann');
  assert.deepEqual(follow({}, { name: 'Ann' }), [], 'nobody looked');
  assert.deepEqual(follow({}, { invisible: true }), [['ann', false]]);
  hidden.delete('ann');
  assert.deepEqual(follow({ invisible: true }, {}), [['ann', true]]);
  hidden.add('ann');
  assert.deepEqual(follow(undefined, { invisible: true }), [['ann', false]], 'a user that was restored invisible');
  hidden.delete('ann');
  presence.touch('ann');
  pass(GATHER_MS);
  told.length = 0;
  assert.ok(presence.isOnline('ann'));
  assert.deepEqual(follow({}, { deactivated_at: 5 }), [['ann', false]], 'its grace has ended');
  presence.arrived('ann');
  pass(GATHER_MS);
  told.length = 0;
  assert.deepEqual(follow({}, { deactivated_at: 5, deleted_at: 6 }), [], 'a deleted user goes without a word');
  assert.equal(presence.visible.size, 0);
});

test('PR1 only living, active users that did not ask to be invisible may be shown as online', () => {
  assert.deepEqual([undefined, record('a'), record('a', { invisible: true }), record('a', { invisible: false })].map(mayShowOnline), [
    false,
    true,
    false,
    true,
  ]);
  assert.deepEqual([record('a', { deactivated_at: 1 }), record('a', { deleted_at: 1 })].map(mayShowOnline), [false, false]);
});

test('PR1 several graces end in their order, each at its time; who left last stays longest', (t) => {
  const { presence, told, pass } = bench(t);
  for (const id of ['ann', 'bob', 'carl']) presence.arrived(id);
  assert.deepEqual([...presence.connected], ['ann', 'bob', 'carl']);
  pass(GATHER_MS);
  told.length = 0;
  presence.left('ann');
  pass(1_000);
  presence.left('bob');
  pass(1_000);
  presence.arrived('ann');
  presence.left('ann');
  assert.deepEqual([...presence.connected], ['carl']);
  const online = (): string[] => ['ann', 'bob', 'carl'].filter((id) => presence.isOnline(id));
  pass(GRACE_MS - 1_010);
  assert.deepEqual(online(), ['ann', 'bob', 'carl']);
  pass(10);
  assert.deepEqual(online(), ['ann', 'carl']);
  pass(990);
  assert.deepEqual(online(), ['ann', 'carl']);
  pass(10);
  assert.deepEqual(online(), ['carl']);
  pass(GATHER_MS);
  assert.deepEqual(told, [
    ['bob', false],
    ['ann', false],
  ]);
});

test('PR2 changes that come together are told together, once', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const told: unknown[] = [];
  const presence = new Presence({
    ...{ graceMs: 0, gatherMs: GATHER_MS, nowMs: () => 0, isVisible: () => true },
    onChange: (changes) => void told.push([...changes]),
  });
  presence.arrived('ann');
  t.mock.timers.tick(GATHER_MS - 1);
  presence.arrived('bob');
  assert.deepEqual(told, []);
  t.mock.timers.tick(1);
  assert.deepEqual(told.splice(0), [
    [
      ['ann', true],
      ['bob', true],
    ],
  ]);
  presence.touch('ann');
  t.mock.timers.tick(GATHER_MS);
  assert.deepEqual(told, [], 'nothing changed');
  presence.arrived('carl');
  presence.left('carl');
  presence.stop();
  t.mock.timers.tick(60_000);
  assert.deepEqual(told, [], 'it was stopped');
});

test('PR1 a grace keeps no process alive', () => {
  const timeouts = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
  const presence = new Presence({
    ...{ graceMs: 1_000_000, gatherMs: 0, nowMs: () => 0, isVisible: () => true, onChange: () => {} },
  });
  const before = timeouts();
  presence.left('ann');
  assert.equal(timeouts(), before);
  presence.stop();
});

test('PR11 a user is online while it is so at any node; other nodes are told what happens here alone', (t) => {
  const { presence, told, here, pass } = bench(t);
  presence.replaceElsewhere('two', new Set(['ann', 'bob']));
  presence.arrived('ann');
  pass(GATHER_MS);
  assert.deepEqual(told.splice(0), [
    ['ann', true],
    ['bob', true],
  ]);
  assert.deepEqual(here.splice(0), [['ann', true]]);
  presence.changeElsewhere('two', ['carl'], ['ann', 'bob']);
  pass(GATHER_MS);
  assert.deepEqual(told.splice(0), [
    ['carl', true],
    ['bob', false],
  ]);
  presence.left('ann');
  presence.arrived('ann');
  presence.left('ann');
  pass(GRACE_MS + GATHER_MS);
  assert.deepEqual([told.splice(0), here.splice(0)], [[['ann', false]], [['ann', false]]]);
  presence.changeElsewhere('three', ['dora'], []);
  presence.replaceElsewhere('two', new Set(['dora', 'eve']));
  presence.replaceElsewhere('three', new Set());
  pass(GATHER_MS);
  assert.deepEqual(
    told.sort(([a], [b]) => (a < b ? -1 : 1)),
    [
      ['carl', false],
      ['dora', true],
      ['eve', true],
    ],
  );
  assert.deepEqual([[...presence.here], here], [[], []]);
});

test('PR11 a user that is sent away is told to the other nodes once', (t) => {
  const { presence, here, pass } = bench(t);
  presence.arrived('ann');
  presence.left('ann');
  assert.deepEqual([...presence.here], ['ann'], 'in its grace');
  presence.forget('ann', true);
  presence.forget('ann', true);
  pass(GRACE_MS);
  assert.deepEqual(here, [
    ['ann', true],
    ['ann', false],
  ]);
});

test('PR12 the users of a node that is gone have the grace to come back, and nothing happens to those that do', (t) => {
  const { presence, told, pass } = bench(t);
  presence.replaceElsewhere('two', new Set(['ann', 'bob']));
  presence.replaceElsewhere('three', new Set(['carl']));
  pass(GATHER_MS);
  told.length = 0;
  presence.loseNode('two');
  presence.loseNode('three');
  presence.loseNode('nowhere');
  pass(GRACE_MS / 2);
  presence.arrived('ann');
  presence.loseNode('two');
  presence.replaceElsewhere('three', new Set(['carl']));
  pass(GRACE_MS / 2 - 100);
  assert.deepEqual(told, []);
  pass(100 + GATHER_MS);
  assert.deepEqual(told, [['bob', false]]);
  pass(GRACE_MS);
  assert.equal(told.length, 1);
});

test('PR11 a user that comes online elsewhere before its record is here is told of with the record', (t) => {
  const { presence, told, hidden, pass } = bench(t);
  hidden.add('ann');
  presence.changeElsewhere('two', ['ann'], []);
  pass(GATHER_MS);
  assert.deepEqual(told, []);
  hidden.delete('ann');
  presence.follow({ before: undefined, after: { id: 'ann' } as StoredUser });
  presence.follow({ before: undefined, after: { id: 'bob' } as StoredUser });
  pass(GATHER_MS);
  assert.deepEqual(told, [['ann', true]]);
});

test('PR12 a node that is gone is no longer among the others, although its users still count; one that comes back is', (t) => {
  const { presence, pass } = bench(t);
  presence.replaceElsewhere('two', new Set(['ann']));
  presence.replaceElsewhere('three', new Set(['ann', 'bob']));
  assert.deepEqual([presence.otherNodes, presence.nodesOf('ann'), presence.nodesOf('carl')], [['two', 'three'], ['two', 'three'], []]);
  presence.loseNode('three');
  assert.deepEqual([presence.otherNodes, presence.nodesOf('bob'), presence.hasNode('three')], [['two'], [], false]);
  assert.ok(presence.isOnline('bob'));
  presence.replaceElsewhere('three', new Set());
  assert.deepEqual([presence.hasNode('three'), presence.isOnline('bob')], [true, false]);
  presence.loseNode('three');
  pass(GRACE_MS);
  assert.deepEqual([presence.otherNodes, presence.hasNode('three')], [['two'], false]);
});

test('PR11 a node that is lost twice, and comes back, keeps its users', (t) => {
  const { presence, told, pass } = bench(t);
  presence.replaceElsewhere('two', new Set(['ann']));
  pass(GATHER_MS);
  told.length = 0;
  presence.loseNode('two');
  pass(GRACE_MS / 2);
  presence.loseNode('two');
  presence.replaceElsewhere('two', new Set(['ann']));
  pass(2 * GRACE_MS);
  assert.deepEqual([told, presence.isOnline('ann'), presence.hasNode('two')], [[], true, true]);
});
