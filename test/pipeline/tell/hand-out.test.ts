/** HB8: handing out gives way to everything else, and nobody's order suffers from it. The clock moves with every write. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HandOut } from '../../../daemon/pipeline/tell/hand-out.ts';
import { type Outlet, type Share, Subscriber } from '../../../daemon/pipeline/tell/subscriber.ts';

const OUTLET: Outlet = { queuedBytes: 0, write: () => {}, drained: async () => true, close: () => {} };
const WRITE_MS = 1;

/** `count` receivers, and a hand-out whose every write takes a millisecond. */
function bench(count: number) {
  let nowMs = 0;
  const got = new Map<Subscriber, string[]>();
  const idle: number[] = [];
  const handOut = new HandOut({
    nowMs: () => nowMs,
    hand: (receiver, { bytes, from }) => {
      nowMs += WRITE_MS;
      got.get(receiver)?.push(`${from} ${bytes}`);
    },
    onIdle: (tookMs) => idle.push(tookMs),
  });
  const receivers = Array.from({ length: count }, () => new Subscriber(OUTLET, 'live'));
  for (const receiver of receivers) got.set(receiver, []);
  const round = (from: number, text: string): void => handOut.start(shares(from, receivers, text));
  const isIdle = async (): Promise<void> => {
    while (handOut.isBusy) await new Promise((resolve) => setImmediate(resolve));
  };
  const served = (): number => receivers.filter((receiver) => got.get(receiver)?.length !== 0).length;
  return {
    handOut,
    receivers,
    got,
    round,
    isIdle,
    served,
    idle,
    textsOf: (receiver: Subscriber | undefined) => receiver && got.get(receiver),
  };
}

/** As for a group and one that is told something of its own: both forms in which shares come. */
function* shares(from: number, receivers: readonly Subscriber[], text: string): Generator<Share, void> {
  const [first, ...others] = receivers;
  yield { receivers: new Set(others), bytes: Buffer.from(text), count: 1, from };
  if (first !== undefined) yield { receivers: [first], bytes: Buffer.from(text), count: 1, from };
}

test('HB8 many receivers are served in slices between which others have their turn', async () => {
  const { round, isIdle, served, idle, receivers, textsOf } = bench(500);
  round(0, 'a');
  const atOnce = served();
  assert.ok(atOnce > 0 && atOnce < 50, `${atOnce} were served in the first slice`);
  let turns = 0;
  const turn = setInterval(() => turns++, 0);
  while (served() < 500) {
    const before = served();
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(served() - before < 50, 'a slice is short');
  }
  await isIdle();
  clearInterval(turn);
  assert.ok(turns > 0, 'timers ran between the slices');
  assert.deepEqual(idle, [500 * WRITE_MS], 'the time without the pauses is told, once');
  for (const receiver of receivers) assert.deepEqual(textsOf(receiver), ['0 a']);
});

test('HB8 few receivers are served at once', () => {
  const { round, served, handOut, idle } = bench(10);
  round(0, 'a');
  assert.equal(served(), 10);
  assert.equal(handOut.isBusy, false);
  assert.equal(idle.length, 1);
});

test('HB8 what follows a round that is on its way comes after it for everyone, however many rounds follow', async () => {
  const { round, isIdle, receivers, textsOf, idle } = bench(200);
  const texts = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  for (const [from, text] of texts.entries()) round(from, text);
  await isIdle();
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(idle.length, 1, 'the end is told once');
  for (const receiver of receivers)
    assert.deepEqual(
      textsOf(receiver),
      texts.map((text, from) => `${from} ${text}`),
    );
});

test('HB8 rounds that wait are bounded: beyond it the oldest is finished at once', () => {
  const { round, served, receivers, textsOf } = bench(2_000);
  for (let from = 0; from < 32; from++) round(from, 'a');
  assert.ok(served() < 2_000);
  round(32, 'b');
  for (const receiver of receivers) assert.equal(textsOf(receiver)?.[0], '0 a');
  assert.equal(textsOf(receivers.at(-1))?.length, 1);
});

