/** One way to wait for what has no event of its own. */
import assert from 'node:assert/strict';

/** Far more than a busy machine needs, and less than the runner gives a test (TR2). */
const PATIENCE_MS = 60_000;
const PAUSE_MS_MAX = 20;

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
