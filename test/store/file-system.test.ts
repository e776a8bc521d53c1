/** LG11, AF1, AF2, DK3: reading and writing files as a whole, on a disk that does as it is told, and on the real one. */
import assert from 'node:assert/strict';
import { constants } from 'node:fs';
import { mkdir, readdir, readFile, readlink, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { hasCode } from '../../store/disk-errors.ts';
import {
  ChunkWriter,
  type CrashPoint,
  createNamed,
  createWhole,
  fileChunks,
  isTemporary,
  listWithoutLeftovers,
  type OpenFile,
  readFully,
  removeDurably,
  removeIfThere,
  toError,
  writeFully,
} from '../../store/file-system.ts';
import { nodeFileSystem } from '../../store/node-file-system.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';
import { syncedFolders } from '../support/store/synced-folders.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

test('LG11 the chunks of a file are its bytes, and those that are kept stay as they are', async () => {
  const path = join(await temporaryDirectory(), 'file');
  const bytes = Buffer.from(Array.from({ length: 3_000_000 }, (_, n) => (n * 7 + (n >> 16)) & 255));
  await writeFile(path, bytes);
  const kept: Buffer[] = [];
  for await (const chunk of fileChunks(path, nodeFileSystem)) kept.push(chunk);
  assert.ok(kept.length > 1);
  assert.ok(Buffer.concat(kept).equals(bytes));
  const copied: Buffer[] = [];
  const buffers = new Set<ArrayBufferLike>();
  for await (const chunk of fileChunks(path, nodeFileSystem, { reusesBuffers: true })) {
    // The next one is read meanwhile, into another one.
    await sleep(2);
    copied.push(Buffer.from(chunk));
    buffers.add(chunk.buffer);
  }
  assert.ok(Buffer.concat(copied).equals(bytes));
  assert.ok(kept.length > 2 && buffers.size === 2);
});

/** A file that takes and gives at most `most` bytes at a time, and what was asked of it. */
function stingy(content: Buffer, most: number) {
  const calls: string[] = [];
  const file = {
    read: async (buffer: Uint8Array, offset: number, length: number, position: number) => {
      calls.push(`read ${length} at ${position}`);
      return content.copy(buffer, offset, position, position + Math.min(length, most));
    },
    write: async (point: CrashPoint, buffer: Uint8Array, offset: number, length: number, position: number) => {
      calls.push(`${point} ${length} at ${position}`);
      return Buffer.from(buffer).copy(content, position, offset, offset + Math.min(length, most));
    },
    datasync: async (point: CrashPoint) => void calls.push(point),
  } as unknown as OpenFile;
  return { file, calls, content };
}

test('AF1 a write that comes up short is gone on with until all is written; a disk that takes nothing is full', async () => {
  const { file, calls, content } = stingy(Buffer.alloc(12, '.'), 3);
  await writeFully(file, 'group-write', Buffer.from('abcdefghij'), 7, 2);
  assert.equal(content.toString(), '..abcdefg...');
  assert.deepEqual(calls, ['group-write 7 at 2', 'group-write 4 at 5', 'group-write 1 at 8']);
  await writeFully(file, 'group-write', Buffer.from('x'), 0, 0);
  assert.equal(calls.length, 3);
  await assert.rejects(writeFully(stingy(content, 0).file, 'group-write', Buffer.from('x'), 1, 0), {
    code: 'ENOSPC',
    message: /^ENOSPC: /,
  });
});

test('AF2 a read that comes up short is gone on with, up to the end of the file', async () => {
  const { file, calls } = stingy(Buffer.from('0123456789'), 4);
  const buffer = Buffer.alloc(12, '.');
  assert.equal(await readFully(file, buffer, 6, 1), 6);
  assert.equal(buffer.toString(), '123456......');
  assert.deepEqual(calls.splice(0), ['read 6 at 1', 'read 2 at 5']);
  assert.equal(await readFully(file, buffer, 12, 7), 3);
  assert.deepEqual(calls, ['read 12 at 7', 'read 9 at 10']);
});

test('LG11 chunks are written one after the other, and synced when sixteen mebibytes wait for it', async () => {
  for (const what of ['segment', 'snapshot', 'backup', 'side-file'] as const) {
    const { file, calls, content } = stingy(Buffer.alloc(20, '.'), 20);
    const writer = new ChunkWriter(file, what);
    await writer.add(Buffer.from('abc'));
    await writer.add(Buffer.from('de'));
    assert.deepEqual([writer.bytes, content.toString('utf8', 0, 6)], [5, 'abcde.']);
    assert.deepEqual(calls, [`${what}-write 3 at 0`, `${what}-write 2 at 3`]);
  }
  const points: string[] = [];
  const file = {
    write: async (_: string, _buffer: Uint8Array, _offset: number, length: number) => length,
    datasync: async (point: string) => void points.push(`${point} after ${writer.bytes}`),
  } as unknown as OpenFile;
  const writer = new ChunkWriter(file, 'backup');
  const bytes = 16 * 1024 * 1024;
  for (const length of [bytes - 1, 1, bytes - 1, 2, 1, 1]) await writer.add(new Uint8Array(length));
  assert.deepEqual(points, [`backup-sync after ${bytes}`, `backup-sync after ${2 * bytes + 1}`]);
});

test('LG11 a file that is not read to its end is closed all the same, also where what was read ahead fails', async () => {
  const disk = SimDisk.holding(new Map([['/d/a', Buffer.alloc(600_000)]]), new Random(1));
  let [reads, closed] = [0, 0];
  const { openRead } = disk;
  disk.openRead = async (path) => {
    const file = await openRead.call(disk, path);
    const read: OpenFile['read'] = async (...place) => {
      if (++reads === 2) throw Object.assign(new Error('EIO'), { code: 'EIO' });
      return await file.read(...place);
    };
    return { ...file, read, close: async () => void closed++ };
  };
  const taken: number[] = [];
  const take = async (chunks: number): Promise<void> => {
    [reads, closed] = [0, 0];
    taken.length = 0;
    for await (const { length } of fileChunks('/d/a', disk)) {
      taken.push(length);
      // Long enough for an error that nobody takes to end the process.
      await sleep(1);
      if (taken.length === chunks) break;
    }
  };
  await take(1);
  assert.deepEqual([taken, reads, closed], [[256 * 1024], 2, 1]);
  await assert.rejects(take(2), { code: 'EIO' });
  assert.deepEqual([taken, reads, closed], [[256 * 1024], 2, 1]);
});

test('LG11 a file gets its name when it is whole; what fails before leaves the older one, and nothing else', async () => {
  for (const point of ['snapshot-create', 'snapshot-write', 'snapshot-sync', 'snapshot-rename', 'snapshot-directory-sync'] as const) {
    const disk = SimDisk.holding(new Map([['/d/a', Buffer.from('old')]]), new Random(1));
    let closed = 0;
    const { create } = disk;
    disk.create = async (at, path) => ({ ...(await create.call(disk, at, path)), close: async () => void closed++ });
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'EIO' } : undefined);
    await assert.rejects(createWhole(disk, 'snapshot', '/d', 'a', Buffer.from('new')), { code: 'EIO' });
    assert.equal(closed, point === 'snapshot-create' ? 0 : 1, point);
    const isNamed = point === 'snapshot-directory-sync';
    assert.deepEqual([...disk.files()].map(String), [`/d/a,${isNamed ? 'new' : 'old'}`]);
    disk.plan = () => undefined;
    await createWhole(disk, 'snapshot', '/d', 'a', async (file) => writeFully(file, 'snapshot-write', Buffer.from('newer'), 5, 0));
    assert.deepEqual([...disk.lostPower().files()].map(String), ['/d/a,newer']);
  }
  const disk = new SimDisk(new Random(1));
  await createNamed(disk, 'torn-copy', '/d', 'a', Buffer.from('x'));
  assert.deepEqual([...disk.passed.keys()], ['torn-copy-create', 'torn-copy-write', 'torn-copy-sync', 'torn-copy-rename']);
  const names = [...disk.files().keys()];
  assert.deepEqual(names, ['/d/a'], 'the temporary name is gone');
});

