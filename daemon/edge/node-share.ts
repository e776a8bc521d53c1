/**
 * What one of several nodes allows of a limit. Each counts alone, so that no request waits for another node; together they allow a caller no more
 * than the limit, and at most one request per node beyond it.
 *
 * It keeps RL18 (daemon/RULES.md).
 */

import { type RateLimiterAbstract, RateLimiterMemory } from 'rate-limiter-flexible';

/** How many nodes are alive, this one included. */
export type LivingNodes = () => number;

/** Rounded up, so never less than one. */
export function shareOf(limit: number, nodes: number): number {
  return nodes === 1 ? limit : Math.ceil(limit / nodes);
}

/** Counts requests by key, in windows of time. */
export interface RequestCounter {
  readonly limiter: RateLimiterAbstract;
  /** Requests of one key that all nodes together allow in a window. */
  readonly total: number;
}

export function newCounter(total: number, windowS: number): RequestCounter {
  return { limiter: new RateLimiterMemory({ keyPrefix: '', points: total, duration: windowS }), total };
}
