/** The options of a log on PostgreSQL, and their defaults. */
import { LIMITS } from '../../protocol/base/limits.ts';
import type { Position } from '../../protocol/base/position.ts';
import type { OnStoreEvent } from '../events.ts';
import type { Retention } from '../journal/retention.ts';

export interface PostgresStoreOptions {
  /** `postgres://user:password@host1:5432,host2/database`. Missing parts come from PGUSER, PGPASSWORD, ~/.pgpass and the like. */
  readonly url: string;
  /** The application whose log this is: its API key. One database holds the logs of several. */
  readonly app: string;
  /** The application's secret, of which a keyed hash is kept, so that a node with another secret is refused. */
  readonly secret: string;
  /** PL2: appends are refused while no synchronous standby is named. Default true. */
  readonly requiresSync?: boolean;
  /** Where a new log begins: the end of the history that it continues. Default: a new epoch at 0. */
  readonly begin?: Position;
  readonly retention?: Partial<Retention>;
  /** Held entries (LG12) are kept up to this many bytes in total. */
  readonly heldBytes?: number;
  /** One call stores at most this many bytes, unless a single entry is longer. */
  readonly groupBytes?: number;
  /** While more bytes than this wait, appends are refused as `not-written`. */
  readonly pendingBytes?: number;
  /** Size of the newest entries kept in memory for readers that keep up. */
  readonly recentBytes?: number;
  /** Size of the blocks for readers that lag. */
  readonly blockBytes?: number;
  /** Size of the blocks kept for other readers. */
  readonly cacheBytes?: number;
  /** An append, a confirmation or a turn is answered within this time, whatever happens. */
  readonly deadlineMs?: number;
  /** Time between two commits that prove what can be read. */
  readonly pulseMs?: number;
  /** A server that answers nothing for this long is given up. */
  readonly deadAfterMs?: number;
  /** A process that stops in the middle of its turn loses it after this time. */
  readonly turnMs?: number;
  /** How long opening waits for a server that can be written to. */
  readonly openMs?: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  readonly onEvent?: OnStoreEvent;
}

export const POSTGRES_DEFAULTS = {
  requiresSync: true,
  heldBytes: 4 * 1024 ** 3,
  groupBytes: 4 * 1024 * 1024,
  pendingBytes: 2 * LIMITS.entryBytes,
  recentBytes: 8 * 1024 * 1024,
  blockBytes: 256 * 1024,
  cacheBytes: 8 * 1024 * 1024,
  deadlineMs: 5_000,
  pulseMs: 1_000,
  deadAfterMs: 5_000,
  turnMs: 1_000,
  openMs: 60_000,
} as const;

/** The options with their defaults. */
export type PostgresSettings = PostgresStoreOptions & Required<Pick<PostgresStoreOptions, keyof typeof POSTGRES_DEFAULTS>>;
