/** ND4, CK1: one clock for everything that the nodes must agree about. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { steadyClock, systemClock } from '../../../daemon/base/clock.ts';
import { wallClock } from '../../../daemon/base/wall-clock.ts';
import { clocksOf } from '../../../daemon/cli/serve/clocks.ts';

test('ND4 where a storage has a clock, it gives the times of the log, of requests, of jobs and of webhooks', () => {
  const shared = { ms: 1_700_000_000_000.25, nowMs: () => shared.ms };
  const { now, nowMs, clock } = clocksOf(shared);
  // Times of requests are whole, as those of the wall clock: ids and shown times are made from them.
  assert.deepEqual([now(), nowMs(), clock.now()], [1_700_000_000_000_250, 1_700_000_000_000, 1_700_000_000_000]);
  shared.ms += 1_000;
  assert.deepEqual([now(), nowMs(), clock.now()], [1_700_000_001_000_250, 1_700_000_001_000, 1_700_000_001_000]);
});

test('CK1 elsewhere it is the wall clock of this machine', () => {
  const own = { wallMs: Date.now, steady: steadyClock };
  assert.deepEqual(clocksOf(undefined), { ...own, now: wallClock, nowMs: Date.now, clock: systemClock });
  const { wallMs, steady } = clocksOf({ nowMs: () => 1 });
  assert.deepEqual({ wallMs, steady }, own, 'tokens are judged by this machine');
});
