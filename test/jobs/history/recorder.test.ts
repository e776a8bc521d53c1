/** The recorder over a storage that the test watches: HY3, HY6, HY9. Over files: follower.test.ts. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { systemClock } from '../../../daemon/base/clock.ts';
import { HistoryRecorder, type HistoryRecorderOptions } from '../../../daemon/jobs/history/recorder.ts';
import type { HistoryStorage } from '../../../daemon/jobs/history/storage.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { eventually } from '../../support/eventually.ts';

class WatchedStorage implements HistoryStorage {
  readonly begun: number[] = [];
  hasRecords = false;
  readonly isFull = false;
  readonly mayBeAhead: boolean;
  position: Position;
  flushes = 0;
  error: Error | undefined;

  constructor(seq: number, mayBeAhead: boolean) {
    this.position = { epoch: 'one', seq };
    this.mayBeAhead = mayBeAhead;
  }

  async begin({ after }: { readonly after: number }): Promise<void> {
    this.begun.push(after);
  }

  append(): void {}

  advance(seq: number): void {
    this.position = { epoch: 'one', seq };
  }

  async flush(): Promise<void> {
    this.flushes++;
    if (this.error !== undefined) throw this.error;
  }

  async tidy(): Promise<void> {}
}

/** A log of four entries, of which the directory has applied two. */
async function record(t: TestContext, storage: HistoryStorage, options: Partial<HistoryRecorderOptions> = {}) {
  const log = new MemoryLog({ epoch: 'one', retentionFacts: 1e6 });
  const write = (): Promise<unknown> => {
    const { seq } = log.head;
    return log.append(seq, { id: `e${seq}`, time: seq, facts: [{ t: 'doc', kind: 'role', id: 'x', doc: null }] });
  };
  for (let n = 0; n < 4; n++) await write();
  const reached: number[] = [];
  const recorder = new HistoryRecorder({
    roster: { follow: (after, signal) => log.read(after, signal), keptAfter: 0, position: { epoch: 'one', seq: 2 } },
    ...{ open: async () => storage, keepMs: 1e6, pace: { flushMs: 1, positionMs: 0 }, clock: systemClock },
    logger: { info: () => {}, error: () => {} },
    onReached: (seq) => void reached.push(seq),
    ...options,
  });
  t.after(() => recorder.stop());
  recorder.start();
  return { recorder, reached, write };
}

test('HY9 a history that another node wrote further than this one has applied is continued where it ends', async (t) => {
  const storage = new WatchedStorage(3, false);
  const { recorder, reached } = await record(t, storage);
  await eventually(() => recorder.reached === 4);
  assert.deepEqual([storage.begun, reached], [[], [3, 4]]);
});

test('HY3 a history kept elsewhere that is ahead of the log begins anew where the log ends', async (t) => {
  const storage = new WatchedStorage(3, true);
  await record(t, storage);
  await eventually(() => storage.begun.length > 0);
  assert.deepEqual(storage.begun, [2]);
});

test('HY9 where a failure ends the work, it is told once and nothing is tried again', async (t) => {
  const storage = new WatchedStorage(0, false);
  const failures: unknown[] = [];
  const { recorder, write } = await record(t, storage, { onFailed: (error) => void failures.push(error) });
  await eventually(() => recorder.reached === 4);
  storage.error = new Error('no answer');
  await write();
  await eventually(() => failures.length > 0);
  assert.deepEqual([failures, recorder.reached], [[storage.error], undefined]);
  const { flushes } = storage;
  await write();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(storage.flushes, flushes);
});

test('HY6 a failure elsewhere is tried again, and nothing that was read is lost meanwhile', async (t) => {
  const storage = new WatchedStorage(0, true);
  let attempts = 0;
  const clock = { now: () => systemClock.now(), sleep: async () => {} };
  const open = async (): Promise<HistoryStorage> => {
    if (++attempts < 3) throw new Error('not yet');
    return storage;
  };
  const { recorder } = await record(t, storage, { open, clock });
  await eventually(() => recorder.reached === 4);
  assert.equal(attempts, 3);
});

test('HY6 a failure is reported once, however often it comes, and so is its end', async (t) => {
  const storage = new WatchedStorage(0, true);
  const said: string[] = [];
  const logger = { info: (_: object, text: string) => said.push(text), error: (_: object, text: string) => said.push(text) };
  let attempts = 0;
  const open = async (): Promise<HistoryStorage> => {
    if (++attempts < 4) throw new Error('not yet');
    return storage;
  };
  const { recorder } = await record(t, storage, { open, logger, clock: { now: () => systemClock.now(), sleep: async () => {} } });
  await eventually(() => recorder.reached === 4);
  assert.deepEqual(said, ['the history of users cannot be written; it is tried again', 'the history of users goes on']);
});

test('HY6 what is recorded is written soon, a position alone only now and then; nobody is told of what goes well', async (t) => {
  const storage = new WatchedStorage(0, true);
  const said: string[] = [];
  const logger = { info: (_: object, text: string) => said.push(text), error: (_: object, text: string) => said.push(text) };
  let nowMs = 1_000;
  const clock = { now: () => nowMs, sleep: async () => {} };
  const { recorder, write } = await record(t, storage, { logger, clock, pace: { flushMs: 1, positionMs: 100 } });
  await eventually(() => recorder.reached === 4);
  storage.hasRecords = true;
  await write();
  await eventually(() => storage.flushes > 1);
  storage.hasRecords = false;
  const before = storage.flushes;
  for (let n = 6; n < 9; n++) {
    await write();
    await eventually(() => recorder.reached === n);
  }
  nowMs += 100;
  await write();
  await eventually(() => storage.flushes > before);
  assert.deepEqual([storage.flushes, said], [before + 1, []]);
});
