/** Which of several snapshots is loaded: the newest one that is whole, and that whoever loads it does not find damaged after all. */
import type { Position } from '../../protocol/base/position.ts';
import { type LoadedSnapshot, SnapshotDamaged } from '../snapshot.ts';

export interface StoredSnapshot extends Pick<LoadedSnapshot, 'chunks'> {
  /** Its name in errors. */
  readonly file: string;
  /** Reads all of it once. Rejects with SnapshotDamaged. */
  check(): Promise<Position>;
}

export interface StoredSnapshots {
  /** The newest one first. */
  readonly stored: readonly StoredSnapshot[];
  /** Where all of them are, for errors. */
  readonly place: string;
  readonly onDamage: (damage: SnapshotDamaged) => void;
}

/**
 * Undefined when there is none. Rejects with SnapshotDamaged, which names the newest one, when none of them is whole. `newest`: the damage to
 * one that is newer than all of these.
 */
export async function newestWhole(of: StoredSnapshots, newest?: SnapshotDamaged): Promise<LoadedSnapshot | undefined> {
  const [one, ...older] = of.stored;
  if (one === undefined) {
    if (newest === undefined) return undefined;
    throw new SnapshotDamaged(newest.file, `${newest.reason}; no other snapshot in ${of.place} is whole`);
  }
  const without = (damage: SnapshotDamaged) => {
    of.onDamage(damage);
    return newestWhole({ ...of, stored: older }, newest ?? damage);
  };
  try {
    const position = await one.check();
    return { position, chunks: () => one.chunks(), instead: (reason) => without(new SnapshotDamaged(one.file, reason)) };
  } catch (error) {
    if (!(error instanceof SnapshotDamaged)) throw error;
    return await without(error);
  }
}
