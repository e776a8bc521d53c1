/** Time as the long-running commands see it, so that tests can make it pass at will. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts: whoever waits looks at the signal anyway. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      await delay(ms, undefined, signal === undefined ? {} : { signal });
    } catch {
      // Aborted, which is the other way to be done.
    }
  },
};

/**
 * Exponential back-off with full jitter: any time from 0 to `baseMs` · 2^attempt, at most `capMs`. Spread over the
 * whole range, because callers that failed together would otherwise come back together.
 */
export function backoffMs(attempt: number, random: () => number, baseMs: number, capMs: number): number {
  return Math.round(random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));
}
