/** BK5, BK6: how the file of a backup comes to its name, and what is left of a reader or a writer that ends early. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BackupDamaged } from '../../../store/backup/codec.ts';
import { BackupExists, checkBackup, writeBackup } from '../../../store/backup/file.ts';
import { backupOf, pieces, someLines } from '../../support/store/backup-kit.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

const DEAD_PID = 2 ** 22 + 1;
const FILE = '/b/roster';

const diskWith = (...names: readonly string[]): SimDisk =>
  SimDisk.holding(new Map(names.map((name) => [`/b/${name}`, Buffer.from('old')])), new Random(1));
const namesIn = (disk: SimDisk): string[] => [...disk.files().keys()].map((path) => path.slice('/b/'.length)).sort();

test('BK5 parts of processes that were killed go; those of the living, and files of other names, stay', async () => {
  const bytes = await backupOf(someLines());
  const others = [
    `roster.${process.ppid}.part`,
    `roster.${DEAD_PID}.part.x`,
    `roster.x${DEAD_PID}.part`,
    `roster2.${DEAD_PID}.part`,
    `xroster.${DEAD_PID}.part`,
    'roster.part',
    'roster..part',
  ];
  const disk = diskWith(`roster.${DEAD_PID}.part`, ...others);
  const { fileBytes, bytes: plain, users } = await writeBackup(FILE, pieces(bytes, 100), { force: false, fileSystem: disk });
  assert.deepEqual([fileBytes, plain, users], [bytes.length, bytes.length, 3]);
  assert.deepEqual(namesIn(disk), ['roster', ...others].sort());
  assert.equal(disk.passed.get('backup-remove'), 1);
  const after = disk.lostPower();
  assert.ok(after.files().get(FILE)?.equals(bytes));
  const packed = gzipSync(bytes);
  const compressed = await writeBackup(FILE, pieces(packed, 100), { force: true, fileSystem: disk });
  assert.deepEqual([compressed.fileBytes, compressed.bytes], [packed.length, bytes.length]);
});

test('BK6 an older file is replaced with force only, also when it came during the write', async () => {
  const bytes = await backupOf(someLines());
  const older = diskWith('roster');
  await assert.rejects(writeBackup(FILE, pieces(bytes), { force: false, fileSystem: older }), (error) => {
    assert.ok(error instanceof BackupExists);
    assert.equal(error.message, '/b/roster exists already; --force replaces it');
    return true;
  });
  assert.deepEqual([older.passed.size, String(older.files().get(FILE))], [0, 'old']);
  const late = diskWith();
  const meanwhile = async function* () {
    yield* pieces(bytes, 500);
    await late.create('segment-create', FILE);
  };
  await assert.rejects(writeBackup(FILE, meanwhile(), { force: false, fileSystem: late }), BackupExists);
  assert.deepEqual([namesIn(late), late.files().get(FILE)?.length], [['roster'], 0]);
  await writeBackup(FILE, pieces(bytes), { force: true, fileSystem: late });
  assert.ok(late.files().get(FILE)?.equals(bytes));
});

test('BK5 whatever fails, the part is closed once and removed', async () => {
  const bytes = await backupOf(someLines());
  for (const point of ['backup-write', 'backup-sync', 'backup-rename', 'backup-directory-sync'] as const) {
    const disk = diskWith();
    let closed = 0;
    const { create } = disk;
    disk.create = async (at, path) => ({ ...(await create.call(disk, at, path)), close: async () => void closed++ });
    disk.plan = (passed) => (passed === point ? { type: 'error', code: 'EIO' } : undefined);
    await assert.rejects(writeBackup(FILE, pieces(bytes), { force: false, fileSystem: disk }), { code: 'EIO' });
    assert.deepEqual([closed, namesIn(disk)], [1, point === 'backup-directory-sync' ? ['roster'] : []], point);
    const removed = point === 'backup-directory-sync' ? undefined : 1;
    assert.equal(disk.passed.get('backup-remove'), removed);
  }
});

test('BK3 the lines are handed over one piece after the other, and only where there are some', async () => {
  const bytes = await backupOf(someLines());
  let busy = false;
  let count = 0;
  await checkBackup(pieces(bytes, 40), 'f', async (lines) => {
    assert.ok(!busy && lines.length > 0);
    busy = true;
    await new Promise((resolve) => setImmediate(resolve));
    busy = false;
    count++;
  });
  assert.ok(count > 3);
});

test('BK3 a source that fails is told with its own error, broken compression with its place; either way the source is ended', async () => {
  const bytes = await backupOf(someLines());
  const packed = gzipSync(bytes);
  for (const whole of [bytes, packed]) {
    let ended = 0;
    const source = async function* (fails: boolean) {
      try {
        yield* pieces(whole.subarray(0, 300), 100);
        if (fails) throw new Error('the connection broke');
        yield* pieces(whole.subarray(300), 100);
      } finally {
        ended++;
      }
    };
    await assert.rejects(checkBackup(source(true), 'f'), /^Error: the connection broke$/);
    assert.equal((await checkBackup(source(false), 'f')).users, 3);
    assert.equal(ended, 2);
  }
  const broken = Buffer.from(packed);
  broken.fill(0xff, 40, 60);
  let isEnded = false;
  const source = async function* () {
    try {
      yield* pieces(broken, 20);
    } finally {
      isEnded = true;
    }
  };
  await assert.rejects(checkBackup(source(), 'f'), (error) => {
    assert.ok(error instanceof BackupDamaged);
    assert.match(error.reason, /^its compression is broken near byte \d+ of the file: /);
    return true;
  });
  assert.ok(isEnded);
  for (const start of [[0x1f], [0x1f, 0x8c], [0x1e, 0x8b]])
    await assert.rejects(checkBackup(pieces(Buffer.from([...start, 1, 2])), 'f'), /does not begin with the header|not end with a trailer/);
});
