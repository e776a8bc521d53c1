/** SQ3, HT44: when an entry counts as applied, and how a wait ends for one that never comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Directory } from '../../../daemon/core/directory/directory.ts';
import { Applier } from '../../../daemon/pipeline/write/applier.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { appendOne, draft } from '../../support/store/entries.ts';

function bench(log = new MemoryLog({ epoch: 'e' }), seq = 0) {
  const directory = new Directory({ epoch: 'e', seq });
  const steps: string[] = [];
  const applier = new Applier(log, directory, (entry) => void steps.push(`${entry.id} at ${directory.seq}`));
  const reached = (seq: number): Promise<void> =>
    applier.reached(seq).then(
      () => void steps.push(`reached ${seq}`),
      (error: unknown) => void steps.push(`${seq}: ${error}`),
    );
  return { log, directory, applier, steps, reached };
}

const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
};

test('SQ3 each wait ends once everything up to its place is applied, and not before', async () => {
  const { log, applier, steps, reached, directory } = bench();
  for (const seq of [1, 2, 3, 4, 5]) void reached(seq);
  const ended = applier.start();
  assert.equal(applier.start(), ended, 'it reads once');
  await appendOne(log, draft('a', { facts: 2 }));
  await turns();
  assert.deepEqual(steps.splice(0), ['a at 2', 'reached 1', 'reached 2']);
  await reached(2);
  assert.deepEqual(steps.splice(0), ['reached 2'], 'it is there already');
  await appendOne(log, draft('b'));
  await appendOne(log, draft('c', { facts: 3 }));
  await turns();
  assert.deepEqual(steps, ['b at 3', 'reached 3', 'c at 6', 'reached 4', 'reached 5']);
  assert.equal(directory.seq, 6);
  await applier.stop();
  await ended;
});

test('SQ3 reading begins after what the directory holds', async () => {
  const log = new MemoryLog({ epoch: 'e' });
  for (const id of ['a', 'b', 'c']) await appendOne(log, draft(id));
  const { applier, steps } = bench(log, 2);
  void applier.start();
  await applier.reached(3);
  assert.deepEqual(steps, ['c at 3']);
  await applier.stop();
});

test('SQ9 a wait with a deadline ends there, late or never, and takes nothing from the other waits', async () => {
  const { log, applier, steps, reached } = bench();
  const ended = applier.start();
  const waits = [applier.reached(1, 20), applier.reached(2, 60_000), applier.reached(2)];
  void reached(1);
  assert.equal(await waits[0], false);
  await turns();
  assert.deepEqual(steps, []);
  await appendOne(log, draft('a'));
  await turns();
  assert.deepEqual(steps.splice(0), ['a at 1', 'reached 1']);
  await appendOne(log, draft('b'));
  assert.deepEqual(await Promise.all(waits), [false, true, true]);
  assert.equal(await applier.reached(2, 0), true, 'it is there already');
  const stopped = assert.rejects(applier.reached(3, 60_000), /the applier has stopped/);
  await applier.stop();
  await Promise.all([ended, stopped]);
});

test('HT44 after a stop, a wait for an applied entry ends well, and every other one with an error', async () => {
  const { log, applier, steps, reached } = bench();
  const ended = applier.start();
  await appendOne(log, draft('a'));
  await applier.reached(1);
  void reached(2);
  await applier.stop();
  await ended;
  await reached(1);
  await reached(2);
  assert.deepEqual(steps, ['a at 1', '2: Error: the applier has stopped', 'reached 1', '2: Error: the applier has stopped']);
});

test('HT44 when reading fails, its error reaches whoever started it and whoever waits, also later', async () => {
  for (const thrown of [new Error('the disk is gone'), 'the disk is gone']) {
    class BrokenLog extends MemoryLog {
      override async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
        for await (const entry of super.read(after, signal)) {
          if (entry.id === 'bad') throw thrown;
          yield entry;
        }
      }
    }
    const log = new BrokenLog({ epoch: 'e' });
    const { applier, steps, reached } = bench(log);
    void reached(1);
    const ended = applier.start();
    await appendOne(log, draft('bad'));
    await assert.rejects(ended, /the disk is gone/);
    await reached(1);
    assert.deepEqual(steps, ['1: Error: the disk is gone', '1: Error: the disk is gone']);
    await applier.stop();
  }
});
