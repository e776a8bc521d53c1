/** How long work beside the directory takes, and how often it says how far it is. It keeps IM12 (daemon/RULES.md). */
import type { Clock } from '../../base/clock.ts';

/** Longest pause, however long a step took and whatever the clock was set to meanwhile, milliseconds. */
const PAUSE_MS_MAX = 1_000;
/** Interval at which work says how far it is, milliseconds. */
const PROGRESS_MS = 1_000;

/** A step of work, and as much time for others after it: when other work slows it down, the pauses grow with it. */
export async function givingWay<T>(clock: Clock, signal: AbortSignal | undefined, step: () => Promise<T>): Promise<T> {
  const startMs = clock.now();
  const done = await step();
  await clock.sleep(Math.min(clock.now() - startMs, PAUSE_MS_MAX), signal);
  return done;
}

export interface ProgressTeller<Progress> {
  /** Stores the progress, unless that is being done or was a moment ago. */
  say(progress: () => Progress): void;
  /** Resolves when nothing is being stored any more. */
  end(): Promise<void>;
}

/** `store`: its failures do no harm, since what matters is stored again at the end. */
export function progressTeller<Progress>(
  clock: Clock,
  store: (progress: Progress) => Promise<void>,
  everyMs = PROGRESS_MS,
): ProgressTeller<Progress> {
  let storedMs = clock.now();
  let storing: Promise<void> | undefined;
  const ended = (): void => {
    storedMs = clock.now();
    storing = undefined;
  };
  return {
    say: (progress) => {
      // One write at a time, or an older state could replace a newer one; and however long each took, the next one is not too soon.
      if (storing !== undefined || clock.now() - storedMs < everyMs) return;
      storing = store(progress()).then(ended, ended);
    },
    end: async () => await storing,
  };
}
