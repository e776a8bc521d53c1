/** How tests deal with time on a machine that does other things meanwhile. */
import assert from 'node:assert/strict';

/** Far more than a busy machine needs, and less than the runner gives a test (TR2). */
const PATIENCE_MS = 60_000;
const PAUSE_MS_MAX = 50;

/**
 * Looks again and again, first quickly, until the condition holds. Rejects with `what`, by default the condition's own text, after
 * `patienceMs` (milliseconds). A test that must not take longer than a bound measures the time itself.
 */
export async function eventually(
  holds: () => boolean | Promise<boolean>,
  what: string | (() => string) = `never: ${holds}`,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const endMs = Date.now() + patienceMs;
  for (let look = 1; !(await holds()); look++) {
    assert.ok(Date.now() < endMs, typeof what === 'string' ? what : what());
    await new Promise((resolve) => setTimeout(resolve, Math.min(look, PAUSE_MS_MAX)));
  }
}

/** How long it took the quickest of a few times, in milliseconds: a busy machine makes some of them slow, a fault makes all. */
export async function quickest(act: () => Promise<unknown>, times = 4): Promise<number> {
  let leastMs = Number.POSITIVE_INFINITY;
  for (let n = 0; n < times; n++) {
    const startedMs = performance.now();
    await act();
    leastMs = Math.min(leastMs, performance.now() - startedMs);
  }
  return leastMs;
}
