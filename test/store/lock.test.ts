/** LG9: whose lock counts: what an owner writes of itself, and how others find out whether it lives. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import promises, { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import timers from 'node:timers/promises';
import type { StoreEvent } from '../../store/events.ts';
import { acquireLock, DataDirectoryLocked, isRunning, type Lock } from '../../store/lock.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

/** No process has it: it is larger than the largest pid. */
const DEAD_PID = 2 ** 22 + 1;

/** A directory, and pauses that end as soon as the test has seen them. */
async function bench(t: TestContext) {
  const directory = await temporaryDirectory();
  const place = join(directory, 'lock');
  await mkdir(place);
  let paused: { readonly ms: number; readonly end: () => void } | undefined;
  t.mock.method(timers, 'setTimeout', (ms: number) => new Promise<void>((end) => (paused = { ms, end })));
  t.mock.timers.enable({ apis: ['setInterval'] });
  // Whoever does not wait for it leaves the file to whatever comes next.
  const { unlink } = promises;
  t.mock.method(promises, 'unlink', async (file: string) => {
    await new Promise((resolve) => setImmediate(resolve));
    await unlink(file);
  });
  // Else a name that was imported from these modules stays the real one.
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
  const events: StoreEvent[] = [];
  /** Waits until the lock is held or refused. `meanwhile` is called in each pause; `passedMs` is the length of those before it. */
  const acquired = async (meanwhile: (passedMs: number) => Promise<unknown> = async () => {}) => {
    let end: { lock: Lock } | { error: unknown } | undefined;
    acquireLock(directory, (event) => void events.push(event)).then(
      (lock) => (end = { lock }),
      (error: unknown) => (end = { error }),
    );
    const pauses: number[] = [];
    for (;;) {
      while (end === undefined && paused === undefined) await new Promise((resolve) => setImmediate(resolve));
      if (end !== undefined) return { ...end, pauses, passedMs: sum(pauses) };
      await meanwhile(sum(pauses));
      pauses.push(paused?.ms ?? 0);
      const { end: go } = paused ?? assert.fail();
      paused = undefined;
      go();
    }
  };
  const put = async (name: string, content: object | string): Promise<string> => {
    const file = join(place, name);
    await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
    return file;
  };
  const names = (): Promise<string[]> => readdir(place);
  return { directory, place, events, acquired, put, names };
}

const sum = (all: readonly number[]): number => all.reduce((total, one) => total + one, 0);

/** What this process writes of itself. */
async function ownWords(): Promise<Record<string, unknown>> {
  const directory = await temporaryDirectory();
  const lock = await acquireLock(directory);
  const [name = ''] = await readdir(join(directory, 'lock'));
  const owner: Record<string, unknown> = JSON.parse(await readFile(join(directory, 'lock', name), 'utf8'));
  await lock.release();
  return owner;
}

async function held(ended: Promise<object>): Promise<{ lock: Lock; passedMs: number; pauses: number[] }> {
  const end = await ended;
  assert.ok('lock' in end, 'error' in end ? String(end.error) : '');
  return end as { lock: Lock; passedMs: number; pauses: number[] };
}

async function refused(ended: Promise<object>): Promise<{ error: DataDirectoryLocked; passedMs: number; pauses: number[] }> {
  const end = await ended;
  assert.ok('error' in end && end.error instanceof DataDirectoryLocked, 'error' in end ? String(end.error) : 'it is held');
  return end as { error: DataDirectoryLocked; passedMs: number; pauses: number[] };
}

test('LG9 an owner writes its pid, host, boot, pid namespace and start time, for itself alone, and takes all of it away', async () => {
  const directory = await temporaryDirectory();
  const lock = await acquireLock(directory);
  const place = join(directory, 'lock');
  const [name = '', ...others] = await readdir(place);
  assert.match(name, new RegExp(`^${process.pid}-[0-9a-f]{16}$`));
  assert.deepEqual(others, []);
  assert.deepEqual([(await stat(place)).mode & 0o777, (await stat(join(place, name))).mode & 0o777], [0o700, 0o600]);
  const fields = (await readFile('/proc/self/stat', 'utf8')).replace(/^\d+ \(.*\) /s, '').split(' ');
  assert.deepEqual(JSON.parse(await readFile(join(place, name), 'utf8')), {
    pid: process.pid,
    host: hostname(),
    boot: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    namespace: await promises.readlink('/proc/self/ns/pid'),
    // The state of the process is the third field, the start time the 22nd.
    start: fields[19],
  });
  await lock.release();
  assert.deepEqual(await readdir(place), []);
  await lock.release();
});

