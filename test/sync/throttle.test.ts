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
