/** The store on PostgreSQL as one unit: the log, and the snapshots from which it is read. */

import type { Log } from '../log.ts';
import type { LoadedSnapshot, SnapshotStore } from '../snapshot.ts';
import type { PostgresStoreOptions } from './defaults.ts';
import { PostgresLog } from './log/log.ts';
import { PostgresSnapshots } from './snapshots.ts';

export interface PostgresStore {
  readonly log: Log;
  readonly snapshots: SnapshotStore;
  /** The newest whole snapshot. Its lines come first, then `log.read(loaded.position.seq, …)`; without one, `log.read(0, …)`. */
  readonly loaded: LoadedSnapshot | undefined;
  close(): Promise<void>;
}

/** Rejects with PostgresUnusable, SnapshotDamaged or StoreVersionMismatch; then nothing stays open. */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<PostgresStore> {
  const log = await PostgresLog.open(options);
  try {
    const snapshots = new PostgresSnapshots({ app: options.app, links: log.links, onEvent: options.onEvent ?? (() => {}) });
    return { log, snapshots, loaded: await snapshots.load(), close: () => log.close() };
  } catch (error) {
    await log.close();
    throw error;
  }
}
