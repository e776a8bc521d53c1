/** What the daemon opens before anything else: a data directory, or a database that several processes share. */
import type { Leases } from './leases.ts';
import type { LetterTable } from './letters.ts';
import type { Log } from './log.ts';
import type { LoadedSnapshot, SnapshotStore } from './snapshot.ts';

export interface Store {
  readonly log: Log;
  readonly snapshots: SnapshotStore;
  /** The newest whole snapshot. Its lines come first, then `log.read(loaded.position.seq, …)`; without one, `log.read(0, …)`. */
  readonly loaded: LoadedSnapshot | undefined;
  /** Undefined where no other process can have the store open. */
  readonly leases?: Leases;
  /** Undefined where letters are files. */
  readonly letters?: LetterTable;
  /** Closes the log, then releases the storage. */
  close(): Promise<void>;
}
