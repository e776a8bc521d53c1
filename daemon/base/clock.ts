/** The clock of the long-running commands; tests replace it to control time. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts: the caller checks the signal anyway. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** A timer of Node that is set for longer fires at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: async (ms, signal) => {
    try {
      for (let left = ms; left > 0; left -= TIMER_MS_MAX) {
        await delay(Math.min(left, TIMER_MS_MAX), undefined, signal === undefined ? {} : { signal });
      }
    } catch {
      // Aborted: the sleep is over too.
    }
  },
};