test('LG9 an owner of the same kernel lives when its process does, started when it says', async (t) => {
  const { acquired, put, names, events } = await bench(t);
  const me = await ownWords();
  for (const [pid, start, lives] of [
    [process.pid, me.start, true],
    [process.pid, '', true],
    [process.pid, '1', false],
    [process.ppid, '', true],
    [DEAD_PID, me.start, false],
    [DEAD_PID, '', false],
  ] as const) {
    const file = await put(`${pid}-other`, { ...me, pid, start });
    if (lives) {
      const { error } = await refused(acquired());
      assert.equal(error.pid, pid);
      assert.match(error.message, pid === process.pid ? /in use by this process;/ : new RegExp(`in use by process ${pid};`));
      assert.deepEqual([await names(), events], [[`${pid}-other`], []]);
      await rm(file);
    } else {
      const { lock, passedMs } = await held(acquired());
      assert.deepEqual(events.splice(0), [{ type: 'lock-taken-over', pid }]);
      assert.deepEqual([(await names()).length, passedMs], [1, 0]);
      await lock.release();
    }
  }
});

test('LG9 an owner that was killed is dead, though its parent has not asked for its exit code', async (t) => {
  const { acquired, put } = await bench(t);
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  t.after(() => parent.kill());
  const [pid] = String(await once(parent.stdout, 'data').then(([text]) => text))
    .split('\n')
    .map(Number);
  assert.ok(pid !== undefined);
  const statOf = async (): Promise<string[]> => (await readFile(`/proc/${pid}/stat`, 'utf8')).replace(/^\d+ \(.*\) /s, '').split(' ');
  // A shell asks for the exit codes of its children; the program that it becomes does not know of them.
  while ((await readFile(`/proc/${parent.pid}/comm`, 'utf8')) !== 'sleep\n') await new Promise((resolve) => setImmediate(resolve));
  process.kill(pid, 'SIGKILL');
  while ((await statOf())[0] !== 'Z') await new Promise((resolve) => setImmediate(resolve));
  const start = (await statOf())[19];
  await put(`${pid}-other`, { ...(await ownWords()), pid, start });
  const { lock } = await held(acquired());
  await lock.release();
});

test('LG9 an owner of an earlier boot of this host is dead at once, whatever process has its pid now', async (t) => {
  const { acquired, put, events } = await bench(t);
  const me = await ownWords();
  await put(`${process.pid}-a`, { ...me, boot: 'earlier' });
  await put(`${process.pid}-b`, { ...me, boot: 'earlier', namespace: 'other' });
  const { lock, passedMs } = await held(acquired());
  assert.deepEqual([events.length, passedMs], [2, 0]);
  await lock.release();
});

test('LG9 an owner that cannot be seen lives while its heartbeat moves, and is dead after six seconds without', async (t) => {
  const { acquired, put, names } = await bench(t);
  const me = await ownWords();
  for (const [what, content] of [
    ['another namespace', { ...me, namespace: 'other' }],
    ['another host', { ...me, host: 'other', boot: 'other' }],
    ['a host without boot ids', { ...me, boot: '' }],
    ['words of another kind', { ...me, host: 1, boot: 2, namespace: 3, start: 4 }],
    ['no object', 'null'],
    ['no JSON', '{'],
    ['nothing, as on a full disk', ''],
  ] as const) {
    const file = await put(`${process.pid}-other`, content);
    const beat = (ms: number): Promise<void> => utimes(file, new Date(ms), new Date(ms));
    await beat(1_000);
    const moving = await refused(acquired((passedMs) => beat(2_000 + passedMs)));
    assert.equal(moving.error.pid, process.pid, what);
    // The last beat comes just before the end of the wait.
    await beat(1_000);
    const late = await refused(acquired((passedMs) => (passedMs % 7_000 >= 5_500 ? beat(2_000 + passedMs) : Promise.resolve())));
    assert.ok(late.passedMs >= 6_000, `${late.passedMs} ms`);
    await beat(1_000);
    const { lock, passedMs } = await held(acquired());
    assert.equal(passedMs, 6_000, what);
    assert.equal((await names()).length, 1);
    await lock.release();
  }
});

