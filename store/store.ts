/** What the daemon opens before anything else: a data directory, or a database that several processes share. */

import type { Blobs } from './blobs.ts';
import type { HistoryTable } from './history.ts';
import type { Leases } from './leases.ts';
import type { LetterTable } from './letters.ts';
import type { Log } from './log.ts';
import type { Mailbox } from './mailbox.ts';
import type { Peers } from './peers.ts';
import type { LoadedSnapshot, SnapshotStore } from './snapshot.ts';

/** The clock that all processes of a storage share. */
export interface StoreClock {
  /** Milliseconds since 1970, with fractions. It does not depend on the wall clock of this machine, and may be corrected in both directions. */
  nowMs(): number;
}

/** What a journal holds. */
export interface JournalExtent {
  /** Of all segments. */
  readonly bytes: number;
  /** Time of the oldest entry, microseconds; undefined while there is none. */
  readonly oldest: number | undefined;
}

export interface Store {
  readonly log: Log;
  readonly snapshots: SnapshotStore;
  /** The newest whole snapshot. Its lines come first, then `log.read(loaded.position.seq, …)`; without one, `log.read(0, …)`. */
  readonly loaded: LoadedSnapshot | undefined;
  /** Files beside the log. */
  readonly blobs: Blobs;
  /** What the log holds on this disk; undefined where it is elsewhere. */
  readonly journal?: { readonly extent: JournalExtent };
  /** Undefined where no other process can have the store open. */
  readonly leases?: Leases;
  /** Undefined as well. */
  readonly peers?: Peers;
  /** Undefined as well. */
  readonly mailbox?: Mailbox;
  /** The history of users that all processes share; undefined where it is in files of this one. */
  readonly history?: HistoryTable;
  /** Undefined where the wall clock of this machine is the only one. */
  readonly clock?: StoreClock;
  /** Undefined where letters are files. */
  readonly letters?: LetterTable;
  /**
   * Looks whether a write would be refused now although `log.status` is `ready`, and says why. Undefined where the status says all that
   * can be found out without a write.
   */
  readonly writeRefusal?: () => Promise<string | undefined>;
  /** Closes the log, then releases the storage. */
  close(): Promise<void>;
}
