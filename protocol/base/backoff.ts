/**
 * Exponential back-off with full jitter: any time from 0 to `baseMs` · 2^attempt, at most `capMs`. The times cover the whole
 * range so that callers that failed together do not retry together. Pure; `random` returns [0, 1).
 */
export function backoffMs(attempt: number, random: () => number, baseMs: number, capMs: number): number {
  return Math.round(random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));
}
