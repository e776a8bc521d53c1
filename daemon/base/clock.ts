/** The clock of the long-running commands; tests replace it to control time. */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after `ms`, or at once when `signal` aborts: the caller checks the signal anyway. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** Time that only passes: nobody sets it back. */
export interface SteadyClock {
  /** Milliseconds since any moment. */
  nowMs(): number;
  /** Calls `act` after `ms`, unless the returned function is called before. It keeps no process alive. */
  after(ms: number, act: () => void): () => void;
}

export const steadyClock: SteadyClock = {
  nowMs: () => performance.now(),
  after: (ms, act) => {
    const timer = setTimeout(act, ms).unref();
    return () => clearTimeout(timer);
  },
};

/** A timer of Node that is set for longer fires at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1;

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
