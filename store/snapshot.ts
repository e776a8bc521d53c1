/**
 * The `SnapshotStore` contract (LG11): the directory at one position, saved whole or not at all.
 *
 * The whole directory never exists as one string or document: lines are
 * passed in chunks, and a saver may pause between chunks for any time.
 */
import type { Position } from '../protocol/base/position.ts';

/** A snapshot is not the result of a finished save, or not of one of this directory. */
export class SnapshotDamaged extends Error {
  readonly file: string;
  readonly reason: string;

  constructor(file: string, reason: string) {
    super(`${file} is damaged: ${reason}`);
    this.name = 'SnapshotDamaged';
    this.file = file;
    this.reason = reason;
  }
}

/**
 * One line of a snapshot: any JSON object. The store does not look inside; but where a source `isPacked`, `bytes` may be a Uint8Array, which is
 * kept as it is.
 */
export type SnapshotLine = object;

export interface SnapshotSource {
  readonly position: Position;
  /**
   * Produces the lines lazily, each with bytes that are valid until the next one is requested. The saver takes them in slices short enough not
   * to block the event loop.
   */
  lines(): Iterable<SnapshotLine>;
  /** Lines may have bytes, which no version of rosterd before format 3 knows. */
  readonly isPacked?: boolean;
  /** The same with such lines, which take less time: a store saves this one where every process that may load it knows format 3. */
  packed?(): SnapshotSource;
}

/** What a saver waits for between slices of a few milliseconds. Default: a turn of the event loop. */
export type Rest = () => Promise<void>;

export interface LoadedSnapshot {
  readonly position: Position;
  /** Lines in the order in which they were saved, in chunks, whose bytes are valid until the next one is requested; can be read once. */
  chunks(): AsyncIterable<readonly SnapshotLine[]>;
  /**
   * Reports that it holds what the caller cannot load, and so is damaged, whatever its checksum says. Resolves with the newest whole one before it;
   * rejects with SnapshotDamaged when there is none. Absent: it is the only one.
   */
  instead?(reason: string): Promise<LoadedSnapshot | undefined>;
}

export interface SnapshotStore {
  /**
   * Writes a new snapshot; resolves when it is durable under its final name. After any failure, or a crash at any point,
   * `load` still returns the earlier snapshot. `rest` may change its pace while it writes.
   */
  save(source: SnapshotSource, rest?: Rest): Promise<{ readonly bytes: number; readonly lines: number }>;
  /** The newest whole snapshot (its trailer and checksum are verified before this resolves), or undefined. */
  load(): Promise<LoadedSnapshot | undefined>;
}
