/** HB8: handing out gives way to everything else, and nobody's order suffers from it. The clock moves with every write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandOut, type Served } from '../../../daemon/pipeline/tell/hand-out.ts';
import { HubCounts } from '../../../daemon/pipeline/tell/hub-counts.ts';
import { Interest } from '../../../daemon/pipeline/tell/interest.ts';
import { type Outlet, Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';

const OUTLET: Outlet = { queuedBytes: 0, write: () => {}, drained: async () => true, close: () => {} };
const WRITE_MS = 0.5;

/** `count` receivers, and a hand-out whose every write takes half a millisecond. */
function bench(count: number) {
  let nowMs = 0;
  let rounds = 0;
  const got = new Map<Subscriber, string[]>();
  const idle: number[] = [];
  const handOut = new HandOut({ nowMs: () => nowMs, onIdle: (tookMs) => idle.push(tookMs), onServed: () => {} });
  const receivers = Array.from({ length: count }, () => new Subscriber(OUTLET, 'live'));
  for (const receiver of receivers) got.set(receiver, []);
  const roundOf = (text: string): Served => {
    const number = rounds++;
    const waiting = receivers.values();
    const serve = (receiver: Subscriber): void => {
      if (receiver.nextRound > number) return;
      receiver.nextRound = number + 1;
      nowMs += WRITE_MS;
      got.get(receiver)?.push(text);
    };
    const step = (): number | undefined => {
      const { done, value } = waiting.next();
      if (done === true) return undefined;
      serve(value);
      return 1;
    };
    return { step, serve, sinceMs: undefined };
  };
  const start = (text: string): void => handOut.start(roundOf(text), nowMs);
  const isIdle = async (): Promise<void> => {
    while (handOut.isBusy) await new Promise((resolve) => setImmediate(resolve));
  };
  const served = (): number => receivers.filter((receiver) => got.get(receiver)?.length !== 0).length;
  const pass = (ms: number): void => {
    nowMs += ms;
  };
  return {
    ...{ handOut, receivers, start, isIdle, served, idle, pass, now: () => nowMs },
    textsOf: (receiver: Subscriber | undefined) => receiver && got.get(receiver),
  };
}

test('HB8 many receivers are served in slices between which others have their turn', async () => {
  const { start, isIdle, served, idle, receivers, textsOf } = bench(500);
  start('a');
  const atOnce = served();
  assert.ok(atOnce > 0 && atOnce < 30, `${atOnce} were served in the first slice`);
  let turns = 0;
  const turn = setInterval(() => turns++, 0);
  while (served() < 500) {
    const before = served();
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(served() - before < 30, 'a slice is short');
  }
  await isIdle();
  clearInterval(turn);
  assert.ok(turns > 0, 'timers ran between the slices');
  assert.deepEqual(idle, [500 * WRITE_MS], 'the time without the pauses is told, once');
  for (const receiver of receivers) assert.deepEqual(textsOf(receiver), ['a']);
});

test('HB8 few receivers are served at once', () => {
  const { start, served, handOut, idle } = bench(10);
  start('a');
  assert.equal(served(), 10);
  assert.equal(handOut.isBusy, false);
  assert.equal(idle.length, 1);
});

test('HB8 what follows a round that is on its way comes after it for everyone, however many rounds follow', async () => {
  const { start, isIdle, receivers, textsOf, idle } = bench(200);
  const texts = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  for (const text of texts) start(text);
  await isIdle();
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(idle.length, 1, 'the end is told once');
  for (const receiver of receivers) assert.deepEqual(textsOf(receiver), texts);
});

test('HB8 at most thirty-two rounds wait without notice', async () => {
  const { start, isIdle, handOut } = bench(100);
  for (let from = 0; from < 32; from++) start('a');
  assert.equal(handOut.isPressed, false);
  start('b');
  assert.equal(handOut.isPressed, true);
  await isIdle();
  assert.equal(handOut.isPressed, false);
});

test('HB8 who is settled has everything at once, in order and not again', async () => {
  const { start, isIdle, handOut, receivers, textsOf } = bench(200);
  start('a');
  start('b');
  const last = receivers.at(-1);
  assert.ok(last !== undefined);
  assert.deepEqual(textsOf(last), []);
  handOut.settle(last);
  assert.deepEqual(textsOf(last), ['a', 'b']);
  await isIdle();
  for (const receiver of receivers) assert.deepEqual(textsOf(receiver), ['a', 'b']);
});

test('HB4 each hand-out says how long it took itself, not the ones before it', async () => {
  const { start, isIdle, idle } = bench(300);
  start('a');
  await isIdle();
  start('b');
  await isIdle();
  assert.deepEqual(idle, [300 * WRITE_MS, 300 * WRITE_MS]);
});

