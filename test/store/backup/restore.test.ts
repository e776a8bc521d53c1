/** BK8, BK9: where a backup may be restored, what it leaves there, and that nothing is changed where it may not. */
import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { BackupDamaged } from '../../../store/backup/codec.ts';
import { NotEmpty, RESTORING, restoreBackup, whileFilled } from '../../../store/backup/restore.ts';
import { openLocked } from '../../../store/data-dir.ts';
import { backupOf, someLines } from '../../support/store/backup-kit.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';

const BACKUP = '/b/backup';
const SNAPSHOT = '/d/snapshot/000000000001-0000000000000100.ndjson';

/** A disk with a backup and these files in the data directory; like a real one, it lists folders, and says what is none. */
async function diskWith(...names: readonly string[]): Promise<SimDisk> {
  const disk = SimDisk.holding(
    new Map([[BACKUP, await backupOf(someLines())], ...names.map((name) => [`/d/${name}`, Buffer.from('x')] as const)]),
    new Random(1),
  );
  disk.list = async (path) => {
    const files = [...disk.files().keys()];
    if (files.includes(path)) throw Object.assign(new Error('ENOTDIR'), { code: 'ENOTDIR' });
    const inside = files.filter((file) => file.startsWith(`${path}/`)).map((file) => file.slice(path.length + 1));
    if (inside.length === 0 && path !== '/d') throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
    return [...new Set(inside.map((file) => file.split('/')[0] ?? ''))];
  };
  return disk;
}

const namesIn = (disk: SimDisk): string[] => [...disk.files().keys()].filter((path) => path.startsWith('/d/')).sort();

test('BK8 a restored directory holds the snapshot of the backup, beside what may lie there, and no marker', async () => {
  const harmless = ['credentials.json', 'rosterd.json', 'lock/7-abc', 'lost+found/x', 'left~.tmp', 'journal/x~.tmp', 'snapshot/y.tmp'];
  for (const names of [[], harmless]) {
    const disk = await diskWith(...names);
    const { users, position } = await restoreBackup(BACKUP, '/d', disk);
    assert.deepEqual([users, position], [3, { epoch: 'epoch-a', seq: 100 }]);
    assert.deepEqual(namesIn(disk), [...names.map((name) => `/d/${name}`), SNAPSHOT].sort());
    const found = disk.lostPower();
    const { loaded } = await openLocked('/d', { fileSystem: found });
    const lines: object[] = [];
    for await (const some of loaded?.chunks() ?? []) lines.push(...some);
    assert.deepEqual(lines, someLines());
  }
});

test('BK8 a directory with anything else is refused by the name of what was found, and stays as it is', async () => {
  for (const [name, found] of [
    ['users.json', 'users.json'],
    ['journal/0000000000000001.journal', 'journal/0000000000000001.journal'],
    ['snapshot/000000000001-0000000000000007.ndjson', 'snapshot/000000000001-0000000000000007.ndjson'],
    ['lock2', 'lock2'],
    ['other/file', 'other/file'],
  ] as const) {
    const disk = await diskWith('credentials.json', 'journal/y~.tmp', name);
    const before = disk.files();
    await assert.rejects(restoreBackup(BACKUP, '/d', disk), (error) => {
      assert.ok(error instanceof NotEmpty);
      assert.equal(error.message, `/d is not empty: there is ${found}. Restore into an empty directory (credentials.json may be in it)`);
      return true;
    });
    assert.deepEqual(disk.files(), before);
  }
  const disk = await diskWith('a/b');
  disk.list = async (path) => (path === '/d' ? ['a'] : Promise.reject(Object.assign(new Error('EACCES'), { code: 'EACCES' })));
  await assert.rejects(restoreBackup(BACKUP, '/d', disk), { code: 'EACCES' });
});

test('BK9 the remains of an interrupted restore are cleared away, those of anything else are not', async () => {
  const old = 'snapshot/000000000001-0000000000000007.ndjson';
  const disk = await diskWith(RESTORING, old, 'snapshot/half~.tmp');
  await restoreBackup(BACKUP, '/d', disk);
  assert.deepEqual(namesIn(disk), [SNAPSHOT]);
  assert.equal(disk.passed.get('restore-clear'), 2);
  assert.deepEqual(
    [...disk.lostPower().files().keys()].filter((path) => path.startsWith('/d/')),
    [SNAPSHOT],
  );
  const empty = await diskWith(RESTORING);
  await restoreBackup(BACKUP, '/d', empty);
  assert.deepEqual([namesIn(empty), empty.passed.get('restore-clear-sync')], [[SNAPSHOT], undefined]);
  for (const other of ['journal/0000000000000001.journal', 'users.json'])
    await assert.rejects(restoreBackup(BACKUP, '/d', await diskWith(RESTORING, other)), NotEmpty);
  // Without the marker, what lies in the folder of the snapshots is not looked at again.
  const fresh = await diskWith('snapshot/half~.tmp');
  await restoreBackup(BACKUP, '/d', fresh);
  assert.equal(fresh.passed.get('restore-clear'), undefined);
});

