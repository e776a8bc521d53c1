/**
 * The `SnapshotStore` contract (LG11): the directory at one position, saved whole or not at all.
 *
 * Nothing here holds the whole directory in one string or document: lines are
 * handed over in chunks, and a saver may pause between chunks as long as it likes.
 */
import type { Position } from '../protocol/base/position.ts';

/** One line of a snapshot: any JSON object. The store does not look inside. */
export type SnapshotLine = object;

export interface SnapshotSource {
  readonly position: Position;
  /** Produces the lines lazily. The saver takes them in slices short enough not to block the event loop. */
  lines(): Iterable<SnapshotLine>;
}

export interface LoadedSnapshot {
  readonly position: Position;
  /** Lines in the order they were saved, in chunks; can be read once. */
  chunks(): AsyncIterable<readonly SnapshotLine[]>;
}

export interface SnapshotStore {
  /**
   * Writes a new snapshot; resolves when it is durable under its final name. On any failure, or a crash at any point,
   * the earlier snapshot stays what `load` returns.
   */
  save(source: SnapshotSource): Promise<{ readonly bytes: number; readonly lines: number }>;
  /** The newest snapshot that is whole (its trailer and checksum were verified before this resolves), or undefined. */
  load(): Promise<LoadedSnapshot | undefined>;
}
