/** WH7: the attempts that follow at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeliveryResult, quickAttempts, type SendResult } from '../../../daemon/jobs/hooks/quick-attempts.ts';
import { answers, FakeClock, HookBench, OK, START_MS, status } from '../../support/hooks/hook-bench.ts';

const NETWORK: SendResult = { kind: 'network', reason: 'the connection failed (ECONNREFUSED)' };

const TIMEOUT: SendResult = { kind: 'timeout' };

const QUICK: readonly [string, SendResult, number][] = [
  ['200', OK, 1],
  ['204', status(204), 1],
  ['299', status(299), 1],
  ['301', status(301), 1],
  ['307', status(307), 1],
  ['400', status(400), 1],
  ['401', status(401), 1],
  ['404', status(404), 1],
  ['410', status(410), 1],
  ['408', status(408), 3],
  ['429', status(429), 3],
  ['500', status(500), 3],
  ['503', status(503), 3],
  ['599', status(599), 3],
  ['a network error', NETWORK, 2],
  ['a timeout', TIMEOUT, 3],
  ['a refused address', { kind: 'refused', reason: 'no' }, 1],
  ['429 with a Retry-After within the time', status(429, 2_000), 3],
  ['503 with a Retry-After beyond the time', status(503, 20_000), 1],
];

for (const [name, answer, attempts] of QUICK) {
  test(`WH7 ${name}: ${attempts} attempt(s) at once`, async (t) => {
    // Somebody else gets through, so that what fails is parked and not probed.
    const bench = await HookBench.open(t, { script: answers({ ann: [answer] }) });
    await bench.tell('bob', 'ann');
    await bench.advance(14_000);
    const ann = bench.requests.filter(({ user }) => user === 'ann');
    assert.deepEqual(
      ann.map(({ attempt }) => attempt),
      Array.from({ length: attempts }, (_, index) => index + 1),
    );
    assert.equal(new Set(ann.map(({ id }) => id)).size, 1, 'X-Webhook-Id is the same');
    const isSuccess = answer.kind === 'status' && answer.status < 300;
    assert.equal(bench.letters.parked, isSuccess ? 0 : 1);
    assert.equal(bench.line.position, 2, 'a parked event holds nobody up');
  });
}

test('WH7 all quick attempts together take at most 15 s, the first as long as the hook allows', async (t) => {
  const bench = await HookBench.open(t, { hook: { timeoutMs: 12_000 } });
  bench.script = async ({ user, timeoutMs }) => {
    if (user !== 'ann') return OK;
    await bench.clock.sleep(timeoutMs);
    return TIMEOUT;
  };
  await bench.tell('bob', 'ann');
  await bench.advance(20_000);
  const ann = bench.requests.filter(({ user }) => user === 'ann');
  assert.deepEqual([ann.length, ann[0]?.timeoutMs], [2, 12_000]);
  assert.ok((ann[1]?.atMs ?? 0) + (ann[1]?.timeoutMs ?? 0) <= 15_000, JSON.stringify(ann));
  assert.equal(bench.letters.parked, 1);
});

/** Attempts with these answers, the last of which stays, and the time of each. */
async function attempts(
  list: readonly SendResult[],
  random = 0,
  attemptsMax = 9,
  stopAt = 0,
): Promise<{ result: DeliveryResult; times: number[] }> {
  const clock = new FakeClock();
  const times: number[] = [];
  const stop = new AbortController();
  const trying = quickAttempts({
    send: async (count) => {
      times.push(clock.now() - START_MS);
      if (times.length === stopAt) stop.abort();
      assert.equal(count, 3 + times.length);
      return list[Math.min(times.length, list.length) - 1] ?? OK;
    },
    ...{ before: 3, timeoutMs: 6_000, attemptsMax, clock, random: () => random, stopping: stop.signal },
  });
  await clock.advance(60_000, () => new Promise((resolve) => setImmediate(resolve)));
  return { result: await trying, times };
}

test('WH7 the pauses between attempts are up to half a second and a second, or as long as the receiver asks', async () => {
  assert.deepEqual((await attempts([status(500)], 1)).times, [0, 500, 1_500]);
  assert.deepEqual((await attempts([TIMEOUT], 0.5)).times, [0, 250, 750]);
  assert.deepEqual((await attempts([status(503, 2_000)], 1)).times, [0, 2_000, 4_000]);
  assert.deepEqual((await attempts([NETWORK, status(500)], 1)).times, [0, 500, 1_500], 'each answer says how often');
});

test('WH7 no attempt begins when the 15 s are over', async () => {
  assert.deepEqual((await attempts([status(503, 14_999)])).times, [0, 14_999]);
  assert.deepEqual((await attempts([status(503, 15_000)])).times, [0]);
  assert.deepEqual((await attempts([status(503, 7_500)])).times, [0, 7_500]);
});

test('WH7 the result counts all requests of the event and has the last reason and the wait that was asked for', async () => {
  const failed = { kind: 'failed', attempts: 4, retryAfterMs: 0 };
  for (const [answer, reason, count] of [
    [status(299), undefined, 1],
    [status(300), 'answered 300; redirects are not followed', 1],
    [status(399), 'answered 399; redirects are not followed', 1],
    [status(400), 'answered 400', 1],
    [status(199), 'answered 199', 1],
    [status(500), 'answered 500', 3],
    [TIMEOUT, 'no answer in time', 3],
    [NETWORK, 'the connection failed (ECONNREFUSED)', 2],
    [{ kind: 'refused', reason: 'private' }, 'private', 1],
  ] as const) {
    const { result, times } = await attempts([answer]);
    assert.equal(times.length, count);
    assert.deepEqual(result, reason === undefined ? { kind: 'delivered', attempts: 4 } : { ...failed, attempts: 3 + count, reason });
  }
  assert.deepEqual((await attempts([status(503, 60_000)])).result, { ...failed, reason: 'answered 503', retryAfterMs: 60_000 });
  assert.deepEqual((await attempts([status(500), OK])).result, { kind: 'delivered', attempts: 5 });
  assert.equal((await attempts([status(500)], 0, 1)).times.length, 1);
});

test('WH23 a request that is cut off says nothing of the receiver, and after a stop there is no further attempt', async () => {
  assert.deepEqual((await attempts([{ kind: 'stopped' }])).result, { kind: 'stopped' });
  const stopped = await attempts([status(500)], 1, 9, 2);
  assert.deepEqual([stopped.result, stopped.times], [{ kind: 'stopped' }, [0, 500]]);
  // The stop came while the event was read from its file.
  const late = quickAttempts({
    send: () => assert.fail('a request began'),
    ...{ before: 3, timeoutMs: 6_000, attemptsMax: 9, clock: new FakeClock(), random: () => 0, stopping: AbortSignal.abort() },
  });
  assert.deepEqual(await late, { kind: 'stopped' });
});
