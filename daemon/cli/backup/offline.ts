/**
 * Reads a data directory that no daemon has open, as a daemon would at its start: the newest whole snapshot, and the journal
 * after it. Changes nothing in it except for the lock, which is held meanwhile.
 */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readOnly } from '../../../store/backup/read-only-fs.ts';
import { openLocked } from '../../../store/data-dir.ts';
import type { StoreEvent } from '../../../store/events.ts';
import { hasCode } from '../../../store/file-system.ts';
import { segmentFirst } from '../../../store/journal/segment.ts';
import { acquireLock } from '../../../store/lock.ts';
import { isSnapshotName } from '../../../store/snapshot/file.ts';
import { Directory } from '../../core/directory/directory.ts';
import type { DirectoryLine } from '../../core/directory/record.ts';
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
  const events: StoreEvent[] = [];
  const { log, loaded } = await openLocked(data, { fileSystem: readOnly(), onEvent: (event) => events.push(event) });
  try {
    // Without a journal there is no epoch yet: a start would only begin one.
    const [segments] = await filesOf(data);
    const epoch = segments === 0 && loaded !== undefined ? loaded.position.epoch : log.head.epoch;
    const directory = new Directory({ epoch, seq: loaded?.position.seq ?? 0 });
    // The lines of a snapshot are those that `FrozenView.lines` gave: the store keeps lines whole or not at all.
    if (loaded !== undefined) for await (const lines of loaded.chunks()) directory.load(lines as DirectoryLine[]);
    if (directory.seq < log.head.seq) {
      const stop = new AbortController();
      for await (const entry of log.read(directory.seq, stop.signal)) {
        directory.apply(entry);
        if (directory.seq >= log.head.seq) stop.abort();
      }
    }
    return { directory, events };
  } finally {
    await log.close();
  }
}
