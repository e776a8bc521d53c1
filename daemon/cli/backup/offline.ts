/**
 * Reads a data directory that no daemon has open, as a daemon would at its start: the newest whole snapshot, and the journal
 * after it. Changes nothing in it except for the lock, which is held meanwhile.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { readOnly } from '../../../store/backup/read-only-fs.ts';
import { openLocked } from '../../../store/data-dir.ts';
import { hasCode } from '../../../store/disk-errors.ts';
import type { StoreEvent } from '../../../store/events.ts';
import { segmentFirst } from '../../../store/journal/segment.ts';
import { acquireLock } from '../../../store/lock.ts';
import type { Log } from '../../../store/log.ts';
import type { StoredHistory } from '../../../store/postgres/offline/history.ts';
import { isSnapshotName } from '../../../store/snapshot/file.ts';
import type { Directory } from '../../core/directory/directory.ts';
import { directoryWith } from '../../pipeline/write/loaded-directory.ts';
import { ConfigError } from '../config/config.ts';

export interface Replayed {
  readonly directory: Directory;
  /** Damage that the store skipped: a torn write at the end, a damaged newest snapshot. */
  readonly events: readonly StoreEvent[];
}

/**
 * Holds the lock of a data directory while `work` runs. Rejects with ConfigError when the path holds no data directory, with
 * DataDirectoryLocked when another process has it open.
 */
export async function whileLocked<T>(data: string, work: () => Promise<T>): Promise<T> {
  const [segments, snapshots] = await filesOf(data);
  if (segments + snapshots === 0) throw new ConfigError([`${data} holds no directory: there is neither a journal nor a snapshot`]);
  const lock = await acquireLock(data);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** The number of segments and of snapshots. */
async function filesOf(data: string): Promise<readonly [number, number]> {
  const [journal, snapshot] = await Promise.all([namesIn(join(data, 'journal')), namesIn(join(data, 'snapshot'))]);
  return [journal.filter((name) => segmentFirst(name) !== undefined).length, snapshot.filter(isSnapshotName).length];
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return [];
    throw error;
  }
}

/** The directory at its last position. The caller holds the lock. Rejects with LogDamaged, SnapshotDamaged, StoreVersionMismatch. */
export async function replay(data: string): Promise<Replayed> {
  return await withReplayed(data, async ({ directory, events }) => ({ directory, events }));
}

/** Like `replay`, with the log, which is closed after `work`. */
export async function withReplayed<T>(data: string, work: (replayed: Replayed & { readonly log: Log }) => Promise<T>): Promise<T> {
  const events: StoreEvent[] = [];
  const { log, loaded } = await openLocked(data, { fileSystem: readOnly(), onEvent: (event) => events.push(event) });
  try {
    // Without a journal there is no epoch yet: a start would only begin one.
    const [segments] = await filesOf(data);
    const epoch = segments === 0 && loaded !== undefined ? loaded.position.epoch : log.head.epoch;
    const directory = await directoryWith(epoch, loaded);
    if (directory.seq < log.head.seq) await applyAll(directory, entriesUpTo(log, directory.seq));
    return await work({ directory, events, log });
  } finally {
    await log.close();
  }
}

/** The directory of a database at its last position. Rejects with LogDamaged, SnapshotDamaged, StoreVersionMismatch. */
export async function replayDatabase(history: StoredHistory): Promise<Directory> {
  const directory = await directoryWith(history.head.epoch, await history.snapshot());
  await applyAll(directory, history.entries(directory.seq));
  return directory;
}

async function applyAll(directory: Directory, entries: AsyncIterable<Entry>): Promise<void> {
  for await (const entry of entries) directory.apply(entry);
}

/** All entries of a log after `after`, which is before its end. */
export async function* entriesUpTo(log: Log, after: number): AsyncGenerator<Entry, void, undefined> {
  const stop = new AbortController();
  const { seq } = log.head;
  for await (const entry of log.read(after, stop.signal)) {
    yield entry;
    if (lastSeq(entry) >= seq) stop.abort();
  }
}
