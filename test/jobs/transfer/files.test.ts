/** FI: files beside the directory are there whole or not at all, under names that the daemon made. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, readlink, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { Files, type FilesOptions } from '../../../daemon/jobs/transfer/files.ts';
import { type ErrorKind, RosterError } from '../../../protocol/base/errors.ts';
import { EXPORT_FILE } from '../../../protocol/transfer/exports.ts';
import { BlobFiles } from '../../../store/blob-files.ts';
import type { FileSystem } from '../../../store/file-system.ts';
import { untilDeath } from '../../support/store/death.ts';
import { Random } from '../../support/store/random.ts';
import { SimDisk } from '../../support/store/sim-disk.ts';

const PATH = '11111111-2222-3333-4444-555555555555/users.jsonl';
const NO_PLANS = { plansBeforeMs: 0, neededPlans: new Set<string>() };
const NONE = { exportsBeforeMs: 0, uploadsBeforeMs: 0, neededUploads: new Set<string>(), ...NO_PLANS };

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'rosterd-files-'));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

interface Options extends FilesOptions {
  readonly fileSystem?: FileSystem;
}

async function openFiles(data: string, { fileSystem, ...options }: Options = {}): Promise<Files> {
  return new Files(await BlobFiles.open(data, fileSystem), options);
}

async function text(stream: Readable | undefined): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream ?? []) parts.push(part);
  return Buffer.concat(parts).toString();
}

async function refused(act: Promise<unknown>, kind: ErrorKind, text = /./): Promise<void> {
  await assert.rejects(act, (error) => error instanceof RosterError && error.kind === kind && text.test(error.message));
}

test('FI1 the directories are for nobody else, and so are the files', async (t) => {
  const data = await directory(t);
  const files = await openFiles(data);
  await files.saveUpload(PATH, Readable.from([Buffer.from('x')]), 10);
  for (const folder of ['exports', 'uploads']) assert.equal((await stat(join(data, folder))).mode & 0o777, 0o700);
  const [name = ''] = await readdir(join(data, 'uploads'));
  assert.equal((await stat(join(data, 'uploads', name))).mode & 0o777, 0o600);
});

test('FI2 an upload comes back as it was sent', async (t) => {
  const files = await openFiles(await directory(t));
  assert.equal(await files.hasUpload(PATH), false);
  assert.equal(await files.openUpload(PATH), undefined);
  const chunks = Array.from({ length: 50 }, (_, i) => Buffer.alloc(10_000, i));
  assert.deepEqual(await files.saveUpload(PATH, Readable.from(chunks), 500_000), { bytes: 500_000 });
  assert.equal(await files.hasUpload(PATH), true);
  const upload = await files.openUpload(PATH);
  assert.equal(upload?.bytes, 500_000);
  assert.equal(await text(upload?.stream), Buffer.concat(chunks).toString());
});

test('FI3 an upload that is too big, breaks off or falls silent leaves nothing', async (t) => {
  const data = await directory(t);
  const files = await openFiles(data, { silenceMs: 50 });
  const big = new PassThrough();
  big.write('12345');
  big.write('678901');
  await refused(files.saveUpload(PATH, big, 10), 'too_big');
  assert.equal(big.destroyed, false, 'the source may be a request that is still to be answered');
  await new Promise(setImmediate);
  assert.equal(big.readableFlowing, true, 'and its rest is read, so that the answer arrives');
  big.destroy();

  const broken = new PassThrough();
  broken.write('12345');
  setImmediate(() => broken.destroy());
  await refused(files.saveUpload(PATH, broken, 10), 'input');

  const silent = new PassThrough();
  silent.write('12345');
  await refused(files.saveUpload(PATH, silent, 10), 'timeout');

  assert.deepEqual(await readdir(join(data, 'uploads')), []);
  assert.deepEqual(await files.saveUpload(PATH, Readable.from([Buffer.from('1234567890')]), 10), { bytes: 10 }, 'the path is free again');
});

test('FI4 under one path there is one file, once', async (t) => {
  const files = await openFiles(await directory(t));
  const slow = new PassThrough();
  slow.write('first');
  const first = files.saveUpload(PATH, slow, 100);
  await refused(files.saveUpload(PATH, Readable.from([Buffer.from('second')]), 100), 'conflict', /is being uploaded at the moment/);
  slow.end();
  await first;
  await refused(files.saveUpload(PATH, Readable.from([Buffer.from('third')]), 100), 'conflict', /was uploaded already/);
  assert.equal(await text((await files.openUpload(PATH))?.stream), 'first');
});

test('FI5 no name leads out of the directory', async (t) => {
  const data = await directory(t);
  await writeFile(join(data, 'secret.jsonl'), 'secret');
  const files = await openFiles(data);
  const id = PATH.split('/')[0];
  for (const path of [
    '',
    '..',
    '../secret.jsonl',
    `${id}/..`,
    `${id}/../x`,
    `${id}/a/b`,
    `${id}/.hidden`,
    `${id}/a\0`,
    `/${PATH}`,
    `${PATH}\n`,
    `${id}/a~b`,
  ]) {
    assert.equal(await files.hasUpload(path), false, path);
    assert.equal(await files.openUpload(path), undefined, path);
    await refused(files.saveUpload(path, Readable.from([Buffer.from('x')]), 10), 'not_found');
  }
  for (const task of ['', '..', '../secret', 'a/b', '../uploads/x', 'a\0']) {
    assert.equal(await files.openExport(task, 'users.jsonl'), undefined, task);
    await assert.rejects(files.writeExport(task, ['x']));
  }
  await files.writeExport('task', ['x']);
  for (const name of ['', '..', 'users.jsonl/', '../users.jsonl', 'task.jsonl'])
    assert.equal(await files.openExport('task', name), undefined);
  assert.deepEqual((await readdir(data)).sort(), ['exports', 'plans', 'secret.jsonl', 'uploads']);
});

test('FI6 an export is there when it is whole; writing it anew replaces it', async (t) => {
  const data = await directory(t);
  const files = await openFiles(data);
  assert.equal(await files.openExport('task', 'users.jsonl'), undefined);
  await assert.rejects(
    files.writeExport(
      'task',
      (function* () {
        yield 'one';
        throw new Error('no more');
      })(),
    ),
    /no more/,
  );
  assert.deepEqual(await readdir(join(data, 'exports')), []);
  await files.writeExport('task', ['one', 'two']);
  await files.writeExport('task', ['three']);
  const found = await files.openExport('task', 'users.jsonl');
  assert.equal(found?.bytes, 6);
  assert.equal(await text(found?.stream), 'three\n');
});

test('FI6 an export is there whole or not at all when the power goes, and for good once it is written', async (t) => {
  const data = await directory(t);
  const name = join(data, 'exports', 'task.jsonl');
  for (let seed = 1; seed <= 40; seed++) {
    const disk = new SimDisk(new Random(seed));
    const files = await openFiles(data, { fileSystem: disk });
    await files.writeExport('task', ['old']);
    let left = seed % 6;
    disk.plan = () => (left-- === 0 ? { type: 'crash' } : undefined);
    const isDone = await untilDeath(disk, files.writeExport('task', ['new', 'lines']));
    const text = disk.lostPower().files().get(name)?.toString();
    assert.ok(text === 'new\nlines\n' || (!isDone && text === 'old\n'), `seed ${seed}: ${text}`);
  }
});

test('FI7 what was left half-written is cleared away at the start, and nothing else', async (t) => {
  const data = await directory(t);
  const first = await openFiles(data);
  await first.writeExport('task', ['kept']);
  const path = PATH.replace('users.jsonl', 'users.part');
  await first.saveUpload(path, Readable.from([Buffer.from('an upload may be called like this')]), 100);
  const [id] = PATH.split('/');
  // Of this version, and of earlier ones.
  for (const half of ['task.jsonl~.tmp', `task.jsonl.${id}.part`]) await writeFile(join(data, 'exports', half), 'half');
  for (const half of [`${id}~users.tmp~.tmp`, `${id}~users.jsonl.${id}.part`]) await writeFile(join(data, 'uploads', half), 'half');
  const files = await openFiles(data);
  assert.deepEqual(await readdir(join(data, 'exports')), ['task.jsonl']);
  assert.deepEqual(await readdir(join(data, 'uploads')), [path.replace('/', '~')]);
  assert.equal(await files.hasUpload(path), true);
});

test('FI8 old files go, but no upload that is still needed and none that is arriving', async (t) => {
  const data = await directory(t);
  const files = await openFiles(data);
  const other = PATH.replace('1', '9');
  const arriving = PATH.replace('1', '8');
  for (const path of [PATH, other]) await files.saveUpload(path, Readable.from([Buffer.from('x')]), 10);
  const source = new PassThrough();
  const upload = files.saveUpload(arriving, source, 10);
  source.write('x');
  while ((await readdir(join(data, 'uploads'))).length < 3) await new Promise((resolve) => setImmediate(resolve));
  await files.writeExport('old', ['x']);
  await files.writeExport('new', ['x']);
  await symlink(join(data, 'nowhere'), join(data, 'exports', 'dangling'));
  const past = new Date(1_000_000);
  for (const name of await readdir(join(data, 'uploads'))) await utimes(join(data, 'uploads', name), past, past);
  await utimes(join(data, 'exports', 'old.jsonl'), past, past);
  assert.equal(await files.removeOld(NONE), 0);
  const cut = { exportsBeforeMs: 2_000_000, uploadsBeforeMs: 2_000_000, neededUploads: new Set([other]), ...NO_PLANS };
  assert.equal(await files.removeOld(cut), 2);
  assert.deepEqual([await files.hasUpload(PATH), await files.hasUpload(other)], [false, true]);
  assert.deepEqual(
    (await readdir(join(data, 'exports'))).filter((name) => name.endsWith('.jsonl')),
    ['new.jsonl'],
  );
  source.end();
  await upload;
  assert.equal(await readFile(join(data, 'uploads', arriving.replace('/', '~')), 'utf8'), 'x');
});

test('FI8 files of exactly that age stay, directories that are not there are empty, and another error is told', async (t) => {
  const data = await directory(t);
  const files = await openFiles(data);
  await files.saveUpload(PATH, Readable.from([Buffer.from('x')]), 10);
  const [name = ''] = await readdir(join(data, 'uploads'));
  await utimes(join(data, 'uploads', name), new Date(5_000), new Date(5_000));
  assert.equal(await files.removeOld({ ...NONE, uploadsBeforeMs: 5_000 }), 0);
  assert.equal(await files.removeOld({ ...NONE, uploadsBeforeMs: 5_001 }), 1);
  for (const folder of ['exports', 'uploads']) await rm(join(data, folder), { recursive: true });
  assert.equal(await files.removeOld({ ...NONE, uploadsBeforeMs: 9_000 }), 0);
  await files.saveUpload(PATH, Readable.from(['text']), 10);
  await files.writeExport('task', ['line']);
  assert.equal(await text((await files.openUpload(PATH))?.stream), 'text', 'the directories are made again');
  await rm(join(data, 'exports'), { recursive: true });
  await writeFile(join(data, 'exports'), 'no directory');
  await assert.rejects(files.removeOld(NONE), { code: 'ENOTDIR' });
  await assert.rejects(files.openExport('task', EXPORT_FILE), { code: 'ENOTDIR' });
});

test('DK1 FI3 what goes wrong with an upload is said in words that a caller may see; a mistake of the daemon is not', async () => {
  const failing = async (code: string): Promise<unknown> => {
    const disk = new SimDisk(new Random(1));
    const files = await openFiles('/data', { fileSystem: disk });
    disk.plan = (point) => (point === 'side-file-write' ? { type: 'error', code: code as never } : undefined);
    return await files.saveUpload(PATH, Readable.from([Buffer.from('x')]), 10).catch((error: unknown) => error);
  };
  for (const code of ['ENOSPC', 'EDQUOT']) {
    const error = await failing(code);
    assert.ok(
      error instanceof RosterError && error.kind === 'unavailable' && error.message === 'there is no space left to store the file',
      code,
    );
  }
  const other = await failing('EIO');
  assert.ok(other instanceof Error && !(other instanceof RosterError));
  for (const code of ['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE']) {
    const files = await openFiles('/data', { fileSystem: new SimDisk(new Random(1)) });
    const source = new PassThrough();
    source.on('error', () => {});
    const saving = files.saveUpload(PATH, source, 10).catch((found: unknown) => found);
    source.destroy(Object.assign(new Error('cut'), { code }));
    const error = await saving;
    assert.ok(error instanceof RosterError && error.kind === 'input' && error.message === 'the file broke off before its end', code);
  }
});

test('FI2 an upload of exactly the largest size is taken, and no file is left open', async (t) => {
  const data = await directory(t);
  const files = await openFiles(data);
  assert.deepEqual(await files.saveUpload(PATH, Readable.from([Buffer.from('12345'), Buffer.from('67890')]), 10), { bytes: 10 });
  await files.writeExport('task', ['x']);
  // Linux lists the files that this process has open.
  const open = await readdir('/proc/self/fd').catch(() => []);
  const links = await Promise.all(open.map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
  assert.deepEqual(
    links.filter((link) => link.startsWith(data)),
    [],
  );
});

test('FI6 an export that the disk refuses is not there, and the one before it stays', async () => {
  const disk = new SimDisk(new Random(1));
  const files = await openFiles('/data', { fileSystem: disk });
  await files.writeExport('task', ['before']);
  disk.plan = (point) => (point === 'side-file-write' ? { type: 'error', code: 'ENOSPC' } : undefined);
  await assert.rejects(files.writeExport('task', ['after']), { code: 'ENOSPC' });
  disk.plan = () => undefined;
  assert.deepEqual(await disk.list('/data/exports'), ['task.jsonl']);
  const file = await disk.openRead('/data/exports/task.jsonl');
  const buffer = Buffer.alloc(20);
  assert.equal(buffer.toString('utf8', 0, await file.read(buffer, 0, 20, 0)), 'before\n');
});
