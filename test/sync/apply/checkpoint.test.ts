/** AP7: when a checkpoint is written. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { Checkpointer, isCheckpoint } from '../../../daemon/sync/apply/checkpoint.ts';
import { NO_RESULTS } from '../../../daemon/sync/counts.ts';
import { FakeClock } from '../../support/sync/fake-server.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

test('AP7 a checkpoint is written at most once a second, after the report, and at the end', async () => {
  const clock = new FakeClock();
  const written: string[] = [];
  const store = {
    write: async ({ at, finished }: { at: number; finished: boolean }, bytes: number) => {
      written.push(`${at} ${finished} ${bytes}`);
    },
  };
  let bytes = 0;
  const checkpointer = new Checkpointer(store, async () => ++bytes, clock);
  for (let at = 1; at <= 40; at++) {
    await clock.sleep(100);
    await checkpointer.note(at, NO_RESULTS);
  }
  await checkpointer.write(40, NO_RESULTS, true);
  assert.deepEqual(written, ['10 false 1', '20 false 2', '30 false 3', '40 false 4', '40 true 5']);
});

test('AP7 only a checkpoint of this version, with a sane value in every field, is taken for one', () => {
  const good = {
    ...{ rosterd_checkpoint: 1, plan: 'sum', plan_path: '/p', is_plan_temporary: true, at: 1, counts: NO_RESULTS },
    ...{ report: { path: '/r', bytes: 0 }, updated_at: '2026-01-01T00:00:00Z', finished: false },
  };
  assert.equal(isCheckpoint(good), true);
  const { restored: _, ...fewer } = NO_RESULTS;
  assert.equal(isCheckpoint({ ...good, counts: fewer }), true, 'one of an earlier version of the program');
  for (const other of [undefined, null, 'text', [good]]) assert.equal(isCheckpoint(other), false);
  const notCounts: readonly unknown[] = [undefined, null, -1, 1.5, '1', 2 ** 53];
  const wrong: Readonly<Record<string, readonly unknown[]>> = {
    rosterd_checkpoint: [undefined, 0, 2, '1'],
    plan: [undefined, 7],
    plan_path: [undefined, 7],
    updated_at: [undefined, 7],
    is_plan_temporary: [undefined, 1],
    finished: [undefined, 'yes'],
    at: notCounts,
    counts: [undefined, null, [], ...Object.keys(NO_RESULTS).map((name) => ({ ...NO_RESULTS, [name]: -1 }))],
    report: [undefined, null, 'text', { bytes: 0 }, { path: 7, bytes: 0 }, ...notCounts.map((bytes) => ({ path: '/r', bytes }))],
  };
  for (const [field, values] of Object.entries(wrong)) {
    for (const value of values) assert.equal(isCheckpoint({ ...good, [field]: value }), false, `${field}: ${JSON.stringify(value)}`);
  }
});

test('AP7 the next checkpoint is due a second after the last one, whatever asked for that', async () => {
  const clock = new FakeClock();
  const written: number[] = [];
  const checkpointer = new Checkpointer({ write: async ({ at }) => void written.push(at) }, async () => 0, clock);
  await clock.sleep(999);
  await checkpointer.note(1, NO_RESULTS);
  await checkpointer.write(2, NO_RESULTS, false);
  await clock.sleep(999);
  await checkpointer.note(3, NO_RESULTS);
  await clock.sleep(1);
  await checkpointer.note(4, NO_RESULTS);
  assert.deepEqual(written, [2, 4]);
});
