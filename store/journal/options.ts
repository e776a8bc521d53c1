/** What may be set about a journal, and the sizes it has without. */
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Position } from '../../protocol/base/position.ts';
import type { OnStoreEvent } from '../events.ts';
import type { FileSystem } from '../file-system.ts';
import type { Retention } from './retention.ts';

export interface JournalOptions {
  /** Holds the segments and nothing else. Created when missing. Whoever opens the journal holds the lock of the data directory. */
  readonly directory: string;
  readonly fileSystem?: FileSystem;
  /** Position of the snapshot that was loaded: what it covers was durable, and where it ends a new history may begin (LG8). */
  readonly snapshot?: Position | undefined;
  /** A segment is closed when the next group would make it longer. */
  readonly segmentBytes?: number;
  readonly retention?: Partial<Retention>;
  /** Segments that are held (LG12) are kept up to this many bytes of all. */
  readonly heldBytes?: number;
  /** One write takes at most this many bytes, unless a single entry is longer. */
  readonly groupBytes?: number;
  /** Appends beyond this many waiting bytes are refused as `not-written`. */
  readonly pendingBytes?: number;
  /** The newest entries of this many bytes are kept for readers that keep up. */
  readonly recentBytes?: number;
  /** Size of the blocks in which readers that lag read. */
  readonly blockBytes?: number;
  /** Blocks of this many bytes are kept for further readers. */
  readonly cacheBytes?: number;
  /** Milliseconds since 1970; decides only the age for retention. */
  readonly now?: () => number;
  readonly onEvent?: OnStoreEvent;
}

export const JOURNAL_DEFAULTS = {
  segmentBytes: 64 * 1024 * 1024,
  heldBytes: 4 * 1024 ** 3,
  groupBytes: 4 * 1024 * 1024,
  pendingBytes: 2 * LIMITS.entryBytes,
  recentBytes: 8 * 1024 * 1024,
  blockBytes: 128 * 1024,
  cacheBytes: 8 * 1024 * 1024,
} as const;