test('LG11 a removal is durable, and a file that is missing is none that must be removed', async () => {
  const disk = SimDisk.holding(new Map([['/d/a', Buffer.from('a')]]), new Random(1));
  for (const _ of [1, 2]) {
    await removeDurably(disk, 'retention', '/d', 'a');
    for (let seed = 0; seed < 5; seed++) assert.equal(disk.lostPower().files().size, 0);
  }
  await removeDurably(disk, 'clean-remove', '/d', 'clean');
  assert.deepEqual(
    [...disk.passed],
    [
      ['retention-remove', 1],
      ['retention-directory-sync', 2],
      ['clean-remove-sync', 1],
    ],
  );
  const failing = SimDisk.holding(new Map([['/d/a', Buffer.from('a')]]), new Random(1));
  failing.plan = (point) => (point.endsWith('remove') ? { type: 'error', code: 'EIO' } : undefined);
  await assert.rejects(removeDurably(failing, 'retention', '/d', 'a'), { code: 'EIO' });
  await removeIfThere(failing, 'snapshot-remove', '/d/a');
  await removeIfThere(disk, 'snapshot-remove', '/d/a');
  assert.deepEqual([...failing.passed.keys()], ['retention-remove', 'snapshot-remove']);
});

test('LG11 names with the ending of temporary files are leftovers, also those of earlier versions', async () => {
  const names = ['a', 'b~.tmp', 'c.tmp', 'd.tmp.x', 'tmp'];
  const disk = SimDisk.holding(new Map(names.map((name) => [`/d/${name}`, Buffer.from('x')])), new Random(1));
  assert.deepEqual(names.map(isTemporary), [false, true, true, false, false]);
  assert.deepEqual(await listWithoutLeftovers(disk, '/d'), ['a', 'd.tmp.x', 'tmp']);
  assert.deepEqual([...disk.files().keys()], ['/d/a', '/d/d.tmp.x', '/d/tmp']);
});

