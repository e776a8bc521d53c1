/** LG4–LG8, LG12: the reference log, by which every other log is judged, is itself exact. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LogClosed, LogTrimmed, LogUnavailable } from '../../store/log.ts';
import { MemoryLog } from '../../store/memory-log.ts';
import { appendAll, appendOne, draft, readCount, readToHead } from '../support/store/entries.ts';

/** Entries of two facts each. */
async function filled(count: number, options: ConstructorParameters<typeof MemoryLog>[0] = {}): Promise<MemoryLog> {
  const log = new MemoryLog({ epoch: 'e', ...options });
  for (let n = 0; n < count; n++) await appendOne(log, draft(`e${n}`, { facts: 2 }));
  return log;
}

const tails = async (log: MemoryLog, ...seqs: readonly number[]): Promise<number[]> => {
  const found: number[] = [];
  for (const seq of seqs) {
    await log.snapshotSaved(seq);
    found.push(log.tail);
  }
  return found;
};

test('LG8 a log begins where it is told to, with the epoch that it is given, or one of its own', () => {
  const log = new MemoryLog({ epoch: 'e', start: 70 });
  assert.deepEqual([log.head, log.tail], [{ epoch: 'e', seq: 70 }, 70]);
  const [one, two] = [new MemoryLog(), new MemoryLog()];
  assert.deepEqual([one.head.seq, one.tail], [0, 0]);
  assert.match(one.head.epoch, /^[0-9a-f]{24}$/);
  assert.notEqual(one.head.epoch, two.head.epoch);
});

test('LG7 LG11 whole entries go as far as the snapshot and the newest facts to be kept allow, to the fact', async () => {
  assert.deepEqual(await tails(await filled(5), 0, 1, 2, 3, 4, 9, 10), [0, 0, 2, 2, 4, 8, 10]);
  for (const [retentionFacts, tail] of [
    [0, 10],
    [1, 8],
    [2, 8],
    [3, 6],
    [9, 0],
    [100, 0],
  ] as const) {
    const log = await filled(5, { retentionFacts });
    assert.deepEqual(await tails(log, 10), [tail], `${retentionFacts} facts`);
    assert.equal((await readToHead(log, tail)).length, (10 - tail) / 2);
    assert.deepEqual(await tails(log, 4), [Math.max(tail, Math.min(4, tail))], 'what is gone stays gone');
  }
  const log = await filled(3);
  await assert.rejects(log.snapshotSaved(7), RangeError);
  assert.equal(log.tail, 0);
});

test('LG12 what is held stays, up to the newest facts that a hold can keep', async () => {
  const held = async (after: number, heldFacts?: number): Promise<number> => {
    const log = await filled(5, heldFacts === undefined ? {} : { heldFacts });
    log.keepAfter('a', after);
    log.keepAfter('b', after + 3);
    return (await tails(log, 10))[0] ?? -1;
  };
  assert.deepEqual([await held(0), await held(1), await held(2), await held(5), await held(10), await held(50)], [0, 0, 2, 4, 10, 10]);
  assert.deepEqual([await held(0, 10), await held(0, 9), await held(0, 8), await held(0, 0)], [0, 0, 2, 10]);
  const log = await filled(5);
  log.keepAfter('a', 2);
  log.keepAfter('b', 4);
  log.keepAfter('a', undefined);
  assert.deepEqual(await tails(log, 10), [4]);
  log.keepAfter('b', 6);
  assert.deepEqual(await tails(log, 10), [6]);
});

test('LG6 from each position, the first entry that reaches beyond it is found', async () => {
  const log = await filled(7, { start: 40 });
  await tails(log, 44);
  for (let after = 44; after < 54; after++) {
    const [first] = await readCount(log, after, 1);
    assert.equal(first?.id, `e${Math.floor((after - 40) / 2)}`);
  }
  await assert.rejects(readCount(log, 43, 1), (error) => error instanceof LogTrimmed && error.tail === 44);
});

test('LG4 LG5 each fault hits one append, in order, with its own answer, and those behind it as far as they must be', async () => {
  const log = new MemoryLog({ epoch: 'e' });
  const answers = async (count: number): Promise<string[]> =>
    (
      await Promise.allSettled(
        appendAll(
          log,
          Array.from({ length: count }, (_, n) => draft(`d${n}`)),
        ),
      )
    ).map((one) =>
      one.status === 'fulfilled' ? one.value.status : one.reason instanceof LogUnavailable ? one.reason.outcome : String(one.reason),
    );
  log.failNext({ type: 'not-written' });
  assert.deepEqual([await answers(3), log.head.seq], [['not-written', 'not-written', 'not-written'], 0]);
  log.failNext({ type: 'unknown-lost' });
  assert.deepEqual([await answers(2), log.head.seq], [['unknown', 'not-written'], 0]);
  log.failNext({ type: 'unknown-stored' });
  assert.deepEqual([await answers(2), log.head.seq], [['unknown', 'appended'], 2]);
  log.failNext({ type: 'conflict', rival: draft('rival') });
  assert.deepEqual([await answers(2), log.head.seq], [['conflict', 'not-written'], 3]);
  assert.deepEqual([await answers(2), log.head.seq], [['appended', 'appended'], 5]);
  assert.deepEqual(
    (await readToHead(log)).map(({ id, first }) => `${id}@${first}`),
    ['d0@1', 'd1@2', 'rival@3', 'd0@4', 'd1@5'],
  );
  assert.deepEqual(await log.append(4, draft('old')), { status: 'conflict', head: 5 });
});

test('LG2 LG10 what is held back is neither stored nor answered until it is let go; a close waits for it', async () => {
  const log = new MemoryLog();
  const release = log.hold();
  const steps: string[] = [];
  void log.append(0, draft('a')).then(() => steps.push('appended'));
  void log.close().then(() => steps.push('closed'));
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([steps, log.head.seq], [[], 0]);
  await assert.rejects(log.append(1, draft('b')), LogClosed);
  release();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([steps, log.head.seq], [['appended', 'closed'], 1]);
});
