/** WH12, WH13: the one alarm of a hook. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Alarm } from '../../../daemon/jobs/hooks/alarm.ts';
import { FakeClock, START_MS } from '../../support/hooks/hook-bench.ts';

/** Times are counted from the start of the clock. */
function bench() {
  const clock = new FakeClock();
  const rung: number[] = [];
  const alarm = new Alarm(clock, () => rung.push(clock.now() - START_MS));
  const settle = async (): Promise<void> => {
    for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    rung,
    set: (ms: number) => alarm.set(START_MS + ms),
    stop: () => alarm.stop(),
    advance: (ms: number) => clock.advance(ms, settle),
  };
}

test('WH12 WH13 it rings once, at the earliest of the times that were set', async () => {
  const { rung, set, advance } = bench();
  set(100);
  set(50);
  set(200);
  set(50);
  await advance(49);
  assert.deepEqual(rung, []);
  await advance(1_000);
  assert.deepEqual(rung, [50]);
  set(1_500);
  await advance(1_000);
  assert.deepEqual(rung, [50, 1_500], 'and can be set again, also to a later time');
});

test('WH13 a time that is over rings now, and a stopped alarm not at all', async () => {
  const { rung, set, stop, advance } = bench();
  set(-100);
  await advance(0);
  assert.deepEqual(rung, [0]);
  set(100);
  stop();
  await advance(1_000);
  assert.deepEqual(rung, [0]);
  set(1_200);
  await advance(200);
  assert.deepEqual(rung, [0, 1_200], 'a time after those that were stopped counts');
});
