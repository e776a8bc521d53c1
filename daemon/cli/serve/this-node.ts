/** How this node is doing: what its parts say of themselves, in one answer. */
import { freeBytes } from '../../base/free-bytes.ts';
import type { NodeState } from '../../edge/nodes/node-state.ts';
import { readiness } from '../../edge/nodes/readiness.ts';
import type { RunningWebhooks } from '../../jobs/hooks/start.ts';
import { SAMPLE_MS, type Samples } from '../../metrics/samples.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { NodeCondition } from '../../pipeline/write/node-condition.ts';
import { packageVersion } from '../version.ts';

export interface NodeStateSources {
  readonly roster: Roster;
  readonly condition: NodeCondition;
  readonly hooks: Pick<RunningWebhooks, 'measures'>;
  readonly samples: Pick<Samples, 'after'>;
  readonly dataDirectory: string;
}

/** `after`: samples up to this time are left out, seconds since 1970. */
export async function nodeState({ roster, condition, hooks, samples, dataDirectory }: NodeStateSources, after: number): Promise<NodeState> {
  const [forReads, forWrites, free] = await Promise.all([
    readiness(roster, condition),
    readiness(roster, condition, 'write'),
    freeBytes(dataDirectory).catch(() => null),
  ]);
  return {
    version: packageVersion(),
    node_version: process.versions.node,
    uptime_s: Math.round(process.uptime()),
    ...roster.position,
    trouble: reasonOf(forReads.details),
    write_trouble: reasonOf(forWrites.details),
    dead_letters: hooks.measures().reduce((sum, { dead }) => sum + dead, 0),
    data_free_bytes: free,
    sample_s: SAMPLE_MS / 1_000,
    samples: samples.after(after),
  };
}

function reasonOf(details: object): string | null {
  return 'reason' in details ? String(details.reason) : null;
}
