/** One process per data directory: a second one is refused, a killed one's lock is taken over, a race has one winner. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { DataDirectoryUnusable, openDataDirectory } from '../../store/data-dir.ts';
import type { StoreEvent } from '../../store/events.ts';
import { acquireLock, DataDirectoryLocked, type Lock } from '../../store/lock.ts';
import { nodeOptions, programFile } from '../support/run/program.ts';
import { temporaryDirectory } from '../support/store/temp.ts';

async function startWriter(directory: string): Promise<{ pid: number; kill(): Promise<void> }> {
  const child = spawn(process.execPath, [...nodeOptions(), programFile('test/support/store/writer.ts'), directory, '1', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const lines = createInterface({ input: child.stdout });
  await once(lines, 'line');
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL');
    await exited;
  };
  return { pid: child.pid ?? 0, kill };
}

test('LG9 a second process is refused, by name of the first, and may come in when the first was killed', async () => {
  const directory = await temporaryDirectory();
  const writer = await startWriter(directory);
  await assert.rejects(openDataDirectory(directory), (error) => {
    return error instanceof DataDirectoryLocked && error.pid === writer.pid && error.message.includes(`process ${writer.pid}`);
  });
  await writer.kill();
  const events: StoreEvent[] = [];
  const data = await openDataDirectory(directory, { onEvent: (event) => events.push(event) });
  assert.ok(
    events.some((event) => event.type === 'lock-taken-over' && event.pid === writer.pid),
    'no event says so',
  );
  await data.close();
  assert.deepEqual(await readdir(join(directory, 'lock')), []);
});

test('LG9 the same process cannot open a directory twice', async () => {
  const directory = await temporaryDirectory();
  const data = await openDataDirectory(directory);
  await assert.rejects(openDataDirectory(directory), /in use by this process/);
  await data.close();
  await (await openDataDirectory(directory)).close();
});

test('LG9 of many that take over a stale lock at once at most one holds it', async () => {
  const directory = await temporaryDirectory();
  for (let round = 0; round < 20; round++) {
    await mkdir(join(directory, 'lock'), { recursive: true });
    await plant(directory, { pid: 2 ** 22 + 1 });
    const results = await Promise.allSettled(Array.from({ length: 8 }, () => acquireLock(directory)));
    const held = results.filter((result): result is PromiseFulfilledResult<Lock> => result.status === 'fulfilled');
    assert.ok(held.length <= 1, `${held.length} hold the lock`);
    for (const { value } of held) await value.release();
    const lock = await acquireLock(directory);
    await lock.release();
  }
});

test('LG9 a reused process id does not keep a dead lock alive', async () => {
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'lock'));
  // This very process, but started at another time, and then on an earlier boot.
  await plant(directory, { pid: process.pid, start: '1' });
  await plant(directory, { pid: process.pid, boot: 'an earlier boot' });
  const lock = await acquireLock(directory);
  assert.equal((await readdir(join(directory, 'lock'))).length, 1);
  await lock.release();
});

/** Puts down a lock file as this process would write it, with some fields changed. */
async function plant(directory: string, change: Record<string, unknown>): Promise<void> {
  const other = await temporaryDirectory();
  const lock = await acquireLock(other);
  const [name = ''] = await readdir(join(other, 'lock'));
  const owner: unknown = JSON.parse(await readFile(join(other, 'lock', name), 'utf8'));
  await lock.release();
  await writeFile(join(directory, 'lock', `${change.pid}-${name.split('-')[1]}`), JSON.stringify(Object.assign({}, owner, change)));
}

test('LG9 the data directory is created for its owner alone, and says why it cannot be used', async () => {
  const parent = await temporaryDirectory();
  const directory = join(parent, 'a', 'b');
  await (await openDataDirectory(directory)).close();
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  const file = join(parent, 'file');
  await writeFile(file, '');
  await assert.rejects(openDataDirectory(file), (error) => error instanceof DataDirectoryUnusable && /is a file/.test(error.message));
});
