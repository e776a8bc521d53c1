/** LG9, LG11, BK9: whatever is done with a file is over, its handle closed, when the work that needed it resolves or rejects. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkBackup, writeBackup } from '../../store/backup/file.ts';
import { inspectFiles } from '../../store/backup/inspect.ts';
import { restoreBackup } from '../../store/backup/restore.ts';
import { openLocked } from '../../store/data-dir.ts';
import { createWhole, fileChunks, type OpenFile } from '../../store/file-system.ts';
import { readCleanMarker, writeCleanMarker } from '../../store/journal/clean-marker.ts';
import { Journal } from '../../store/journal/journal.ts';
import { recover } from '../../store/journal/recovery.ts';
import { checkSnapshot, SnapshotFiles } from '../../store/snapshot/file.ts';
import { backupOf, pieces, someLines } from '../support/store/backup-kit.ts';
import { appendOne, draft, readToHead } from '../support/store/entries.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';

/** A disk whose handles take a while to close, and the paths of those that are not closed yet. */
function slowToClose(files: ReadonlyMap<string, Buffer> = new Map()): { disk: SimDisk; open: () => string[] } {
  const disk = SimDisk.holding(files, new Random(1));
  const open: string[] = [];
  const counted = (path: string, file: OpenFile): OpenFile => {
    open.push(path);
    return {
      ...file,
      close: async () => {
        for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
        await file.close();
        open.splice(open.indexOf(path), 1);
      },
    };
  };
  // Opening for writing goes through `openRead` there.
  const { openRead, create } = disk;
  disk.openRead = async (path) => counted(path, await openRead.call(disk, path));
  disk.create = async (point, path) => counted(path, await create.call(disk, point, path));
  return { disk, open: () => [...open] };
}

/** A journal of several segments, with a snapshot beside it. */
async function directory(): Promise<ReadonlyMap<string, Buffer>> {
  const disk = new SimDisk(new Random(1));
  const { log, snapshots } = await openLocked('/d', { fileSystem: disk, journal: { segmentBytes: 1_000 } });
  for (let n = 0; n < 12; n++) await appendOne(log, draft(`e${n}`, { bytes: 100 }));
  await snapshots.save({ position: log.head, lines: () => someLines() });
  return disk.files();
}

const lastSegment = (files: ReadonlyMap<string, Buffer>): string =>
  [...files.keys()]
    .filter((path) => path.endsWith('.journal'))
    .sort()
    .at(-1) ?? '';

test('LG9 a journal that was opened has one handle, its last segment; one that was refused or closed has none', async () => {
  const files = await directory();
  const last = lastSegment(files);
  const { disk, open } = slowToClose(files);
  const log = await Journal.open({ directory: '/d/journal', fileSystem: disk, recentBytes: 0, segmentBytes: 1_000 });
  assert.deepEqual(open(), [last]);
  await readToHead(log);
  assert.deepEqual(open(), [last]);
  for (let n = 0; n < 5; n++) await appendOne(log, draft(`f${n}`, { bytes: 300 }));
  const names = open().map((path) => path.replace('~.tmp', ''));
  assert.deepEqual(names, [lastSegment(disk.files())], 'those that are full are closed');
  await log.close();
  assert.deepEqual(open(), []);

  const damaged = slowToClose(files);
  damaged.disk.flip(last, 20, 1);
  await assert.rejects(Journal.open({ directory: '/d/journal', fileSystem: damaged.disk }));
  assert.deepEqual(damaged.open(), []);
});

test('LG9 the copy of a torn tail, and what it is copied from, are closed when the journal is open', async () => {
  const files = await directory();
  const last = lastSegment(files);
  const torn = new Map([...files, [last, (files.get(last) ?? Buffer.alloc(0)).subarray(0, -20)]]);
  for (const point of [undefined, 'torn-copy-write', 'recovery-sync'] as const) {
    const { disk, open } = slowToClose(torn);
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'EIO' } : undefined);
    const options = { fs: disk, directory: '/d/journal', snapshot: undefined, blockBytes: 500, onEvent: () => {} };
    if (point !== undefined) await assert.rejects(recover(options), { code: 'EIO' });
    else assert.equal((await recover(options)).segments.at(-1)?.last, 11);
    assert.deepEqual(open(), point === undefined ? [last] : []);
  }
});

test('LG11 snapshots, markers and inspections leave no handle, whether they succeed or fail', async () => {
  const files = await directory();
  const snapshot = [...files.keys()].find((path) => path.endsWith('.ndjson')) ?? '';
  const { disk, open } = slowToClose(files);
  const closed = async (work: Promise<unknown>, fails = false): Promise<void> => {
    const isFailed = await work.then(
      () => false,
      () => true,
    );
    assert.deepEqual([isFailed, open()], [fails, []]);
  };
  const store = await SnapshotFiles.open({ directory: '/d/snapshot', fileSystem: disk });
  await closed(store.save({ position: { epoch: 'e', seq: 7 }, lines: () => someLines() }));
  await closed(store.load());
  await closed(checkSnapshot(disk, snapshot));
  await closed(writeCleanMarker(disk, '/d/journal', { epoch: 'e', seq: 1, segment: 's', bytes: 1 }));
  await closed(readCleanMarker(disk, '/d/journal', ['clean']));
  await closed(inspectFiles('/d', disk));
  const chunks = fileChunks(snapshot, disk);
  await chunks.next();
  await closed(chunks.return());
  for (const point of ['snapshot-write', 'snapshot-directory-sync'] as const) {
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'EIO' } : undefined);
    await closed(createWhole(disk, 'snapshot', '/d/snapshot', 'x', Buffer.from('x')), true);
  }
  disk.plan = () => undefined;
  disk.flip(snapshot, 70, 1);
  disk.flip(lastSegment(files), 20, 1);
  await closed(inspectFiles('/d', disk));
  await closed(checkSnapshot(disk, snapshot), true);
});

test('BK5 BK9 backups and restores leave no handle, whether they succeed or fail', async () => {
  const bytes = await backupOf(someLines());
  const { disk, open } = slowToClose(new Map([['/b/cut', bytes.subarray(0, -5)]]));
  await writeBackup('/b/whole', pieces(bytes, 100), { force: false, fileSystem: disk });
  assert.deepEqual(open(), []);
  await assert.rejects(writeBackup('/b/other', pieces(bytes.subarray(0, -5), 100), { force: false, fileSystem: disk }));
  assert.deepEqual(open(), []);
  await assert.rejects(checkBackup(fileChunks('/b/cut', disk), 'cut'));
  assert.deepEqual(open(), []);
  await assert.rejects(restoreBackup('/b/cut', '/r', disk));
  assert.deepEqual(open(), []);
  await restoreBackup('/b/whole', '/r', disk);
  assert.deepEqual(open(), []);
});
