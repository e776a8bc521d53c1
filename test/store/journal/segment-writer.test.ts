/** LG5, LG1: a new segment that cannot be made: a full disk is waited for, a failing one is not trusted again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Journal } from '../../../store/journal/journal.ts';
import { LogUnavailable } from '../../../store/log.ts';
import { appendOne, draft, readToHead } from '../../support/store/entries.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

const notWritten = (error: unknown): boolean => error instanceof LogUnavailable && error.outcome === 'not-written';

test('LG5 when a new segment finds no space, its entry is refused and the next one is taken; after an error of the disk none is', async () => {
  for (const code of ['ENOSPC', 'EIO']) {
    const disk = new SimDisk(new Random(1));
    const events: string[] = [];
    const options = {
      directory: '/j',
      fileSystem: disk,
      segmentBytes: 1_000,
      onEvent: ({ type }: { type: string }) => void events.push(type),
    };
    const log = await Journal.open(options);
    for (let n = 0; n < 3; n++) await appendOne(log, draft(`e${n}`, { bytes: 200 }));
    disk.plan = (point) => (point.startsWith('segment-') ? { type: 'error', code } : undefined);
    await assert.rejects(appendOne(log, draft('refused', { bytes: 800 })), notWritten);
    assert.equal(events.at(-1), code === 'EIO' ? 'journal-failed' : 'append-rolled-back');
    disk.plan = () => undefined;
    const again = appendOne(log, draft('again', { bytes: 800 }));
    if (code === 'EIO') await assert.rejects(again, (error) => notWritten(error) && /must be reopened by a restart/.test(String(error)));
    else await again;
    const ids = (await readToHead(log, 0)).map(({ id }) => id);
    assert.deepEqual(ids, ['e0', 'e1', 'e2', ...(code === 'EIO' ? [] : ['again'])]);
    await log.close();
    const reopened = await Journal.open({ ...options, fileSystem: disk.lostPower() });
    assert.deepEqual(
      (await readToHead(reopened, 0)).map(({ id }) => id),
      ids,
    );
    await reopened.close();
  }
});

/** The journal's segments, by the ids of their entries. */
async function segmentsAfter(segmentBytes: (header: number, record: number) => number, sizes: readonly number[]): Promise<string[]> {
  const probe = new SimDisk(new Random(1));
  const lengthOf = (disk: SimDisk): number => [...disk.files().values()][0]?.length ?? 0;
  const empty = await Journal.open({ directory: '/j', fileSystem: probe });
  const header = lengthOf(probe);
  await appendOne(empty, draft('e0', { bytes: 100 }));
  const record = lengthOf(probe) - header;
  const disk = new SimDisk(new Random(1));
  const log = await Journal.open({ directory: '/j', fileSystem: disk, segmentBytes: segmentBytes(header, record) });
  for (const [n, bytes] of sizes.entries()) await appendOne(log, draft(`e${n}`, { bytes }));
  return [...disk.files()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, content]) => [...content.toString('latin1').matchAll(/"id":"(e\d+)","time"/g)].map(([, id]) => id).join());
}

test('LG1 a segment is as long as it may be, to the byte, and an entry that is longer than any has one of its own', async () => {
  assert.deepEqual(await segmentsAfter((header, record) => header + 2 * record, [100, 100, 100, 100, 100]), ['e0,e1', 'e2,e3', 'e4']);
  assert.deepEqual(await segmentsAfter((header, record) => header + 2 * record - 1, [100, 100, 100]), ['e0', 'e1', 'e2']);
  assert.deepEqual(await segmentsAfter((header, record) => header + 2 * record, [900, 100, 900, 100]), ['e0', 'e1', 'e2', 'e3']);
});

test('LG5 after a segment that could not be made for sure, nothing is added to the one before it', async () => {
  for (const point of ['segment-create', 'segment-rename', 'segment-directory-sync'] as const) {
    const disk = new SimDisk(new Random(1));
    const log = await Journal.open({ directory: '/j', fileSystem: disk, segmentBytes: 1_500 });
    for (let n = 0; n < 3; n++) await appendOne(log, draft(`e${n}`, { bytes: 100 }));
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'ENOSPC' } : undefined);
    await assert.rejects(appendOne(log, draft('refused', { bytes: 900 })), notWritten);
    disk.plan = () => undefined;
    // It would have room in the old segment.
    await appendOne(log, draft('small', { bytes: 1 }));
    assert.deepEqual([...disk.files().keys()].sort(), ['/j/0000000000000001.journal', '/j/0000000000000004.journal'], point);
    await appendOne(log, draft('next', { bytes: 1 }));
    assert.equal(disk.files().size, 2, 'the new one is gone on with');
    assert.deepEqual(
      (await readToHead(await Journal.open({ directory: '/j', fileSystem: disk.lostPower() }))).map(({ id }) => id),
      ['e0', 'e1', 'e2', 'small', 'next'],
    );
  }
});

test('LG11 CK1 the age of a segment is that of its last entry, but never ahead of the wall clock', async () => {
  const disk = new SimDisk(new Random(1));
  const options = { directory: '/j', fileSystem: disk, segmentBytes: 1, retention: { ageMs: 1_000 } };
  let nowMs = 5_000;
  const log = await Journal.open({ ...options, now: () => nowMs });
  await appendOne(log, draft('ahead', { time: 99_000_000_000 }));
  await appendOne(log, draft('old', { time: 1_000_000 }));
  await appendOne(log, draft('last', { time: 5_000_000 }));
  const tailAt = async (ms: number): Promise<number> => {
    nowMs = ms;
    for (const _ of [1, 2]) await log.snapshotSaved(3);
    return log.tail;
  };
  assert.equal(await tailAt(6_000), 0, 'it is a second old');
  assert.equal(await tailAt(6_001), 2);
  const snapshot = { epoch: log.head.epoch, seq: 3 };
  const again = await Journal.open({ ...options, fileSystem: disk.lostPower(), snapshot });
  assert.equal(again.tail, 2);
});