/** A system that shows this process neither boot ids nor namespaces, nor when a process started, as without /proc. */
function withoutProc(t: TestContext): void {
  const { readFile: realRead, readlink: realLink } = promises;
  const missing = Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
  const isThere = (path: unknown): boolean => !String(path).startsWith('/proc/');
  t.mock.method(promises, 'readFile', async (...args: Parameters<typeof realRead>) =>
    isThere(args[0]) ? await realRead(...args) : Promise.reject(missing),
  );
  t.mock.method(promises, 'readlink', async (path: string) => (isThere(path) ? await realLink(path) : Promise.reject(missing)));
  syncBuiltinESMExports();
}

test('LG9 a boot id that this process or the owner does not know is no sign of a restart', async (t) => {
  const { acquired, put } = await bench(t);
  const known = await ownWords();
  withoutProc(t);
  const here = { ...known, boot: '', namespace: '', start: '' };
  /** `waitMs`: how long it takes to see that an owner without a heartbeat is dead. */
  for (const [what, pid, owner, waitMs] of [
    ['on this host, where other processes can read it', DEAD_PID, known, 6_000],
    ['on this host, by a pid that no process has', DEAD_PID, here, 0],
    ['on this host, by a pid that some process has', process.ppid, here, 6_000],
    ['on another host, whose processes are not those here', DEAD_PID, { ...here, host: 'other' }, 6_000],
    ['in a file that a full disk left empty', DEAD_PID, {}, 6_000],
  ] as const) {
    const file = await put(`${pid}-other`, { ...owner, pid });
    const beat = (ms: number): Promise<void> => utimes(file, new Date(ms), new Date(ms));
    if (waitMs > 0) {
      await beat(1_000);
      const { error } = await refused(acquired((passedMs) => beat(2_000 + passedMs)));
      assert.equal(error.pid, pid, what);
      await beat(1_000);
    }
    const { lock, passedMs } = await held(acquired());
    assert.equal(passedMs, waitMs, what);
    await lock.release();
  }
});

test('LG9 an owner that goes away while it is watched is not waited for any longer', async (t) => {
  const { acquired, put } = await bench(t);
  const file = await put(`${process.pid}-other`, '');
  const { lock, passedMs } = await held(acquired(async (passed) => passed === 1_000 && (await rm(file))));
  assert.equal(passedMs, 1_500);
  await lock.release();
});

test('LG9 a starter that meets another one gives way and tries again, four times in all', async (t) => {
  const { acquired, put, names } = await bench(t);
  const me = await ownWords();
  const file = await put(`${process.pid}-other`, me);
  t.mock.method(Math, 'random', () => 0.999);
  const meanwhile = async (): Promise<void> => assert.deepEqual(await names(), [`${process.pid}-other`], 'its own file is gone');
  const { pauses } = await refused(acquired(meanwhile));
  assert.equal(pauses.length, 3);
  assert.ok(pauses.every((ms) => ms > 40 && ms < 50));
  const { lock } = await held(acquired(async () => await rm(file)));
  await lock.release();
});

test('LG9 files that were left unfinished by the dead are removed, those of the living stay', async (t) => {
  const { acquired, put, names } = await bench(t);
  for (const pid of [process.pid, DEAD_PID]) for (const end of ['~.tmp', '.tmp']) await put(`${pid}-x${end}`, '');
  await put('nobody-x~.tmp', '');
  const { lock } = await held(acquired());
  await lock.release();
  assert.deepEqual((await names()).sort(), [`${process.pid}-x.tmp`, `${process.pid}-x~.tmp`]);
});

test('LG9 a lock that cannot be read is an error, and leaves no file of the starter', async (t) => {
  const { acquired, place, names, put } = await bench(t);
  await mkdir(join(place, '7-folder'));
  const end = await acquired();
  assert.ok('error' in end && end.error instanceof Error && 'code' in end.error);
  assert.deepEqual([end.error.code, await names()], ['EISDIR', ['7-folder']]);
  await rm(join(place, '7-folder'), { recursive: true });
  await put('7-other', '');
  t.mock.method(promises, 'stat', () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })));
  syncBuiltinESMExports();
  const unseen = await acquired();
  assert.ok('error' in unseen && unseen.error instanceof Error && 'code' in unseen.error);
  assert.deepEqual([unseen.error.code, await names()], ['EIO', ['7-other']]);
});

