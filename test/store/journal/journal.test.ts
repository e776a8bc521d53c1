/** LG1, LG2, LG5–LG7, LG10: the journal by its steps: how appends share writes, where readers get entries from, and how it ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import type { StoreEvent } from '../../../store/events.ts';
import { Journal } from '../../../store/journal/journal.ts';
import { JOURNAL_DEFAULTS, type JournalOptions } from '../../../store/journal/options.ts';
import { encodePayload, RECORD_HEADER_BYTES } from '../../../store/journal/record.ts';
import { LogClosed, LogDamaged, LogTrimmed, LogUnavailable } from '../../../store/log.ts';
import { appendAll, appendOne, draft, readCount, readToHead } from '../../support/store/entries.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

async function bench(options: Partial<JournalOptions> = {}, disk = new SimDisk(new Random(1))) {
  const events: StoreEvent[] = [];
  const log = await Journal.open({ directory: '/j', fileSystem: disk, onEvent: (event) => void events.push(event), ...options });
  /** How often each file was opened for reading since the last time. */
  const reads: string[] = [];
  const { openRead } = disk;
  disk.openRead = (path) => {
    reads.push(path);
    return openRead.call(disk, path);
  };
  const passed = (point: Parameters<typeof disk.passed.get>[0]): number => disk.passed.get(point) ?? 0;
  return { log, disk, events, reads, passed };
}

const drafts = (count: number, bytes = 20) => Array.from({ length: count }, (_, n) => draft(`e${n}`, { bytes }));
const recordBytes = (bytes: number): number => Buffer.byteLength(encodePayload(draft('e0', { bytes }))) + RECORD_HEADER_BYTES;
const isNotWritten = (reason: RegExp) => (error: unknown) =>
  error instanceof LogUnavailable && error.outcome === 'not-written' && reason.test(error.message);

test('LG2 appends that come together share one write and one sync, up to the length of a group', async () => {
  const size = recordBytes(100);
  for (const [groupBytes, groups] of [
    [10 * size, 1],
    [5 * size, 2],
    [5 * size - 1, 3],
    [size, 10],
    [1, 10],
  ] as const) {
    const { log, passed } = await bench({ groupBytes });
    await Promise.all(appendAll(log, drafts(10, 100)));
    assert.deepEqual([passed('group-write'), passed('group-sync')], [groups, groups], `${groupBytes} bytes`);
    // Callers that were answered together append again together.
    await Promise.all(Array.from({ length: 10 }, (_, n) => log.append(10 + n, draft(`f${n}`, { bytes: 100 }))));
    assert.equal(passed('group-sync'), 2 * groups);
    assert.equal((await readToHead(log)).length, 20);
  }
});

test('LG2 buffers are used again for groups of any length, and never shared by two of them', async () => {
  const { log, disk } = await bench({ groupBytes: 1_500_000 });
  const sizes = [10, 1_200_000, 700_000, 700_000, 20, 2_500_000, 30, 900_000, 900_000, 900_000];
  await Promise.all(
    appendAll(
      log,
      sizes.map((bytes, n) => draft(`e${n}`, { bytes })),
    ),
  );
  await Promise.all(
    appendAll(
      log,
      sizes.map((bytes, n) => draft(`f${n}`, { bytes })),
    ),
  );
  const again = (await bench({}, disk.killed())).log;
  const read = await readToHead(again);
  assert.deepEqual(
    read.map(({ id, facts }) => [id, JSON.stringify(facts).length]),
    ['e', 'f'].flatMap((mark) => sizes.map((bytes, n) => [`${mark}${n}`, JSON.stringify(draft(`${mark}${n}`, { bytes }).facts).length])),
  );
});

test('LG5 the bound of what waits is met to the byte, counts headers, and is free again after an answer, good or bad', async () => {
  const size = recordBytes(600);
  const full = isNotWritten(/^too many appends are waiting for the disk$/);
  const { log, disk } = await bench({ pendingBytes: 3 * size - RECORD_HEADER_BYTES });
  const tried = async (): Promise<string> =>
    (await Promise.allSettled(appendAll(log, drafts(4, 600))))
      .map((one) => (one.status === 'fulfilled' ? one.value.status : full(one.reason) ? 'full' : String(one.reason)))
      .join();
  for (let round = 0; round < 3; round++) assert.equal(await tried(), 'appended,appended,appended,full');
  disk.plan = (point) => (point === 'group-write' ? { type: 'error', code: 'ENOSPC' } : undefined);
  for (let round = 0; round < 3; round++) {
    const results = await Promise.allSettled(appendAll(log, drafts(3, 600)));
    for (const result of results) assert.ok(result.status === 'rejected' && isNotWritten(/no space is left/)(result.reason));
  }
  disk.plan = () => undefined;
  assert.equal(await tried(), 'appended,appended,appended,full');
  const less = await bench({ pendingBytes: 3 * size - RECORD_HEADER_BYTES - 1 });
  const results = await Promise.allSettled(appendAll(less.log, drafts(3, 600)));
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected'],
  );
  assert.ok(JOURNAL_DEFAULTS.pendingBytes >= LIMITS.entryBytes, 'the longest entry always fits');
});

