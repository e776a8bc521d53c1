/** CK3: the wall clock stands behind the log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockGap } from '../../../daemon/pipeline/write/clock-gap.ts';

test('CK3 a gap of more than a second is shown, and its beginning and its end are logged once each', () => {
  const logged: string[] = [];
  const log = { time: 100_000_000 };
  let nowUs = 100_000_000;
  const gap = new ClockGap(log, () => nowUs, { info: () => logged.push('end'), error: (details) => logged.push(JSON.stringify(details)) });
  const check = (behindUs: number): number => {
    nowUs = log.time - behindUs;
    gap.check();
    gap.check();
    return gap.ms;
  };
  assert.deepEqual([check(0), check(-5_000_000), check(1_000_000)], [0, 0, 0]);
  assert.deepEqual(logged, []);
  assert.deepEqual([check(1_001_000), check(9_000_000)], [1_001, 9_000]);
  assert.deepEqual(logged.splice(0), ['{"clock_behind_log_ms":1001}']);
  assert.equal(check(1_000_000), 0);
  assert.deepEqual(logged.splice(0), ['end']);
  assert.equal(check(2_000_000), 2_000);
  assert.deepEqual(logged, ['{"clock_behind_log_ms":2000}']);
});