test('LG9 a place that is a file is an error of the disk', async () => {
  const directory = await temporaryDirectory();
  await writeFile(join(directory, 'lock'), '');
  await assert.rejects(acquireLock(directory), { code: 'EEXIST' });
});

test('LG9 a lock keeps no process alive', async () => {
  const timersThatKeep = (): number => process.getActiveResourcesInfo().filter((type) => type === 'Timeout').length;
  const before = timersThatKeep();
  const lock = await acquireLock(await temporaryDirectory());
  assert.equal(timersThatKeep(), before);
  await lock.release();
});

test('LG9 the heartbeat moves the time of the file, and its loss is told once', async (t) => {
  const { acquired, place, names, events } = await bench(t);
  const { lock } = await held(acquired());
  const [name = ''] = await names();
  const file = join(place, name);
  const beat = (): void => t.mock.timers.tick(2_000);
  const until = async (holds: () => boolean | Promise<boolean>): Promise<void> => {
    while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
  };
  await utimes(file, new Date(1_000), new Date(1_000));
  t.mock.timers.tick(1_999);
  assert.equal((await stat(file)).mtimeMs, 1_000);
  t.mock.timers.tick(1);
  await until(async () => Date.now() - (await stat(file)).mtimeMs < 600_000);
  await rm(file);
  beat();
  await until(() => events.length > 0);
  beat();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.deepEqual(events, [{ type: 'lock-lost', file }]);
  await lock.release();
  const again = (await held(acquired())).lock;
  await again.release();
  beat();
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(events.length, 1, 'a lock that was given back is not lost');
});

test('DK2 on a full disk a lock is a name without content; every other error of the disk names the file', async (t) => {
  const { directory, place, names } = await bench(t);
  const failWith = (code: string, times = 1): void => {
    let left = times;
    const { writeFile: real } = promises;
    const failing = async (...args: Parameters<typeof real>): Promise<void> => {
      if (left-- <= 0) return await real(...args);
      throw Object.assign(new Error(`${code}: the disk, write`), { code });
    };
    const { mock } = t.mock.method(promises, 'writeFile', failing);
    syncBuiltinESMExports();
    restore = () => {
      mock.restore();
      syncBuiltinESMExports();
    };
  };
  let restore = (): void => {};
  failWith('ENOSPC');
  const lock = await acquireLock(directory).finally(() => restore());
  const [name = ''] = await names();
  assert.match(name, new RegExp(`^${process.pid}-[0-9a-f]{16}$`));
  assert.deepEqual([await readFile(join(place, name), 'utf8'), (await stat(join(place, name))).mode & 0o777], ['', 0o600]);
  await lock.release();
  failWith('ENOSPC', 2);
  await assert.rejects(
    acquireLock(directory).finally(() => restore()),
    { code: 'ENOSPC' },
  );
  failWith('EIO');
  await assert.rejects(
    acquireLock(directory).finally(() => restore()),
    (error) => error instanceof Error && 'path' in error && String(error.path).startsWith(place) && error.message.startsWith('EIO'),
  );
});

test('LG9 a pid stands for a process only when it is one; a process of another user runs, too', (t) => {
  assert.deepEqual([process.pid, process.ppid, DEAD_PID, 0, -1, -process.pid].map(isRunning), [true, true, false, false, false, false]);
  for (const [code, runs] of [
    ['EPERM', true],
    ['ESRCH', false],
  ] as const) {
    const { mock } = t.mock.method(process, 'kill', () => {
      throw Object.assign(new Error(code), { code });
    });
    assert.equal(isRunning(process.pid), runs);
    mock.restore();
  }
});

test('LG9 a heartbeat that the disk refuses is no loss, and the next one is tried', async (t) => {
  const { acquired, events } = await bench(t);
  const { lock } = await held(acquired());
  let beats = 0;
  t.mock.method(promises, 'utimes', async () => {
    beats++;
    throw Object.assign(new Error('EIO'), { code: 'EIO' });
  });
  syncBuiltinESMExports();
  for (let beat = 1; beat <= 3; beat++) {
    t.mock.timers.tick(2_000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(beats, beat);
  }
  assert.deepEqual(events, []);
  await lock.release();
});
