/** MX4: a histogram in plain numbers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DURATION_BOUNDS_S, Durations } from '../../daemon/base/durations.ts';

test('MX4 each time counts in every bucket up to whose bound it is, and in the sum', () => {
  const durations = new Durations();
  assert.deepEqual([durations.count, durations.sumS, durations.upTo.at(-1)], [0, 0, 0]);
  durations.observe(1);
  durations.observe(1.0001, 3);
  durations.observe(10_000);
  durations.observe(10_001);
  const upTo = (bound: number) => durations.upTo[DURATION_BOUNDS_S.indexOf(bound)];
  assert.deepEqual([upTo(0.0005), upTo(0.001), upTo(0.0025), upTo(5), upTo(10), durations.count], [0, 1, 4, 4, 5, 6]);
  assert.ok(Math.abs(durations.sumS - (0.001 + 3 * 0.0010001 + 10 + 10.001)) < 1e-9);
});

test('MX4 a clock that was set back makes no negative sum', () => {
  const durations = new Durations();
  durations.observe(-5_000, 2);
  durations.observe(Number.NaN);
  assert.deepEqual([durations.count, durations.sumS, durations.upTo[0]], [3, 0, 3]);
});
