/** The store on PostgreSQL as one unit: the log, the snapshots from which it is read, and what lies beside it. */

import type { Store } from '../store.ts';
import { PostgresBlobs } from './blobs.ts';
import { POSTGRES_DEFAULTS, type PostgresStoreOptions } from './defaults.ts';
import { PostgresHistory } from './history.ts';
import { PostgresLeases } from './leases.ts';
import { PostgresLetters } from './letters.ts';
import { PostgresLog } from './log/log.ts';
import { PostgresSnapshots } from './snapshots.ts';

/** Rejects with PostgresUnusable, SnapshotDamaged or StoreVersionMismatch; then nothing stays open. */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<Store> {
  const log = await PostgresLog.open(options);
  try {
    const snapshots = new PostgresSnapshots({ app: options.app, links: log.links, onEvent: options.onEvent ?? (() => {}) });
    const leases = new PostgresLeases(options.app, log.links);
    const letters = new PostgresLetters(options.app, log.links);
    const history = new PostgresHistory(options.app, log.links);
    const blobs = new PostgresBlobs({ app: options.app, links: log.links, deadlineMs: options.deadlineMs ?? POSTGRES_DEFAULTS.deadlineMs });
    // The log first: nothing waits for a server any more then.
    const close = async (): Promise<void> => {
      await log.close();
      await Promise.all([leases.close(), letters.close(), history.close(), blobs.close()]);
    };
    return { log, clock: log.clock, snapshots, blobs, leases, letters, history, loaded: await snapshots.load(), close };
  } catch (error) {
    await log.close();
    throw error;
  }
}
