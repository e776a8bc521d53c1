/** HB8: handing out gives way to everything else, and nobody's order suffers from it. The clock moves with every write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandOut, type Served } from '../../../daemon/pipeline/tell/hand-out.ts';
import { type Outlet, Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';

const OUTLET: Outlet = { queuedBytes: 0, write: () => {}, drained: async () => true, close: () => {} };
const WRITE_MS = 0.5;

/** `count` receivers, and a hand-out whose every write takes half a millisecond. */
function bench(count: number) {
  let nowMs = 0;
  let rounds = 0;
  const got = new Map<Subscriber, string[]>();
  const idle: number[] = [];
  const handOut = new HandOut({ nowMs: () => nowMs, onIdle: (tookMs) => idle.push(tookMs) });
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
    return { step, serve };
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
    handOut.start({ step, serve: () => {} }, startedMs);
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
