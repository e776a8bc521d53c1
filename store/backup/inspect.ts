/**
 * Inspects a data directory without changing it: reads and checks every file of the journal and every snapshot to its end,
 * also after damage that keeps a daemon from starting. `openLocked`, on a file system that changes nothing (read-only-fs.ts),
 * shows the result for a daemon as a whole.
 */
import { join } from 'node:path';
import { type FileSystem, listWithoutLeftovers } from '../file-system.ts';
import { JOURNAL_DEFAULTS } from '../journal/options.ts';
import { StoreVersionMismatch } from '../journal/record.ts';
import { segmentFirst } from '../journal/segment.ts';
import { scanSegment } from '../journal/segment-scan.ts';
import { LogDamaged } from '../log.ts';
import { nodeFileSystem } from '../node-file-system.ts';
import { checkSnapshot, isSnapshotName, snapshotLines } from '../snapshot/file.ts';
import { SnapshotDamaged } from '../snapshot.ts';
import { readOnly } from './read-only-fs.ts';

/** A damaged file. `offset` is in bytes, where it is known: a checksum over a whole file gives no place. */
export interface DamagedFile {
  readonly file: string;
  readonly offset: number | undefined;
  readonly reason: string;
}

export interface Inspected {
  readonly segments: number;
  readonly snapshots: number;
  /** Total size, bytes. */
  readonly bytes: number;
  /** In the order of the journal, then of the snapshots. Includes a last segment with a torn tail: only recovery tells it from damage. */
  readonly damaged: readonly DamagedFile[];
}

/** Rejects only when a file cannot be read at all. */
export async function inspectFiles(directory: string, below: FileSystem = nodeFileSystem): Promise<Inspected> {
  const fileSystem = readOnly(below);
  const journal = join(directory, 'journal');
  const place = join(directory, 'snapshot');
  const segments = (await listWithoutLeftovers(fileSystem, journal)).filter((name) => segmentFirst(name) !== undefined).sort();
  const snapshots = (await listWithoutLeftovers(fileSystem, place)).filter(isSnapshotName).sort();
  const damaged: DamagedFile[] = [];
  let bytes = 0;
  for (const name of segments) {
    const path = join(journal, name);
    bytes += await sizeOf(fileSystem, path);
    const found = await damageOf(path, () => segmentDamage(fileSystem, path));
    if (found !== undefined) damaged.push(found);
  }
  for (const name of snapshots) {
    const path = join(place, name);
    bytes += await sizeOf(fileSystem, path);
    const found = await damageOf(path, () => snapshotDamage(fileSystem, path));
    if (found !== undefined) damaged.push(found);
  }
  return { segments: segments.length, snapshots: snapshots.length, bytes, damaged };
}

async function sizeOf(fileSystem: FileSystem, path: string): Promise<number> {
  const file = await fileSystem.openRead(path);
  return await file.size().finally(() => file.close());
}

async function segmentDamage(fileSystem: FileSystem, path: string): Promise<DamagedFile | undefined> {
  const file = await fileSystem.openRead(path);
  const { bad } = await scanSegment(file, path, JOURNAL_DEFAULTS.blockBytes).finally(() => file.close());
  return bad === undefined ? undefined : { file: path, ...bad };
}

async function snapshotDamage(fileSystem: FileSystem, path: string): Promise<undefined> {
  await checkSnapshot(fileSystem, path);
  for await (const _ of snapshotLines(fileSystem, path));
}

async function damageOf(path: string, look: () => Promise<DamagedFile | undefined>): Promise<DamagedFile | undefined> {
  try {
    return await look();
  } catch (error) {
    if (error instanceof LogDamaged) return { file: path, offset: error.offset, reason: error.reason };
    if (error instanceof SnapshotDamaged) return { file: path, offset: undefined, reason: error.reason };
    if (error instanceof StoreVersionMismatch) return { file: path, offset: undefined, reason: error.message };
    throw error;
  }
}
