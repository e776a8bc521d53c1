/** A directory as a service, on a log and snapshots in memory where a test does not give its own. */
import { Roster } from '../../daemon/pipeline/roster.ts';
import type { RosterOptions } from '../../daemon/pipeline/roster-options.ts';
import { MemoryLog } from '../../store/memory-log.ts';
import { MemorySnapshots } from '../../store/snapshot/memory.ts';
import { DEFAULT_POLICY } from './default-policy.ts';

/** Says nothing, saves no snapshot by itself, and throws where it cannot go on. The caller closes it. */
export async function rosterWith(options: Partial<RosterOptions> = {}): Promise<Roster> {
  const { snapshots = new MemorySnapshots() } = options;
  return await Roster.open({
    log: new MemoryLog({ retentionFacts: 1_000_000 }),
    snapshots,
    loaded: await snapshots.load(),
    policy: DEFAULT_POLICY,
    logger: { info: () => {}, error: () => {} },
    snapshotEveryFacts: 1_000_000,
    historyBytes: 1 << 20,
    outboxBytesMax: 1 << 20,
    presenceGraceMs: 0,
    onFatal: (error) => {
      throw error;
    },
    ...options,
  });
}
