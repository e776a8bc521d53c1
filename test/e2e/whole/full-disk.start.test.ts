/** DK2–DK4: a daemon starts on a full disk, serves all but writes, and writes again once there is space. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openDataDirectory } from '../../../store/data-dir.ts';
import type { FileSystem, OpenFile } from '../../../store/file-system.ts';
import { nodeFileSystem } from '../../../store/node-file-system.ts';
import { eventually } from '../../support/eventually.ts';
import { RosterdProcess } from '../../support/process.ts';
import { temporaryDirectory } from '../../support/store/temp.ts';
import { API_KEY, API_SECRET, serverToken, World } from '../../support/world.ts';

const NO_SPACE = (): Error => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' });

/** The real disk, on which nothing can be written or made while `isFull`. */
function fullDisk(): FileSystem & { isFull: boolean } {
  const disk = { ...nodeFileSystem, isFull: true };
  const wrap = (file: OpenFile): OpenFile => ({
    read: (...args) => file.read(...args),
    write: (...args) => (disk.isFull ? Promise.reject(NO_SPACE()) : file.write(...args)),
    truncate: (...args) => file.truncate(...args),
    datasync: (point) => file.datasync(point),
    size: () => file.size(),
    close: () => file.close(),
  });
  disk.openWrite = async (path) => wrap(await nodeFileSystem.openWrite(path));
  disk.create = async (point, path) => {
    if (disk.isFull) throw NO_SPACE();
    return wrap(await nodeFileSystem.create(point, path));
  };
  return disk;
}

async function lastSegment(data: string): Promise<string> {
  const names = (await readdir(join(data, 'journal'))).filter((name) => name.endsWith('.journal')).sort();
  return join(data, 'journal', names.at(-1) ?? '');
}

async function filled(t: TestContext): Promise<string> {
  const data = await temporaryDirectory();
  const world = await World.start(t, { data });
  await world.upsert({ id: 'ann', name: 'Ann' });
  await world.stop();
  return data;
}

for (const [what, spoil] of [
  ['after a clean stop', async () => {}],
  [
    'after a crash that left a torn tail',
    async (data: string) => {
      await rm(join(data, 'journal', 'clean'));
      await appendFile(await lastSegment(data), 'half a record');
    },
  ],
] as const) {
  test(`DK2 DK4 on a full disk, ${what}, the daemon serves reads and live connections and refuses writes`, async (t) => {
    const data = await filled(t);
    await spoil(data);
    const sizeBefore = (await stat(await lastSegment(data))).size;
    const disk = fullDisk();
    const openStore = () => openDataDirectory(data, { fileSystem: disk });
    const world = await World.start(t, { data, openStore });
    const found = await world.http('GET', '/users');
    assert.deepEqual(
      found.body.users.map(({ id }: { id: string }) => id),
      ['ann'],
    );
    const [plain, forWrites] = [await world.http('GET', '/readyz'), await world.http('GET', '/readyz?need=write')];
    assert.deepEqual([plain.status, forWrites.status, forWrites.body.status], [200, 503, 'not ready']);
    assert.match(forWrites.body.reason, /no space is left on the disk/);
    const subscriber = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
    await subscriber.request({ op: 'ping' });
    // This connect would store that it sent a name.
    const ann = await world.chat('ann', { name: 'Ann' });
    await ann.request({ op: 'ping' });
    for (let n = 0; n < 3; n++) {
      const refused = await world.upsert({ id: 'bob' });
      assert.deepEqual([refused.status, refused.body.code], [503, -1]);
      assert.match(refused.body.message, /no space is left on the disk/);
      assert.equal(refused.body.message.includes(data), false, 'callers need not know the files');
    }
    assert.equal((await stat(await lastSegment(data))).size, sizeBefore, 'nothing was touched');
    // A stop while it is still full loses nothing, and the next start is the same.
    await world.stop();
    const second = await World.start(t, { data, openStore });
    assert.equal((await second.http('GET', '/users')).body.users.length, 1);
    disk.isFull = false;
    assert.equal((await second.upsert({ id: 'bob' })).status, 201);
    await second.stop();
    const third = await World.start(t, { data });
    assert.equal((await third.http('GET', '/users')).body.users.length, 2);
  });
}

