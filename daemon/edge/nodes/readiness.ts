/**
 * What `/readyz` answers: whether requests should be sent to this node, and why not.
 *
 * It keeps MX1 (daemon/RULES.md).
 */
import type { Reading } from '../http/backend.ts';

/** What is wrong with a node that runs (daemon/pipeline/write/node-condition.ts). */
export interface Condition {
  /** For how long the storage has been away; undefined while it is there. */
  readonly staleMs: number | undefined;
  /** Whether nothing may be read here any more. */
  readonly isTooStale: boolean;
  /** Undefined when nothing is wrong. */
  readonly trouble: { readonly reason: string } | undefined;
  /** The same for writes, which may be refused where reads are served. */
  writeTrouble(): Promise<{ readonly reason: string } | undefined>;
}

export interface Readiness {
  readonly isWell: boolean;
  /** More than the status, for an operator. */
  readonly details: object;
}

const DRAINING = 'draining: the daemon stops';

/** `need`: what the requests are that would be sent here, as the query says; `write`, or nothing for reads. */
export async function readiness(backend: Pick<Reading, 'ready' | 'clockGap'>, condition: Condition, need?: string): Promise<Readiness> {
  const trouble = await troubleOf(condition, need);
  const { ready, clockGap } = backend;
  const reasons = [...(ready ? [] : [DRAINING]), ...(trouble === undefined ? [] : [trouble.reason])];
  return {
    isWell: reasons.length === 0,
    details: {
      ...trouble,
      ...(reasons.length > 0 ? { reason: reasons.join('; ') } : undefined),
      ...(clockGap.ms > 0 ? { clock_behind_log_ms: clockGap.ms } : undefined),
    },
  };
}

/** A misspelt need must not pass for the one that was meant. */
async function troubleOf(condition: Condition, need: string | undefined): Promise<Condition['trouble']> {
  if (need === undefined) return condition.trouble;
  return need === 'write' ? await condition.writeTrouble() : { reason: 'the query parameter need can only be write' };
}