test('HB8 a slice ends at a look at the clock after five milliseconds, and its time is counted once', async () => {
  // Work before the round counts too. A look comes with each sixteenth event that is written.
  for (const [work, beforeMs, slices] of [
    [1, 0, [15, 15, 15, 5]],
    [1, 5, [15, 15, 15, 5]],
    [4, 0, [12, 12, 12, 12, 2]],
    [4, 4, [4, 12, 12, 12, 10]],
    [100, 0, [10, 10, 10, 10, 10, 0]],
    [100, 5, [1, 10, 10, 10, 10, 9]],
  ] as const) {
    const { handOut, receivers, idle, pass, now } = bench(50);
    const soFar = (): number => receivers.filter(({ nextRound }) => nextRound === 1).length;
    const waiting = receivers.values();
    const startedMs = now();
    pass(beforeMs);
    const step = (): number | undefined => {
      const { done, value } = waiting.next();
      if (done === true) return undefined;
      pass(WRITE_MS);
      value.nextRound = 1;
      return work;
    };
    handOut.start({ step, serve: () => {}, sinceMs: undefined }, startedMs);
    const counts = [soFar()];
    while (handOut.isBusy) {
      const before = soFar();
      pass(1_000);
      await new Promise((resolve) => setImmediate(resolve));
      counts.push(soFar() - before);
    }
    assert.deepEqual(counts, slices, `${work} after ${beforeMs}`);
    assert.deepEqual(idle, [50 * WRITE_MS + beforeMs], 'without the pauses');
  }
});

const outlet = (queuedBytes: number): Outlet => ({ queuedBytes, write: () => {}, drained: async () => true, close: () => {} });
const ids = new Set(['ann']);

test('MX4 events are counted by a closed list of types', () => {
  const counts = new HubCounts();
  const types = counts.events.size;
  counts.published([{ type: 'user.updated' }, { type: 'user.updated' }, { type: 'poke' }, { type: '__proto__' }]);
  counts.presenceChanged(3);
  const found = (type: string) => counts.events.get(type);
  assert.deepEqual([found('user.updated'), found('custom'), found('user.presence.changed'), found('user.deleted')], [2, 2, 3, 0]);
  assert.equal(counts.events.size, types, 'no name of an application becomes a label');
});

test('MX4 interests are counted by kind while their subscriber is there, and the one in oneself is not', () => {
  const counts = new HubCounts();
  const subscriber = new Subscriber(outlet(5), 'live', 'ann');
  subscriber.interests.set(Symbol('self'), new Interest({ name: '', want: { kind: 'ids', ids }, since: 0, reach: 'self' }));
  subscriber.interests.set(
    Symbol('watch'),
    new Interest({ name: '', want: { kind: 'ids', ids }, since: 0, reach: 'self', wantsPresence: true }),
  );
  subscriber.interests.set('a', new Interest({ name: 'a', want: { kind: 'all' }, since: 0, reach: 'server' }));
  counts.joined(subscriber);
  assert.deepEqual(counts.interests, { all: 1, ids: 0, teams: 0, filter: 0, watch: 1 });
  counts.entered(subscriber, -1);
  subscriber.interests.set('b', new Interest({ name: 'b', want: { kind: 'ids', ids }, since: 0, reach: 'server' }));
  subscriber.interests.delete('a');
  counts.entered(subscriber, 1);
  assert.deepEqual(counts.interests, { all: 0, ids: 1, teams: 0, filter: 0, watch: 1 });
  counts.left(subscriber);
  assert.deepEqual(counts.interests, { all: 0, ids: 0, teams: 0, filter: 0, watch: 0 });
});

test('MX4 the bytes that wait are those of all who are there, read in steps', () => {
  const counts = new HubCounts();
  const subscribers = Array.from({ length: 1_000 }, () => new Subscriber(outlet(3), 'live'));
  for (const subscriber of subscribers) counts.joined(subscriber);
  const read = (): [number, number] => {
    const walk = counts.outboxBytes();
    for (let steps = 0; ; steps++) {
      const { done, value } = walk.next();
      if (done === true) return [value, steps];
    }
  };
  assert.deepEqual(read(), [3_000, 3]);
  for (const subscriber of subscribers) counts.left(subscriber);
  assert.deepEqual(read(), [0, 0]);
});

test('MX4 a round that was handed out counts once for each delivery in it, and one without deliveries not at all', () => {
  const counts = new HubCounts();
  counts.handedOut(100, 5, () => 120);
  counts.handedOut(100, 5, () => assert.fail('nothing was delivered'));
  counts.handedOut(undefined, 9, () => assert.fail('not about entries'));
  counts.handedOut(200, 10, () => 200.2);
  const { count, sumS } = counts.delays;
  assert.ok(count === 6 && Math.abs(sumS - (5 * 0.02 + 0.0002)) < 1e-9, `${count} ${sumS}`);
});
