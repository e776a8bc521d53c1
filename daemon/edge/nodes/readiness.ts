/** What `/readyz` answers: whether requests should be sent to this node, and why not. */
import type { Reading } from '../http/backend.ts';

/** What is wrong with a node that runs (daemon/pipeline/write/node-condition.ts). */
export interface Condition {
  /** For how long the storage has been away; undefined while it is there. */
  readonly staleMs: number | undefined;
  /** Whether nothing may be read here any more. */
  readonly isTooStale: boolean;
  /** Undefined when nothing is wrong. */
  readonly trouble: { readonly reason: string } | undefined;
}

export interface Readiness {
  readonly isWell: boolean;
  /** More than the status, for an operator. */
  readonly details: object;
}

export function readiness({ ready, clockGap }: Pick<Reading, 'ready' | 'clockGap'>, { trouble }: Condition): Readiness {
  return {
    isWell: ready && trouble === undefined,
    details: { ...trouble, ...(clockGap.ms > 0 ? { clock_behind_log_ms: clockGap.ms } : undefined) },
  };
}
