/** BK7, BK13: the file system on which a data directory is looked at: everything can be read, and nothing changes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOnly } from '../../../store/backup/read-only-fs.ts';
import { readFully } from '../../../store/file-system.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

const diskOf = (): SimDisk => SimDisk.holding(new Map([['/d/a', Buffer.from('0123456789')]]), new Random(1));

test('BK7 whatever is written, cut, created, renamed, removed or synced, the disk below stays as it is and is not asked', async () => {
  const disk = diskOf();
  const before = disk.files();
  disk.plan = () => ({ type: 'error', code: 'EIO' });
  const fs = readOnly(disk);
  const bytes = Buffer.from('new');
  for (const file of [await fs.openWrite('/d/a'), await fs.create('segment-create', '/d/b')]) {
    assert.equal(await file.write('group-write', bytes, 0, 3, 2), 3, 'it says that all of it was taken');
    await file.truncate('recovery-truncate', 1);
    await file.datasync('recovery-sync');
    await file.close();
  }
  await fs.rename('segment-rename', '/d/a', '/d/c');
  await fs.remove('leftover-remove', '/d/a');
  await fs.syncDirectory('recovery-directory-sync', '/d');
  await fs.makeDirectory('/d/e');
  assert.deepEqual(disk.files(), before);
  assert.equal(disk.passed.size, 0);
});

test('BK7 a file that is opened for writing is read as it is, one that is created is empty', async () => {
  const fs = readOnly(diskOf());
  const buffer = Buffer.alloc(20, '.');
  for (const file of [await fs.openRead('/d/a'), await fs.openWrite('/d/a')]) {
    assert.equal(await file.size(), 10);
    assert.equal(await file.read(buffer, 1, 4, 3), 4);
    assert.equal(buffer.toString('utf8', 0, 6), '.3456.');
    buffer.fill('.');
    await file.close();
  }
  const made = await fs.create('segment-create', '/d/b');
  assert.deepEqual([await made.size(), await readFully(made, buffer, 20, 0)], [0, 0]);
});

test('BK13 a missing directory is an empty one; every other error is told', async () => {
  assert.deepEqual(await readOnly(diskOf()).list('/d'), ['a']);
  for (const [code, expected] of [
    ['ENOENT', []],
    ['EACCES', 'EACCES'],
  ] as const) {
    const disk = diskOf();
    disk.list = () => Promise.reject(Object.assign(new Error(code), { code }));
    const listed = readOnly(disk).list('/d');
    if (typeof expected === 'string') await assert.rejects(listed, { code: expected });
    else assert.deepEqual(await listed, expected);
  }
});

test('BK7 the file below is closed with the one above it', async () => {
  let closed = 0;
  const disk = diskOf();
  const { openRead } = disk;
  disk.openRead = async (path) => {
    const file = await openRead.call(disk, path);
    return { ...file, close: async () => void closed++ };
  };
  const fs = readOnly(disk);
  await (await fs.openWrite('/d/a')).close();
  await (await fs.openRead('/d/a')).close();
  assert.equal(closed, 2);
});
