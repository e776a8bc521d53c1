/** The store on PostgreSQL as one unit: the log, and the snapshots from which it is read. */

import type { Store } from '../store.ts';
import type { PostgresStoreOptions } from './defaults.ts';
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
    const close = async (): Promise<void> => {
      await Promise.all([leases.close(), letters.close()]);
      await log.close();
    };
    return { log, snapshots, leases, letters, loaded: await snapshots.load(), close };
  } catch (error) {
    await log.close();
    throw error;
  }
}
