/** How a node is doing, in words. Pure. */
import { durationText, size, whole } from '../parts/amounts.ts';
import type { SampleColumns } from './sample-history.ts';

export interface ShownState {
  readonly version: string;
  readonly node_version: string;
  readonly uptime_s: number;
  readonly epoch: string;
  readonly seq: number;
  readonly trouble: string | null;
  readonly write_trouble: string | null;
  readonly dead_letters: number;
  readonly data_free_bytes: number | null;
  readonly sample_s: number;
  readonly samples: SampleColumns;
}

/** As `/nodes` lists it. */
export interface ShownNode {
  readonly name?: string;
  readonly is_here: boolean;
  readonly state?: ShownState;
  readonly error?: string;
}

/** Below this much space, the disk is worth a word. */
const LITTLE_SPACE = 1_000_000_000;

export type NodeHealth = 'well' | 'warning' | 'bad';

export interface NodeVerdict {
  readonly health: NodeHealth;
  readonly word: string;
  /** What is wrong and what it means, in sentences. */
  readonly reasons: readonly string[];
}

/** The gravest first. */
export function verdictOf({ state, error }: ShownNode): NodeVerdict {
  if (state === undefined) {
    return { health: 'bad', word: 'does not answer', reasons: [`Its state is not known: ${error ?? 'it sent none'}.`] };
  }
  const { trouble, write_trouble, dead_letters, data_free_bytes: free } = state;
  const reasons = [
    ...(trouble === null ? [] : [`It should get no requests: ${trouble}.`]),
    ...(write_trouble === null || write_trouble === trouble ? [] : [`It can be read, but stores no changes: ${write_trouble}.`]),
  ];
  const warnings = [
    ...(dead_letters === 0
      ? []
      : [
          `${whole(dead_letters)} events for webhooks were given up. They can be replayed: rosterd call GET /api/v2/hooks says which hooks.`,
        ]),
    ...(free === null || free >= LITTLE_SPACE ? [] : [`Only ${size(free)} are free on the disk of the data directory.`]),
  ];
  const health = reasons.length > 0 ? 'bad' : warnings.length > 0 ? 'warning' : 'well';
  const word = trouble !== null ? 'not ready' : write_trouble !== null ? 'read-only' : health === 'well' ? 'well' : 'needs a look';
  return { health, word, reasons: [...reasons, ...warnings] };
}

/** Names and values of what else is known. */
export function stateFacts({
  version,
  node_version,
  uptime_s,
  epoch,
  seq,
  data_free_bytes,
}: ShownState): readonly (readonly [string, string])[] {
  return [
    ['Version', `${version}, on Node ${node_version}`],
    ['Running for', durationText(uptime_s)],
    ['Position', `${epoch}:${seq}`],
    ['Free disk space', data_free_bytes === null ? 'not known' : size(data_free_bytes)],
  ];
}
