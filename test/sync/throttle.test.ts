/** AP9: so many users in a second. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { Throttle } from '../../daemon/sync/throttle.ts';
import { FakeClock } from '../support/sync/fake-server.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

test('AP9 --rate: so many users in a second and no more, whatever the batches', async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(clock, 250);
  const startMs = clock.now();
  await Promise.all(Array.from({ length: 20 }, () => throttle.take(100, never)));
  assert.equal(clock.now() - startMs, (19 * 100 * 1_000) / 250);
});

test('AP9 time that was not used is not made up for, and a stop ends the wait', async () => {
  const clock = new FakeClock();
  const throttle = new Throttle(clock, 100);
  const took = async (users: number): Promise<number> => {
    const startMs = clock.now();
    assert.equal(await throttle.take(users, never), true);
    return clock.now() - startMs;
  };
  assert.deepEqual([await took(50), await took(1), await took(1)], [0, 500, 10]);
  await clock.sleep(10_000);
  assert.deepEqual([await took(100), await took(1)], [0, 1_000]);
  const stop = new AbortController();
  const waiting = throttle.take(1_000, stop.signal);
  stop.abort();
  assert.equal(await waiting, false);
});
