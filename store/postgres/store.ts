/** The store on PostgreSQL as one unit: the log, the snapshots from which it is read, and what lies beside it. */

import { LIMITS } from '../../protocol/base/limits.ts';
import type { Store, StoreClock } from '../store.ts';
import { PostgresBlobs } from './blobs.ts';
import { POSTGRES_DEFAULTS, type PostgresStoreOptions } from './defaults.ts';
import { PostgresHistory } from './history.ts';
import { PostgresLeases } from './leases.ts';
import { PostgresLetters } from './letters.ts';
import type { ServerLinks } from './link/links.ts';
import { PostgresUnusable } from './link/target.ts';
import { PostgresLog } from './log/log.ts';
import { PostgresMailbox } from './mailbox.ts';
import { PostgresPeers } from './peers.ts';
import { PostgresSnapshots } from './snapshots.ts';

export interface PostgresNodeOptions extends PostgresStoreOptions {
  /** The name of this node, which no other one may have at the same time. */
  readonly node: string;
  /** The version of rosterd, for the other nodes and the operator. */
  readonly version: string;
  /** The settings that all nodes must share: for each its name and a keyed hash of its value. Nothing is compared that a node leaves out. */
  readonly settings?: ReadonlyMap<string, string>;
}

/** Rejects with PostgresUnusable, SnapshotDamaged or StoreVersionMismatch; then nothing stays open. */
export async function openPostgresStore(options: PostgresNodeOptions): Promise<Store> {
  const log = await PostgresLog.open(options);
  try {
    await checkClock(log);
    const snapshots = new PostgresSnapshots({
      app: options.app,
      links: log.links,
      format: () => log.format,
      onEvent: options.onEvent ?? (() => {}),
    });
    const leases = new PostgresLeases(options.app, log.links, options.node);
    const peers = new PostgresPeers({ ...options, links: log.links });
    const mailbox = new PostgresMailbox({ app: options.app, node: options.node, links: log.links });
    const letters = new PostgresLetters(options.app, log.links);
    const history = new PostgresHistory(options.app, log.links);
    const blobs = new PostgresBlobs({ app: options.app, links: log.links, deadlineMs: options.deadlineMs ?? POSTGRES_DEFAULTS.deadlineMs });
    // The log first: nothing waits for a server any more then.
    const close = async (): Promise<void> => {
      await log.close();
      await Promise.all([leases.close(), letters.close(), history.close(), blobs.close(), mailbox.close()]);
    };
    return { log, clock: log.clock, snapshots, blobs, leases, peers, mailbox, letters, history, loaded: await snapshots.load(), close };
  } catch (error) {
    await log.close();
    throw error;
  }
}

/**
 * OP3: a machine whose clock is further off than tokens allow takes those of others for expired, or not yet valid. A clock that is less
 * wrong, or goes wrong later, makes the node not ready (ND5). Rejects with PostgresUnusable.
 */
async function checkClock({ clock, links }: { readonly clock: StoreClock; readonly links: ServerLinks }): Promise<void> {
  const aheadS = Math.round((Date.now() - clock.nowMs()) / 1_000);
  if (Math.abs(aheadS) <= LIMITS.tokenLeewayS) return;
  const off = `${Math.abs(aheadS)} s ${aheadS > 0 ? 'ahead of' : 'behind'}`;
  throw new PostgresUnusable(
    (await links.ready()).target.name,
    `the clock of this machine is ${off} that of the server, and a node starts with ${LIMITS.tokenLeewayS} s at most: synchronise both with the same time servers (NTP), and start again`,
  );
}