test('BK8 a damaged backup changes nothing, and neither does one that changes while it is restored', async () => {
  const disk = await diskWith('credentials.json');
  disk.flip(BACKUP, 200, 1);
  await assert.rejects(restoreBackup(BACKUP, '/d', disk), BackupDamaged);
  assert.deepEqual([namesIn(disk), disk.passed.size], [['/d/credentials.json'], 0]);

  const changing = await diskWith();
  const { openRead } = changing;
  let reads = 0;
  const other = SimDisk.holding(new Map([[BACKUP, await backupOf(someLines(9))]]), new Random(1));
  changing.openRead = (path) => (++reads === 2 ? other.openRead(path) : openRead.call(changing, path));
  await assert.rejects(restoreBackup(BACKUP, '/d', changing), /^Error: \/b\/backup was changed while it was read$/);
  assert.deepEqual(namesIn(changing), []);
});

test('BK9 the marker stands during the whole write, and stays when even the clearing fails', async () => {
  const disk = await diskWith();
  const points: string[] = [];
  disk.plan = (point) => {
    points.push(`${point}${disk.files().has(`/d/${RESTORING}`) ? ' under the marker' : ''}`);
    return undefined;
  };
  await restoreBackup(BACKUP, '/d', disk);
  const written = points.filter((point) => point.startsWith('snapshot-') || point.startsWith('restore-'));
  assert.ok(written.length > 5 && written.every((point) => point.endsWith(' under the marker')), points.join());
  assert.deepEqual(points.slice(-3), [
    'restore-directory-sync under the marker',
    'restoring-remove under the marker',
    'restoring-remove-sync',
  ]);
  const failing = await diskWith();
  failing.plan = (point) => (point === 'restore-directory-sync' || point === 'restore-clear' ? { type: 'error', code: 'EIO' } : undefined);
  await assert.rejects(restoreBackup(BACKUP, '/d', failing), { code: 'EIO' });
  assert.ok(failing.files().has(`/d/${RESTORING}`));
  assert.equal(failing.files().get(`/d/${RESTORING}`)?.toString(), 'a restore was begun and not finished\n');
});

test('BK9 one write follows the other, however long each takes', async () => {
  const disk = await diskWith();
  const { create } = disk;
  let writing = 0;
  disk.create = async (at, path) => {
    const file = await create.call(disk, at, path);
    return {
      ...file,
      write: async (...args) => {
        assert.equal(++writing, 1);
        for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
        writing--;
        return await file.write(...args);
      },
    };
  };
  await restoreBackup(BACKUP, '/d', disk);
  assert.deepEqual([namesIn(disk), writing], [[SNAPSHOT], 0]);
});

test('BK8 a directory is marked while it is filled; what fails leaves it empty, and what was interrupted is not continued', async () => {
  const directory = await temporaryDirectory();
  const fill = async (): Promise<void> => {
    for (const place of ['journal', 'snapshot']) {
      await mkdir(join(directory, place), { recursive: true });
      await writeFile(join(directory, place, 'file'), 'x');
    }
  };
  const inside = async (): Promise<string> => (await readdir(directory, { recursive: true })).sort().join(' ');
  const failing = whileFilled(directory, async () => {
    await fill();
    assert.equal(await inside(), `journal journal/file ${RESTORING} snapshot snapshot/file`);
    throw new RangeError('no space');
  });
  await assert.rejects(failing, /no space/);
  assert.equal(await inside(), 'journal snapshot');
  await whileFilled(directory, fill);
  assert.equal(await inside(), 'journal journal/file snapshot snapshot/file');
  const unasked = async (): Promise<void> => assert.fail('nothing is filled');
  await assert.rejects(whileFilled(directory, unasked), NotEmpty);
  const interrupted = await temporaryDirectory();
  await writeFile(join(interrupted, RESTORING), '');
  await assert.rejects(whileFilled(interrupted, unasked), (error) => error instanceof NotEmpty && error.message.includes(RESTORING));
});