test('DK3 a first start on a full disk fails, and names the file and the reason', async () => {
  const data = await temporaryDirectory();
  const disk = fullDisk();
  await assert.rejects(openDataDirectory(data, { fileSystem: disk }), (error: Error) => {
    assert.match(error.message, /cannot be used: .*no space is left on the disk/);
    assert.ok(error.message.includes(data));
    return true;
  });
  disk.isFull = false;
  await (await openDataDirectory(data, { fileSystem: disk })).close();
});

/** A disk of 4 MiB, or undefined where this machine does not allow one. */
async function smallDisk(t: TestContext): Promise<string | undefined> {
  const place = await temporaryDirectory();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', place], { stdio: 'pipe' });
  } catch (error) {
    t.skip(`NO SMALL DISK: a tmpfs cannot be mounted here (${String(error)})`);
    return undefined;
  }
  t.after(() => execFileSync('umount', ['-l', place], { stdio: 'pipe' }));
  return place;
}

/** Takes all space that is left. */
async function fill(place: string): Promise<string> {
  const path = join(place, 'filler');
  await writeFile(path, '');
  for (let bytes = 1024 * 1024; bytes >= 1; bytes = Math.floor(bytes / 2)) {
    try {
      for (;;) await appendFile(path, Buffer.alloc(bytes));
    } catch {
      // Smaller ones may fit.
    }
  }
  return path;
}

test('DK2 DK3 DK4 the same on a real disk without space, as a process', async (t) => {
  const place = await smallDisk(t);
  if (place === undefined) return;
  const data = join(place, 'data');
  const env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };
  const start = (): RosterdProcess => {
    const daemon = RosterdProcess.run(['serve', '--listen', '127.0.0.1:0', '--data', data], { env });
    t.after(() => daemon.kill('SIGKILL'));
    return daemon;
  };
  const ask = async (url: string, method: string, body?: unknown) => {
    const headers = { Authorization: serverToken(), 'Content-Type': 'application/json' };
    const response = await fetch(`${url}/users?api_key=${API_KEY}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, text: await response.text() };
  };
  // The last page of a file has room for less.
  const users = { users: { bob: { id: 'bob', name: 'x'.repeat(9_000) } } };

  const filler = await fill(place);
  const first = await start().finished;
  assert.equal(first.code, 1, first.stderr);
  assert.match(first.stderr, /rosterd: the data directory .* cannot be used: .*no space/);
  assert.ok(first.stderr.includes(data));
  await rm(filler);

  const second = start();
  assert.equal((await ask(await second.listening(), 'POST', { users: { ann: { id: 'ann' } } })).status, 201);
  // No clean stop, and so no space that a stop would free.
  await second.kill('SIGKILL');
  await fill(place);

  const third = start();
  const url = await third.listening();
  assert.match((await ask(url, 'GET')).text, /"id":"ann"/);
  const refused = await ask(url, 'POST', users);
  assert.equal(refused.status, 503);
  assert.match(refused.text, /no space is left on the disk/);
  const ready = async (query: string): Promise<number> => (await fetch(`${url}/readyz${query}`)).status;
  assert.deepEqual([await ready(''), await ready('?need=write')], [200, 503]);
  // A second daemon finds the lock, although there was no space to write into it.
  const other = await start().finished;
  assert.match(other.stderr, /is in use by process \d+/);
  await rm(filler);
  assert.equal((await ask(url, 'POST', users)).status, 201);
  await eventually(async () => (await ready('?need=write')) === 200);
  assert.equal((await third.kill('SIGTERM')).code, 0);
});
