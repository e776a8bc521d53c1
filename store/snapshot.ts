/**
 * The `SnapshotStore` contract (LG11): the directory at one position, saved whole or not at all.
 *
 * The whole directory never exists as one string or document: lines are
 * passed in chunks, and a saver may pause between chunks for any time.
 */
import type { Position } from '../protocol/base/position.ts';

/** One line of a snapshot: any JSON object. The store does not look inside. */
export type SnapshotLine = object;

export interface SnapshotSource {
  readonly position: Position;
  /** Produces the lines lazily. The saver takes them in slices short enough not to block the event loop. */
  lines(): Iterable<SnapshotLine>;
  /** Lines hold records in blocks, which no version of rosterd before format 3 knows. */
  readonly isPacked?: boolean;
  /** The same with such lines, which take less time: a store saves this one where every process that may load it knows format 3. */
  packed?(): SnapshotSource;
}

export interface LoadedSnapshot {
  readonly position: Position;
  /** Lines in the order in which they were saved, in chunks; can be read once. */
  chunks(): AsyncIterable<readonly SnapshotLine[]>;
}

export interface SnapshotStore {
  /**
   * Writes a new snapshot; resolves when it is durable under its final name. After any failure, or a crash at any point,
   * `load` still returns the earlier snapshot.
   */
  save(source: SnapshotSource): Promise<{ readonly bytes: number; readonly lines: number }>;
  /** The newest whole snapshot (its trailer and checksum are verified before this resolves), or undefined. */
  load(): Promise<LoadedSnapshot | undefined>;
}