test('DK3 whatever fails in an open file names the file', async () => {
  const path = join(await temporaryDirectory(), 'file');
  await writeFile(path, 'content');
  const file = await nodeFileSystem.openRead(path);
  await file.close();
  const buffer = Buffer.alloc(4);
  for (const work of [
    () => file.read(buffer, 0, 4, 0),
    () => file.write('group-write', buffer, 0, 4, 0),
    () => file.truncate('recovery-truncate', 0),
    () => file.datasync('group-sync'),
    () => file.size(),
  ]) {
    await assert.rejects(
      work,
      (error) => error instanceof Error && 'path' in error && error.path === path && error.message.endsWith(` '${path}'`),
    );
  }
});

test('LG1 a file that is opened for synced writes asks the system for them, and a cut of it is synced apart', async (t) => {
  if (process.platform !== 'linux') return t.skip('ONLY ON LINUX ONE CALL WRITES AND SYNCS');
  const path = join(await temporaryDirectory(), 'file');
  /** What the open files with this path were opened for. */
  const areSynced = async (): Promise<boolean[]> => {
    const numbers = await readdir('/proc/self/fd');
    const links = await Promise.all(numbers.map(async (number) => [number, await readlink(`/proc/self/fd/${number}`).catch(() => '')]));
    const flags = links.filter(([, link]) => link === path).map(([number]) => readFile(`/proc/self/fdinfo/${number}`, 'utf8'));
    return (await Promise.all(flags)).map(
      (text) => (Number.parseInt(/^flags:\s+(\d+)$/m.exec(text)?.[1] ?? '', 8) & constants.O_DSYNC) !== 0,
    );
  };
  for (const kind of ['synced', undefined] as const)
    for (const opened of [() => nodeFileSystem.create('segment-create', path, kind), () => nodeFileSystem.openWrite(path, kind)]) {
      const file = await opened();
      assert.deepEqual(await areSynced(), [kind === 'synced']);
      for (let round = 0; round < 2; round++) {
        await writeFully(file, 'group-write', Buffer.from('abcdef'), 6, 0);
        await file.datasync('group-sync');
        await file.truncate('rollback-truncate', 3);
        await file.datasync('rollback-sync');
      }
      await file.close();
      assert.equal(await readFile(path, 'utf8'), 'abc');
    }
});

