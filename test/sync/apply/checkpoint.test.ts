/** AP7: when a checkpoint is written. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { Checkpointer } from '../../../daemon/sync/apply/checkpoint.ts';
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
