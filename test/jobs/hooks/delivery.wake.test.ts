/** WH14, WH22 and CK2: what makes parked events be tried before their time, and what a clock that is set back does to them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answers, HookBench, OK, status } from '../../support/hooks/hook-bench.ts';

const DAY_MS = 24 * 3_600_000;

/** Bob gets through, ann does not: two events of hers are parked. */
async function withParked(bench: HookBench): Promise<void> {
  await bench.tell('bob', 'ann', 'ann');
  await bench.settle();
  assert.equal(bench.letters.parked, 2);
}

const ofAnn = (bench: HookBench): string[] => bench.sent.filter((text) => text.startsWith('ann'));

for (const change of [{ url: 'https://elsewhere.example/' }, { timeoutMs: 100 }, { isCompressed: true }]) {
  test(`WH22 parked events are tried at once when the hook changes: ${Object.keys(change)}`, async (t) => {
    const bench = await HookBench.open(t, { script: answers({ ann: [status(404)] }) });
    await withParked(bench);
    bench.line.update({ ...bench.hook });
    await bench.settle();
    assert.equal(ofAnn(bench).length, 1, 'nothing changed');
    bench.script = answers({});
    bench.line.update({ ...bench.hook, ...change });
    await bench.settle();
    assert.deepEqual(ofAnn(bench), ['ann:2#1', 'ann:2#2', 'ann:3#1']);
    assert.equal(bench.letters.parked, 0);
  });
}

test('WH22 a hook that is down probes at once after a change, and everything follows', async (t) => {
  const bench = await HookBench.open(t, { script: () => ({ kind: 'timeout' }) });
  await bench.tell('ann', 'bob', 'carl', 'dora', 'eve', 'ann');
  await bench.advance(3_600_000);
  assert.equal(bench.line.isDown, true);
  bench.script = answers({});
  bench.line.update({ ...bench.hook, url: 'https://elsewhere.example/' });
  await bench.advance(0);
  assert.deepEqual([bench.line.isDown, bench.line.position], [false, 6]);
});

test('WH22 parked events of a hook that is enabled again are tried at once', async (t) => {
  const bench = await HookBench.open(t, { script: answers({ ann: [status(404)] }) });
  await withParked(bench);
  bench.script = answers({});
  await bench.restart(bench.line.position, true);
  await bench.advance(0);
  assert.deepEqual(ofAnn(bench).slice(1), ['ann:2#2', 'ann:3#1']);
});

test('WH14 a replay tries parked events at once, in their order', async (t) => {
  const bench = await HookBench.open(t, { script: answers({ ann: [status(404)] }) });
  await withParked(bench);
  bench.script = answers({});
  const [, second] = bench.letters.all('parked');
  assert.ok(second);
  bench.line.replay([second]);
  await bench.settle();
  assert.deepEqual(ofAnn(bench).slice(1), ['ann:2#2', 'ann:3#1'], 'the one before it goes first');
});

test('CK2 after the clock was set back, parked events wait no longer than the longest pause', async (t) => {
  const bench = await HookBench.open(t, { script: answers({ ann: [status(404)] }) });
  await withParked(bench);
  bench.clock.set(-365 * DAY_MS);
  bench.script = answers({});
  await bench.advance(2 * 3_600_000);
  assert.deepEqual(ofAnn(bench).slice(1), ['ann:2#2', 'ann:3#1']);
});

test('CK2 after the clock was set back, a hook that is down is probed no later than before', async (t) => {
  const bench = await HookBench.open(t, { script: () => ({ kind: 'timeout' }) });
  await bench.tell('ann', 'bob', 'carl', 'dora', 'eve');
  await bench.advance(3_600_000);
  assert.equal(bench.line.isDown, true);
  bench.clock.set(-365 * DAY_MS);
  bench.script = answers({});
  await bench.advance(15 * 60_000);
  assert.deepEqual([bench.line.isDown, bench.line.position], [false, 5]);
});

test('CK1 an event from a log that is ahead of the clock is given up when it is old by the clock', async (t) => {
  const bench = await HookBench.open(t, { retryMs: 3_600_000, script: answers({ ann: [status(404)] }) });
  bench.aheadMs = 365 * DAY_MS;
  await withParked(bench);
  for (let minute = 0; minute < 62; minute++) {
    await bench.tell('bob');
    await bench.advance(60_000);
  }
  assert.ok(bench.letters.all('dead').some(({ seq }) => seq === 2));
});

test('WH8 WH14 a replay sends nothing a second time that is in flight', async (t) => {
  const bench = await HookBench.open(t, { script: answers({ ann: [status(404)] }) });
  await withParked(bench);
  const open: (() => void)[] = [];
  bench.script = ({ user }) => (user === 'ann' ? new Promise((resolve) => open.push(() => resolve(OK))) : OK);
  await bench.advance(30_000);
  assert.deepEqual(ofAnn(bench).slice(1), ['ann:2#2']);
  bench.line.replay(bench.letters.all('parked'));
  await bench.settle();
  assert.equal(open.length, 1);
  for (let answered = 0; answered < 2; answered++) {
    open[answered]?.();
    await bench.settle();
  }
  assert.deepEqual([ofAnn(bench).slice(1), bench.letters.parked], [['ann:2#2', 'ann:3#1'], 0]);
});