test('LG9 on the real disk, files and folders are for their owner alone, and a file is read, extended and emptied as asked', async () => {
  const parent = await temporaryDirectory();
  const directory = join(parent, 'a', 'b', 'c');
  await nodeFileSystem.makeDirectory(directory);
  await nodeFileSystem.makeDirectory(directory);
  for (const made of ['a', 'a/b', 'a/b/c']) assert.equal((await stat(join(parent, made))).mode & 0o777, 0o700);
  const path = join(directory, 'file');
  await assert.rejects(nodeFileSystem.openWrite(path), { code: 'ENOENT' });
  await assert.rejects(nodeFileSystem.openRead(path), { code: 'ENOENT' });
  for (const content of ['0123456789', 'new']) {
    const file = await nodeFileSystem.create('segment-create', path);
    assert.equal(await file.size(), 0);
    assert.equal(await file.write('segment-write', Buffer.from(`.${content}`), 1, content.length, 0), content.length);
    await file.datasync('segment-sync');
    await file.close();
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal(await readFile(path, 'utf8'), content);
  }
  const file = await nodeFileSystem.openWrite(path);
  await file.write('group-write', Buffer.from('er!'), 0, 3, 3);
  await file.truncate('rollback-truncate', 5);
  const buffer = Buffer.alloc(8, '.');
  assert.deepEqual([await file.read(buffer, 1, 4, 2), buffer.toString(), await file.size()], [3, '.wer....', 5]);
  await file.close();
  await nodeFileSystem.rename('segment-rename', path, join(directory, 'other'));
  await nodeFileSystem.syncDirectory('segment-directory-sync', directory);
  assert.deepEqual(await nodeFileSystem.list(directory), ['other']);
  await nodeFileSystem.remove('retention-remove', join(directory, 'other'));
  assert.deepEqual(await nodeFileSystem.list(directory), []);
  await mkdir(join(parent, 'd'));
  await assert.rejects(nodeFileSystem.syncDirectory('segment-directory-sync', join(parent, 'missing')), { code: 'ENOENT' });
});

test('DK1 a code belongs to an error only, and whatever is thrown becomes an error', () => {
  assert.deepEqual(
    [Object.assign(new Error('x'), { code: 'EIO' }), new Error('EIO'), { code: 'EIO' }, undefined].map((one) => hasCode(one, 'EIO')),
    [true, false, false, false],
  );
  assert.equal(hasCode(Object.assign(new Error('x'), { code: 'EIO' }), 'ENOENT'), false);
  const error = new TypeError('x');
  assert.deepEqual([toError(error), toError('text').message], [error, 'text']);
});

test('LG9 each folder that was made is durable in the one around it, from the innermost outwards', async (t) => {
  const parent = await temporaryDirectory();
  const synced = syncedFolders(t);
  await nodeFileSystem.makeDirectory(join(parent, 'a', 'b', 'c'));
  assert.deepEqual(synced.splice(0), [join(parent, 'a', 'b'), join(parent, 'a'), parent]);
  await nodeFileSystem.makeDirectory(join(parent, 'a', 'b', 'c'));
  assert.deepEqual(synced, []);
  await nodeFileSystem.makeDirectory(join(parent, 'a', 'd'));
  assert.deepEqual(synced.splice(0), [join(parent, 'a')]);
  await nodeFileSystem.syncDirectory('segment-directory-sync', parent);
  assert.deepEqual(synced, [parent]);
});
