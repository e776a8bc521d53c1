/** How long to wait before the next attempt: exponential with full jitter, so that ten thousand clients do not come back together. Pure. */

const BASE_MS = 250;
const CAP_MS = 30_000;

/** `attempt` counts from 0; `random` is in [0, 1). At least a tenth of the ceiling, so that no attempt follows at once. */
export function backoffMs(attempt: number, random: number): number {
  const ceiling = Math.min(CAP_MS, BASE_MS * 2 ** Math.min(attempt, 10));
  return Math.round(ceiling * (0.1 + 0.9 * random));
}
