/** Daemons on one log in memory, each behind a view of its own. */
import type { OpenStore } from '../../../daemon/cli/serve/daemon.ts';
import { BlobFiles } from '../../../store/blob-files.ts';
import { MemorySnapshots } from '../../../store/snapshot/memory.ts';
import type { StoreClock } from '../../../store/store.ts';
import type { NodeLog } from './node-log.ts';

/** `clock`: the one that all nodes share. */
export function openNode(log: NodeLog, clock?: StoreClock): OpenStore {
  return async ({ data }) => ({
    log,
    blobs: await BlobFiles.open(data),
    snapshots: new MemorySnapshots(),
    loaded: undefined,
    ...(clock === undefined ? {} : { clock }),
    close: () => log.close(),
  });
}
