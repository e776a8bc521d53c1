/** WH7: the attempts that follow at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SendResult } from '../../../daemon/jobs/hooks/quick-attempts.ts';
import { answers, HookBench, OK, status } from '../../support/hooks/hook-bench.ts';

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
