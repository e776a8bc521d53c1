/**
 * One process per data directory, without native modules and without a lock that outlives a `kill -9`.
 *
 * Each process that wants the directory puts a file with a random name into `<data>/lock/`, and then looks at the other
 * files. If one has a living owner, the process removes its own file and refuses. Files of dead owners are removed. A process that
 * finds no other living owner holds the lock. Since all write before they look, of two starters at least one sees the other; both
 * may give way, and try again after a random time. A name is never used twice, so removing a dead owner's file never removes a lock.
 *
 * An owner is the same process only if boot id, process id and start time agree, so a reused pid is not mistaken for it. A process
 * in another pid namespace (a container on the same volume) is not visible: its heartbeat, the file's mtime, shows whether it lives.
 * So it does where the system has no boot ids or does not show them: two that are empty are not the same boot.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, readlink, rename, stat, unlink, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isObject } from '../protocol/base/json.ts';
import { hasCode, isMissing, isNoSpace, naming } from './disk-errors.ts';
import type { OnStoreEvent } from './events.ts';
import { isTemporary, TEMPORARY_SUFFIX } from './file-system.ts';

const HEARTBEAT_MS = 2_000;
/** A foreign heartbeat that has not moved for this long has stopped. */
const SILENCE_MS = 3 * HEARTBEAT_MS;
const ATTEMPTS = 4;

/** Another process has the data directory open. */
export class DataDirectoryLocked extends Error {
  readonly pid: number;

  constructor(directory: string, pid: number) {
    const who = pid === process.pid ? 'this process' : `process ${pid}`;
    super(`${directory} is in use by ${who}; only one rosterd may have a data directory open`);
    this.name = 'DataDirectoryLocked';
    this.pid = pid;
  }
}

export interface Lock {
  release(): Promise<void>;
}

/** The owner of a lock, as written in its file. `boot`, `namespace` and `start` are empty where the system does not provide them. */
interface Owner {
  readonly pid: number;
  readonly host: string;
  readonly boot: string;
  readonly namespace: string;
  readonly start: string;
}

/** Locks an existing directory. Rejects with DataDirectoryLocked, or an error of the file system. */
export async function acquireLock(directory: string, onEvent: OnStoreEvent = () => {}): Promise<Lock> {
  const place = join(directory, 'lock');
  await mkdir(place, { recursive: true, mode: 0o700 });
  const me = await identify();
  for (let attempt = 1; ; attempt++) {
    const file = await writeOwnFile(place, me);
    let holder: Owner | undefined;
    try {
      holder = await findOther(place, file, me, onEvent);
    } catch (error) {
      await unlink(file);
      throw error;
    }
    if (holder === undefined) return hold(file, onEvent);
    await unlink(file);
    if (attempt === ATTEMPTS) throw new DataDirectoryLocked(directory, holder.pid);
    // The other process may be a starter that gives way at this moment, too.
    await delay(5 + Math.random() * 40);
  }
}

/** The id of the living process that has the directory open; undefined when there is none. Changes nothing. */
export async function lockHolder(directory: string): Promise<number | undefined> {
  const place = join(directory, 'lock');
  const me = await identify();
  for (const name of await readdir(place).catch(() => [])) {
    const owner = isTemporary(name) ? undefined : await readOwner(join(place, name));
    if (owner !== undefined && (await isAlive(join(place, name), owner, me))) return owner.pid;
  }
  return undefined;
}

function hold(file: string, onEvent: OnStoreEvent): Lock {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch((error: unknown) => {
      if (!isMissing(error)) return;
      clearInterval(beat);
      onEvent({ type: 'lock-lost', file });
    });
  }, HEARTBEAT_MS);
  beat.unref();
  return {
    async release() {
      clearInterval(beat);
      await unlink(file).catch(() => {});
    },
  };
}

