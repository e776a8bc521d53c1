/** WH8, WH9, WH23: how many events of a hook are in flight, how many in memory, and how they end at a stop. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { SendResult } from '../../../daemon/jobs/hooks/quick-attempts.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import { HookBench, OK, userRecord } from '../../support/hooks/hook-bench.ts';

const MIB = 1024 * 1024;

/** A receiver that answers when it is told to. With this concurrency, everything that is in memory was sent. */
async function silentReceiver(
  t: TestContext,
  concurrency = 5_000,
): Promise<{ bench: HookBench; answer: (count: number) => Promise<void> }> {
  const open: ((result: SendResult) => void)[] = [];
  const bench = await HookBench.open(t, { concurrency, script: () => new Promise((resolve) => open.push(resolve)) });
  const answer = async (count: number): Promise<void> => {
    for (const resolve of open.splice(0, count)) resolve(OK);
    await bench.settle();
  };
  return { bench, answer };
}

/** The most bytes that a character can take: so much is counted for each. */
const CHARACTER_BYTES = 6;

/** Events about different users, each taking this much memory and a little more. */
async function tell(bench: HookBench, count: number, bytes: number): Promise<void> {
  const facts = Array.from({ length: count }, (_, index): Fact => {
    const user = { ...userRecord(`u${index}`, bench.log.head.seq + index + 1), custom: { text: 'x'.repeat(bytes / CHARACTER_BYTES) } };
    return { t: 'user', event: 'updated', user };
  });
  await bench.log.append(bench.log.head.seq, { id: `e${bench.log.head.seq}`, time: bench.clock.now() * 1_000, facts });
  await bench.settle();
}

test('WH9 1,000 events are in memory and no more; each that is done makes room for one', async (t) => {
  const { bench, answer } = await silentReceiver(t);
  await tell(bench, 1_200, 10);
  assert.equal(bench.requests.length, 1_000);
  await answer(1);
  assert.equal(bench.requests.length, 1_001);
  await answer(150);
  assert.equal(bench.requests.length, 1_151);
});

test('WH9 8 MiB of events are in memory, and no event beyond those that fill them', async (t) => {
  const { bench, answer } = await silentReceiver(t);
  await tell(bench, 30, MIB);
  assert.equal(bench.requests.length, 8);
  await answer(3);
  assert.equal(bench.requests.length, 11);
  await answer(30);
  assert.equal(bench.requests.length, 19, 'all that were in memory are done');
});

test('WH8 as many requests are in flight as `webhooks.concurrency` allows', async (t) => {
  const { bench, answer } = await silentReceiver(t, 3);
  await tell(bench, 10, 10);
  assert.equal(bench.requests.length, 3);
  await answer(2);
  assert.equal(bench.requests.length, 5);
});

test('WH23 a stop waits for requests in flight as long as it may, then cuts them, and begins nothing new', async (t) => {
  const patient = await silentReceiver(t, 2);
  await tell(patient.bench, 4, 10);
  let isStopped = false;
  const stopped = patient.bench.line.stop(5_000).then(() => {
    isStopped = true;
  });
  await patient.bench.advance(4_999);
  assert.equal(isStopped, false);
  await patient.answer(2);
  await stopped;
  assert.deepEqual([patient.bench.requests.length, patient.bench.line.position], [2, 2], 'what was delivered counts');
  const cut = await silentReceiver(t, 2);
  await tell(cut.bench, 4, 10);
  const ended = cut.bench.line.stop(5_000);
  await cut.bench.advance(5_000);
  await ended;
  assert.deepEqual([cut.bench.requests.length, cut.bench.line.position], [2, 0]);
  assert.equal(cut.bench.line.lastError, undefined, 'a cut says nothing of the receiver');
});

test('WH10 while there is no room, nothing more is put aside for 30 s, however many others get through; then it is tried again', async (t) => {
  const bad = (user: string): boolean => user.startsWith('bad');
  const script = ({ user }: { readonly user: string }): SendResult => (bad(user) ? { kind: 'status', status: 400 } : OK);
  const bench = await HookBench.open(t, { limits: { parked: 1 }, script });
  let puts = 0;
  const put = bench.letters.put.bind(bench.letters);
  bench.letters.put = (...args) => {
    puts++;
    return put(...args);
  };
  await bench.tell('good', 'bad1', 'bad2');
  assert.deepEqual([puts, bench.letters.parked, bench.line.position], [2, 1, 2]);
  for (let second = 0; second < 29; second++) {
    await bench.advance(1_000);
    await bench.tell('good');
  }
  assert.equal(puts, 2);
  await bench.advance(2_000);
  await bench.tell('good');
  assert.ok(puts >= 3, 'room is looked for again');
});

test('WH16 a position is worth writing only up to what was delivered or put aside', async (t) => {
  const { bench, answer } = await silentReceiver(t);
  await tell(bench, 3, 10);
  assert.deepEqual([bench.line.position, bench.line.worth], [0, 0]);
  await answer(1);
  assert.deepEqual([bench.line.position, bench.line.worth], [1, 1]);
  await answer(2);
  assert.deepEqual([bench.line.position, bench.line.worth, bench.line.lastError], [3, 3, undefined]);
  assert.equal(bench.line.lastSuccessMs, bench.clock.now());
});

test('WH12 an event that is refused is parked as soon as another one gets through, whatever else is in flight', async (t) => {
  const bench = await HookBench.open(t, {
    script: ({ user }) => (user === 'slow' ? new Promise(() => {}) : user === 'bad' ? { kind: 'status', status: 400 } : OK),
  });
  await bench.tell('slow', 'bad');
  assert.equal(bench.letters.parked, 0, 'nobody knows whose fault it is');
  await bench.tell('good');
  assert.deepEqual(
    bench.letters.all('parked').map(({ lane }) => lane),
    ['bad'],
  );
});
