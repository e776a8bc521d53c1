/** LG9, LG11, DK3: a data directory that cannot be used says why, and gives its lock back. */
import assert from 'node:assert/strict';
import promises, { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RESTORING } from '../../store/backup/restore.ts';
import { DataDirectoryUnusable, openDataDirectory, openLocked } from '../../store/data-dir.ts';
import { LogDamaged } from '../../store/log.ts';
import { appendOne, draft } from '../support/store/entries.ts';
import { Random } from '../support/store/random.ts';
import { SimDisk } from '../support/store/sim-disk.ts';
import { syncedFolders } from '../support/store/synced-folders.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

const failure = (code: string, more: object = {}): Error => Object.assign(new Error(`${code}: the disk, open`), { code, ...more });

/** Lets a function of `node:fs/promises` fail while `act` runs. */
async function failing(t: TestContext, name: 'mkdir' | 'access', error: unknown, act: () => Promise<unknown>): Promise<void> {
  const { mock } = t.mock.method(promises, name, () => Promise.reject(error));
  syncBuiltinESMExports();
  await act().finally(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
}

const isUnusable = (directory: string, reason: string | RegExp) => (error: unknown) => {
  assert.ok(error instanceof DataDirectoryUnusable, String(error));
  assert.equal(error.directory, directory);
  const start = `the data directory ${directory} cannot be used: `;
  assert.ok(error.message.startsWith(start), error.message);
  assert.match(error.message.slice(start.length), typeof reason === 'string' ? new RegExp(`^${reason}$`) : reason);
  assert.ok(error.cause instanceof Error);
  return true;
};

test('DK3 a directory that cannot be made or entered is told with its reason', async (t) => {
  const directory = join(await temporaryDirectory(), 'data');
  const uid = process.getuid?.();
  for (const [code, reason] of [
    ['EACCES', `user ${uid} may not read and write it`],
    ['EPERM', `user ${uid} may not read and write it`],
    ['ENOSPC', 'it cannot be made: no space is left on the disk'],
    ['EROFS', 'it lies on a read-only file system'],
    ['EEXIST', 'a part of its path is a file'],
    ['ENOTDIR', 'a part of its path is a file'],
    ['EIO', 'EIO: the disk, open'],
  ] as const) {
    for (const name of ['mkdir', 'access'] as const) {
      await failing(t, name, failure(code), () => assert.rejects(openDataDirectory(directory), isUnusable(directory, reason)));
    }
  }
});

test('DK3 an error of the system behind the lock names the place of the error, every other error speaks for itself', async () => {
  const directory = await temporaryDirectory();
  const withError = async (error: unknown): Promise<unknown> => {
    const disk = new SimDisk(new Random(1));
    disk.list = () => Promise.reject(error);
    const opening = openDataDirectory(directory, { fileSystem: disk });
    const thrown = await opening.then(
      () => assert.fail('it opened'),
      (one: unknown) => one,
    );
    assert.deepEqual(await readdir(join(directory, 'lock')), [], 'the lock is given back');
    return thrown;
  };
  const system = { syscall: 'open', path: '/d/file' };
  isUnusable(directory, 'EIO: the disk, open')(await withError(failure('EIO', system)));
  isUnusable(directory, '/d/file cannot be written: no space is left on the disk')(await withError(failure('ENOSPC', system)));
  isUnusable(
    directory,
    `${directory} cannot be written: no space is left on the disk`,
  )(await withError(failure('ENOSPC', { syscall: 'open' })));
  for (const other of [new LogDamaged('f', 7, 'x'), failure('EIO'), Object.assign(new Error('x'), { syscall: 'open' }), 'text']) {
    assert.equal(await withError(other), other);
  }
  const file = join(directory, 'lock-as-a-file');
  await mkdir(file);
  await writeFile(join(file, 'lock'), '');
  await assert.rejects(openDataDirectory(file), isUnusable(file, /^EEXIST: /));
});

test('BK9 a directory in which a restore was not finished does not open', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, RESTORING), '');
  await assert.rejects(openDataDirectory(directory), (error) => {
    assert.ok(error instanceof DataDirectoryUnusable);
    assert.match(error.message, /: a restore was begun in it and not finished; run "rosterd restore" again$/);
    return true;
  });
  assert.deepEqual(await readdir(join(directory, 'lock')), []);
  await chmod(directory, 0o700);
});

test('LG9 the folders of a new directory are for their owner alone, and its names are durable', async () => {
  const parent = await temporaryDirectory();
  const directory = join(parent, 'a', 'b');
  const data = await openDataDirectory(directory, { journal: { now: () => 7 } });
  for (const made of ['a', 'a/b', 'a/b/lock', 'a/b/journal', 'a/b/snapshot'])
    assert.equal((await stat(join(parent, made))).mode & 0o777, 0o700);
  assert.deepEqual((await readdir(directory)).sort(), ['exports', 'journal', 'lock', 'plans', 'snapshot', 'uploads']);
  await appendOne(data.log, draft('a'));
  await data.close();
  assert.deepEqual(await readdir(join(directory, 'lock')), []);
  assert.match(await readFile(join(directory, 'journal', 'clean'), 'utf8'), /"seq":1/);
  const disk = new SimDisk(new Random(1));
  const synced: string[] = [];
  disk.plan = (point, path) => {
    if (point === 'recovery-directory-sync') synced.push(path);
    return undefined;
  };
  const { loaded, snapshots } = await openLocked('/d', { fileSystem: disk });
  assert.deepEqual([synced, loaded, await snapshots.load()], [['/d'], undefined, undefined]);
});

test('LG10 the lock is given back also when the log cannot be closed', async (t) => {
  const directory = await temporaryDirectory();
  const data = await openDataDirectory(directory);
  t.mock.method(data.log, 'close', () => Promise.reject(failure('EIO')));
  await assert.rejects(data.close(), { code: 'EIO' });
  assert.deepEqual(await readdir(join(directory, 'lock')), []);
});

test('LG9 the name of a directory that was made is durable, that of one that was there is left alone', async (t) => {
  const parent = await temporaryDirectory();
  const synced = syncedFolders(t);
  const directory = join(parent, 'a', 'b');
  const openAndClose = async (): Promise<string[]> => {
    await (await openDataDirectory(directory)).close();
    return synced.splice(0);
  };
  const first = await openAndClose();
  assert.equal(first[0], parent, 'the outermost new name lies there');
  for (const place of [directory, join(directory, 'journal')]) assert.ok(first.includes(place), `${place} of ${first}`);
  assert.ok(!(await openAndClose()).includes(parent));
});
