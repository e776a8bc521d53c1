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

/** Undefined when there is none. Rejects with SnapshotDamaged, which names the newest one, when none of them is whole. */
export async function newestWhole(of: StoredSnapshots, from = 0, first?: SnapshotDamaged): Promise<LoadedSnapshot | undefined> {
  const { stored, place, onDamage } = of;
  let newest = first;
  for (const [at, one] of stored.entries()) {
    if (at < from) continue;
    const damaged = (damage: SnapshotDamaged): SnapshotDamaged => {
      onDamage(damage);
      newest ??= damage;
      return newest;
    };
    try {
      const position = await one.check();
      const instead = (reason: string) => newestWhole(of, at + 1, damaged(new SnapshotDamaged(one.file, reason)));
      return { position, chunks: () => one.chunks(), instead };
    } catch (error) {
      if (!(error instanceof SnapshotDamaged)) throw error;
      damaged(error);
    }
  }
  if (newest !== undefined) throw new SnapshotDamaged(newest.file, `${newest.reason}; no other snapshot in ${place} is whole`);
  return undefined;
}
