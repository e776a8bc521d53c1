/**
 * A storage in memory: what it holds ends with the process. The emulator runs the daemon on it.
 */
import { MemoryLog } from '../memory-log.ts';
import { MemorySnapshots } from '../snapshot/memory.ts';
import type { LoadedSnapshot } from '../snapshot.ts';
import type { Store } from '../store.ts';
import type { MemoryBlobs } from './blobs.ts';

/** Events that subscribers can resume from, beside those that a webhook needs. */
const RETENTION_FACTS = 100_000;

/** Opens a storage with a new epoch. `loaded`: it begins with this directory, otherwise with nothing. */
export function openMemoryStore(blobs: MemoryBlobs, loaded?: LoadedSnapshot): Store {
  const log = new MemoryLog({ start: loaded?.position.seq ?? 0, retentionFacts: RETENTION_FACTS, heldFacts: RETENTION_FACTS });
  return { log, snapshots: new MemorySnapshots(), loaded, blobs, close: () => log.close() };
}