/** The file gets its name only when it is whole, so that no process reads an incomplete one. */
async function writeOwnFile(place: string, me: Owner): Promise<string> {
  const file = join(place, `${me.pid}-${randomBytes(8).toString('hex')}`);
  const temporary = file + TEMPORARY_SUFFIX;
  try {
    await naming(temporary, writeFile(temporary, JSON.stringify(me), { flag: 'wx', mode: 0o600 }));
  } catch (error) {
    // On a full disk there is often still room for a name: it holds the pid, and the heartbeat shows that its owner lives.
    if (!isNoSpace(error)) throw error;
    await writeFile(temporary, '', { mode: 0o600 });
  }
  await rename(temporary, file);
  return file;
}

/** The living owner of another lock file, if there is one. Removes the files of dead owners. */
async function findOther(place: string, own: string, me: Owner, onEvent: OnStoreEvent): Promise<Owner | undefined> {
  for (const name of await readdir(place)) {
    const file = join(place, name);
    if (file === own) continue;
    if (isTemporary(name)) {
      if (!isRunning(pidInName(name))) await unlink(file).catch(() => {});
      continue;
    }
    const owner = await readOwner(file);
    if (owner === undefined) continue;
    if (await isAlive(file, owner, me)) return owner;
    await unlink(file).catch(() => {});
    onEvent({ type: 'lock-taken-over', pid: owner.pid });
  }
  return undefined;
}

/** The owner in a lock file, or undefined when the file no longer exists. A damaged file gives only what its name contains. */
async function readOwner(file: string): Promise<Owner | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const pid = pidInName(basename(file));
  const unknown: Owner = { pid, host: '', boot: '', namespace: '', start: '' };
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value)) return unknown;
    const word = (key: string): string => (typeof value[key] === 'string' ? value[key] : '');
    return { pid, host: word('host'), boot: word('boot'), namespace: word('namespace'), start: word('start') };
  } catch {
    return unknown;
  }
}

function pidInName(name: string): number {
  return Number.parseInt(name, 10) || 0;
}

async function isAlive(file: string, owner: Owner, me: Owner): Promise<boolean> {
  const isAlike = owner.boot === me.boot && owner.namespace === me.namespace;
  if (isAlike && me.boot !== '' && me.namespace !== '')
    return isRunning(owner.pid) && (owner.start === '' || owner.start === (await startTime(owner.pid)));
  if (owner.host === me.host) {
    // After a restart of the machine, none of its earlier processes runs. An empty boot id tells nothing of a restart.
    if (owner.boot !== '' && me.boot !== '' && owner.boot !== me.boot) return false;
    // Where the system has no such ids, a process with that pid may be another one, but without one the owner is gone.
    if (isAlike && !isRunning(owner.pid)) return false;
  }
  return heartbeatMoves(file);
}

/** Whether a process with that id runs on this machine. */
export function isRunning(pid: number): boolean {
  // Signals to pid 0 and below go to process groups.
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (!hasCode(error, 'EPERM')) return false;
  }
  return !hasEnded(pid);
}

/** A process that ended keeps its pid, and its start time, until its parent asks for its exit code (Z), or is about to go (X). */
function hasEnded(pid: number): boolean {
  try {
    return /^[ZXx]$/.test(afterCommand(readFileSync(`/proc/${pid}/stat`, 'utf8'))[0] ?? '');
  } catch {
    return false;
  }
}

async function heartbeatMoves(file: string): Promise<boolean> {
  try {
    const before = (await stat(file)).mtimeMs;
    for (let waited = 0; waited < SILENCE_MS; waited += HEARTBEAT_MS / 4) {
      await delay(HEARTBEAT_MS / 4);
      if ((await stat(file)).mtimeMs !== before) return true;
    }
    return false;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return false;
    throw error;
  }
}

async function identify(): Promise<Owner> {
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  const namespace = await readlink('/proc/self/ns/pid').catch(() => '');
  return { pid: process.pid, host: hostname(), boot: boot.trim(), namespace, start: await startTime(process.pid) };
}

/** Field 22 of /proc/PID/stat: clock ticks between boot and the start of the process. Empty where there is no /proc. */
async function startTime(pid: number): Promise<string> {
  return afterCommand(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''))[19] ?? '';
}

/** The fields from the third on. The second one, the command, may itself contain spaces and brackets. */
function afterCommand(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}
