/** The options of a journal, and their defaults. */
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Position } from '../../protocol/base/position.ts';
import type { OnStoreEvent } from '../events.ts';
import type { FileSystem } from '../file-system.ts';
import type { Retention } from './retention.ts';

/** What every log on a storage can be told. */
export interface StoredLogOptions {
  readonly retention?: Partial<Retention>;
  /** What is held (LG12) is kept up to this many bytes in total. */
  readonly heldBytes?: number;
  /** What is stored at once is at most this many bytes, unless a single entry is longer. */
  readonly groupBytes?: number;
  /** While more bytes than this wait, appends are refused as `not-written`. */
  readonly pendingBytes?: number;
  /** Size of the newest entries kept in memory for readers that keep up. */
  readonly recentBytes?: number;
  /** Size of the blocks for readers that lag. */
  readonly blockBytes?: number;
  /** Size of the blocks kept for other readers. */
  readonly cacheBytes?: number;
  /** Milliseconds since 1970; used only for the age in retention. */
  readonly now?: () => number;
  readonly onEvent?: OnStoreEvent;
  /** Called for everything that was stored at once, with the milliseconds that it took until it was durable. */
  readonly onStored?: OnStored | undefined;
}

export type OnStored = (ms: number) => void;

export const STORED_LOG_DEFAULTS = {
  heldBytes: 4 * 1024 ** 3,
  groupBytes: 4 * 1024 * 1024,
  pendingBytes: 2 * LIMITS.entryBytes,
  recentBytes: 8 * 1024 * 1024,
  cacheBytes: 8 * 1024 * 1024,
} as const;

export interface JournalOptions extends StoredLogOptions {
  /** Holds only the segments. Created when missing. The code that opens the journal holds the lock of the data directory. */
  readonly directory: string;
  readonly fileSystem?: FileSystem;
  /** Position of the loaded snapshot: everything up to it was durable, and a new history may begin at it (LG8). */
  readonly snapshot?: Position | undefined;
  /** Where a new journal begins: the end of the history that it continues. Default: a new epoch, at the end of the snapshot or at 0. */
  readonly begin?: Position | undefined;
  /** A segment is closed when the next group would exceed this size. */
  readonly segmentBytes?: number;
}

export const JOURNAL_DEFAULTS = {
  ...STORED_LOG_DEFAULTS,
  segmentBytes: 64 * 1024 * 1024,
  blockBytes: 128 * 1024,
} as const;
