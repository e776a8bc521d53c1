/** The wall clock in microseconds, as the log and its events have it. */

/** Clocks that differ by more than this are set, not just read a little apart. */
const CLOCK_STEP_MS = 100;
/** What the wall clock was put forward, or back, since the process began. */
let clockStepMs = 0;

/** Wall clock in microseconds: the monotonic clock has the fractions, the wall clock is right, also after it was set. */
export function wallClock(): number {
  const monotonicMs = performance.timeOrigin + performance.now();
  const stepMs = Date.now() - monotonicMs;
  if (Math.abs(stepMs - clockStepMs) > CLOCK_STEP_MS) clockStepMs = stepMs;
  return Math.round((monotonicMs + clockStepMs) * 1000);
}
