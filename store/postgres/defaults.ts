/** The options of a log on PostgreSQL, and their defaults. */
import type { Position } from '../../protocol/base/position.ts';
import { STORED_LOG_DEFAULTS, type StoredLogOptions } from '../journal/options.ts';
import { ENTRY_FORMATS, type EntryFormats } from './log/formats.ts';

export interface PostgresStoreOptions extends StoredLogOptions {
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
  /** An append, a confirmation or a turn is answered within this time, whatever happens. */
  readonly deadlineMs?: number;
  /** Time between two commits that prove what can be read. */
  readonly pulseMs?: number;
  /** A server that answers nothing for this long is given up. */
  readonly deadAfterMs?: number;
  /** A process that stops in the middle of its turn loses it after this time. */
  readonly turnMs?: number;
  /** The formats of entries that this version reads. Default: those of this version. */
  readonly formats?: EntryFormats;
  /** How long opening waits for a server that can be written to. */
  readonly openMs?: number;
}

export const POSTGRES_DEFAULTS = {
  ...STORED_LOG_DEFAULTS,
  requiresSync: true,
  blockBytes: 256 * 1024,
  deadlineMs: 5_000,
  pulseMs: 1_000,
  deadAfterMs: 5_000,
  turnMs: 1_000,
  openMs: 60_000,
  formats: ENTRY_FORMATS,
} as const;

/** The options with their defaults. */
export type PostgresSettings = PostgresStoreOptions & Required<Pick<PostgresStoreOptions, keyof typeof POSTGRES_DEFAULTS>>;