test('LG5 what was refused is told with its reason, and so is a journal that has failed', async () => {
  const { log, disk, events } = await bench();
  disk.plan = (point) => (point === 'group-write' ? { type: 'error', code: 'EDQUOT' } : undefined);
  await assert.rejects(log.append(0, draft('a')), isNotWritten(/^the disk refused the entry: no space is left on the disk$/));
  assert.deepEqual(
    events.slice(1).map(({ type }) => type),
    ['append-rolled-back'],
  );
  disk.plan = (point) => (point === 'group-sync' ? { type: 'error', code: 'EIO' } : undefined);
  const behind = Promise.allSettled([
    log.append(0, draft('b')),
    new Promise((resolve) => process.nextTick(resolve)).then(() => log.append(1, draft('c'))),
  ]);
  const [first] = await behind;
  assert.ok(first.status === 'rejected' && first.reason instanceof LogUnavailable);
  assert.deepEqual([first.reason.outcome, first.reason.message], ['unknown', 'the disk failed; restart to find out what is stored']);
  assert.ok(first.reason.cause instanceof Error && /^EIO/.test(first.reason.cause.message));
  assert.deepEqual(
    events.slice(2).map(({ type }) => type),
    ['journal-failed'],
  );
  disk.plan = () => undefined;
  await assert.rejects(
    log.append(0, draft('d')),
    isNotWritten(/^the journal has failed and must be reopened by a restart: EIO: simulated,$/),
  );
  await log.close();
  await assert.rejects(log.append(0, draft('e')), LogClosed);
});

test('LG6 an entry that was just written comes from memory, an older one from its file, once for all that read there', async () => {
  const size = recordBytes(20);
  const { log, reads } = await bench({ recentBytes: 3 * size, blockBytes: 4 * size });
  for (const one of drafts(9)) await appendOne(log, one);
  assert.equal((await readToHead(log, 6)).length, 3);
  assert.deepEqual(reads, []);
  assert.equal((await readToHead(log, 5)).length, 4);
  assert.equal(reads.length, 1);
  reads.length = 0;
  const all = await Promise.all(Array.from({ length: 20 }, () => readToHead(log, 0)));
  for (const entries of all)
    assert.deepEqual(
      entries.map(({ id }) => id),
      Array.from({ length: 9 }, (_, n) => `e${n}`),
    );
  assert.ok(reads.length <= 2, `${reads.length} reads`);
  // With no room for blocks, each reader reads for itself.
  const bare = await bench({ recentBytes: 0, cacheBytes: 0, blockBytes: 4 * size });
  for (const one of drafts(4)) await appendOne(bare.log, one);
  for (const _ of [1, 2]) await readToHead(bare.log, 0);
  assert.equal(bare.reads.length, 2);
});

test('LG6 eight files are read at a time at most, and everyone gets its turn', async () => {
  const { log, disk } = await bench({ recentBytes: 0, cacheBytes: 0, segmentBytes: 1 });
  for (const one of drafts(30)) await appendOne(log, one);
  let open = 0;
  let most = 0;
  const { openRead } = disk;
  disk.openRead = async (path) => {
    most = Math.max(most, ++open);
    const file = await openRead(path);
    return {
      ...file,
      close: async () => {
        open--;
        await file.close();
      },
    };
  };
  const all = await Promise.all(Array.from({ length: 30 }, (_, after) => readCount(log, after, 1)));
  assert.deepEqual(
    all.map(([entry]) => entry?.id),
    Array.from({ length: 30 }, (_, n) => `e${n}`),
  );
  assert.deepEqual([most, open], [8, 0]);
  await assert.rejects(Promise.all(Array.from({ length: 20 }, () => readFrom(log, disk))), /EIO/);
  disk.openRead = openRead;
  assert.equal((await readCount(log, 3, 2)).length, 2, 'those that failed gave their place back');
});

/** Reads an entry while no file can be opened. */
async function readFrom(log: Journal, disk: SimDisk): Promise<Entry[]> {
  disk.openRead = () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' }));
  return await readCount(log, 5, 1);
}

test('LG9 LG7 a file that is gone is damage, unless retention removed it: then the reader is told where the log begins', async () => {
  const { log, disk } = await bench({ recentBytes: 0, cacheBytes: 0, segmentBytes: 1, retention: { facts: 0 } });
  for (const one of drafts(6)) await appendOne(log, one);
  const first = [...disk.files().keys()].sort()[0] ?? '';
  await disk.remove('retention-remove', first);
  await assert.rejects(readCount(log, 0, 1), (error) => {
    assert.ok(error instanceof LogDamaged);
    assert.deepEqual([error.file, error.offset, error.reason], [first, 0, 'the file is gone']);
    return true;
  });
  assert.deepEqual(
    (await readCount(log, 1, 1)).map(({ id }) => id),
    ['e1'],
  );
  // The segment is removed while it is being opened for a reader.
  const { openRead } = disk;
  disk.openRead = async (path) => {
    disk.openRead = openRead;
    await log.snapshotSaved(6);
    await log.snapshotSaved(6);
    return await openRead.call(disk, path);
  };
  await assert.rejects(
    readCount(log, 1, 1),
    (error) => error instanceof LogTrimmed && error.tail === 5 && /entries after 1 are/.test(error.message),
  );
  await assert.rejects(readCount(log, 4, 1), LogTrimmed);
  assert.equal((await readCount(log, 5, 1)).length, 1);
});