test('HB8 who is settled has everything at once, in order and not again', async () => {
  const { round, isIdle, handOut, receivers, textsOf } = bench(200);
  round(0, 'a');
  round(1, 'b');
  const last = receivers.at(-1);
  assert.ok(last !== undefined);
  assert.deepEqual(textsOf(last), []);
  handOut.settle(last);
  assert.deepEqual(textsOf(last), ['0 a', '1 b']);
  await isIdle();
  for (const receiver of receivers) assert.deepEqual(textsOf(receiver), ['0 a', '1 b']);
});

test('HB8 who awaits nothing is not kept waiting by a round for others', async () => {
  const { round, isIdle, handOut, receivers, got } = bench(200);
  round(0, 'a');
  const other = new Subscriber(OUTLET, 'live');
  got.set(other, []);
  handOut.start(shares(1, [...receivers.slice(-1), other], 'b'));
  assert.deepEqual(got.get(other), ['1 b']);
  assert.deepEqual(got.get(receivers.at(-1) ?? other), []);
  await isIdle();
  assert.deepEqual(got.get(receivers.at(-1) ?? other), ['0 a', '1 b']);
});

test('HB8 who was sent to read the past gets nothing that was on its way, but what comes after it is live again', async () => {
  const { round, isIdle, handOut, receivers, textsOf } = bench(200);
  round(0, 'a');
  const [back, other] = receivers.slice(-2);
  assert.ok(back !== undefined && other !== undefined);
  handOut.drop(back);
  round(1, 'b');
  await isIdle();
  assert.deepEqual(textsOf(back), ['1 b']);
  assert.deepEqual(textsOf(other), ['0 a', '1 b']);
});

test('HB4 each hand-out says how long it took itself, not the ones before it', async () => {
  const { round, isIdle, idle } = bench(300);
  round(0, 'a');
  await isIdle();
  round(1, 'b');
  await isIdle();
  assert.deepEqual(idle, [300 * WRITE_MS, 300 * WRITE_MS]);
});

test('HB8 a slice ends at a look at the clock after eight milliseconds, each sixteenth write, and its time is counted once', async () => {
  // The first write of a slice may take longer than the others.
  for (const [firstMs, writeMs, slices] of [
    [1, 0.5, [15, 15, 15, 5]],
    [0.9375, 0.5, [31, 19]],
    [0.25, 0.25, [47, 3]],
    [0.125, 0.125, [50]],
  ] as const) {
    let nowMs = 1_000_000;
    const served: number[] = [];
    let tookMs = 0;
    let spentMs = 0;
    const handOut = new HandOut({
      nowMs: () => nowMs,
      hand: () => {
        const ms = served.at(-1) === 0 ? firstMs : writeMs;
        nowMs += ms;
        spentMs += ms;
        served[served.length - 1] = (served.at(-1) ?? 0) + 1;
      },
      onIdle: (ms) => {
        tookMs = ms;
      },
    });
    served.push(0);
    const receivers = Array.from({ length: 50 }, () => new Subscriber(OUTLET, 'live'));
    handOut.start([{ receivers, bytes: Buffer.from('a'), count: 1, from: 0 }]);
    while (handOut.isBusy) {
      served.push(0);
      nowMs += 1_000;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.deepEqual(served, slices, `${writeMs} ms`);
    assert.equal(tookMs, spentMs, 'without the pauses');
  }
});

test('HB8 at most thirty-two rounds wait, and one that is finished early is not handed out again', async () => {
  const { round, isIdle, receivers, textsOf } = bench(100);
  for (let from = 0; from < 31; from++) round(from, 'a');
  const last = receivers.at(-1);
  assert.deepEqual(textsOf(last), []);
  round(31, 'a');
  assert.deepEqual(textsOf(last), [], 'this many may wait');
  round(32, 'a');
  assert.deepEqual(textsOf(last), ['0 a']);
  await isIdle();
  const expected = Array.from({ length: 33 }, (_, from) => `${from} a`);
  for (const receiver of receivers) assert.deepEqual(textsOf(receiver), expected);
});