test('LG6 a reader stops at once when it is told to, also with more at hand', async () => {
  const { log } = await bench({ recentBytes: 0 });
  await Promise.all(appendAll(log, drafts(5)));
  const stop = new AbortController();
  const ids: string[] = [];
  for await (const { id } of log.read(0, stop.signal)) {
    ids.push(id);
    if (ids.length === 2) stop.abort();
  }
  assert.deepEqual(ids, ['e0', 'e1']);
});

test('LG10 a close happens once, ends readers, refuses what comes later, and leaves its marker only after a clean life', async () => {
  const { log, disk } = await bench();
  const ended = readCount(log, 0, 99);
  await appendOne(log, draft('a'));
  const closing = log.close();
  assert.equal(log.close(), closing);
  await assert.rejects(log.snapshotSaved(1), LogClosed);
  await closing;
  assert.equal((await ended).length, 1);
  await assert.rejects(log.snapshotSaved(1), LogClosed);
  await assert.rejects(log.snapshotSaved(2), RangeError);
  const marker = disk.files().get('/j/clean')?.toString();
  assert.match(marker ?? '', /"seq":1/);

  const same = await bench({}, disk);
  await same.log.close();
  assert.equal(same.passed('clean-create'), 1, 'nothing changed, so the marker stays as it is');
  assert.equal(disk.files().get('/j/clean')?.toString(), marker);

  const failing = await bench({}, disk);
  await appendOne(failing.log, draft('b'));
  assert.equal(disk.files().has('/j/clean'), false);
  disk.plan = (point) => (point === 'clean-write' ? { type: 'error', code: 'ENOSPC' } : undefined);
  await failing.log.close();
  assert.deepEqual(
    failing.events.map(({ type }) => type),
    ['clean-marker-failed'],
  );
  disk.plan = () => undefined;
  assert.equal((await readToHead((await bench({}, disk.lostPower())).log)).length, 2);
});

test('LG10 a journal that failed, or whose torn tail is still there, leaves no marker of a clean close', async () => {
  const failed = await bench();
  failed.disk.plan = (point) => (point === 'group-sync' ? { type: 'error', code: 'EIO' } : undefined);
  await assert.rejects(failed.log.append(0, draft('a')));
  failed.disk.plan = () => undefined;
  await failed.log.close();
  assert.equal(failed.disk.files().has('/j/clean'), false);

  const torn = await bench();
  await appendOne(torn.log, draft('a'));
  const [path = '', content] = [...torn.disk.files()][0] ?? [];
  const disk = SimDisk.holding(new Map([[path, Buffer.concat([content ?? Buffer.alloc(0), Buffer.from('torn')])]]), new Random(1));
  disk.plan = (point) => (point === 'torn-copy-write' ? { type: 'error', code: 'ENOSPC' } : undefined);
  const opened = await bench({}, disk);
  await assert.rejects(opened.log.append(1, draft('b')), isNotWritten(/no space is left/));
  await opened.log.close();
  assert.equal(disk.files().has('/j/clean'), false);
  disk.plan = () => undefined;
  const again = await bench({}, disk);
  assert.deepEqual(
    again.events.map(({ type }) => type),
    ['torn-tail-dropped'],
  );
  await appendOne(again.log, draft('b'));
  assert.equal((await readToHead(again.log)).length, 2);
});

test('LG7 LG11 a journal is opened with the limits that it is given, and keeps the rest of the defaults', async () => {
  const times = (seconds: number): number => seconds * 1_000_000;
  for (const [retention, nowS, tail] of [
    [{ facts: 2 }, 60, 4],
    [{ bytes: 0 }, 60, 5],
    [{ ageMs: 57_500 }, 60, 2],
    [undefined, 60, 0],
    [undefined, 8 * 24 * 3_600, 5],
  ] as const) {
    const { log } = await bench({ segmentBytes: 1, now: () => nowS * 1_000, ...(retention && { retention }) });
    for (let n = 1; n <= 6; n++) await appendOne(log, draft(`e${n}`, { time: times(n) }));
    for (const _ of [1, 2]) await log.snapshotSaved(6);
    assert.equal(log.tail, tail, JSON.stringify([retention, nowS]));
  }
});

test('LG6 readers that have seen everything get what is appended then, each entry once', async () => {
  const { log } = await bench();
  const readers = Array.from({ length: 3 }, () => readCount(log, 0, 4));
  for (const one of drafts(2)) await appendOne(log, one);
  await new Promise((resolve) => setImmediate(resolve));
  await Promise.all(appendAll(log, [draft('x'), draft('y')]));
  const all = await Promise.all(readers);
  for (const entries of all)
    assert.deepEqual(
      entries.map(({ id }: Entry) => id),
      ['e0', 'e1', 'x', 'y'],
    );
});
