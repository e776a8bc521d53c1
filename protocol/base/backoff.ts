/**
 * Exponential back-off with full jitter: any time from 0 to `baseMs` · 2^attempt, at most `capMs`. Spread over the
 * whole range, because callers that failed together would otherwise come back together. Pure; `random` gives [0, 1).
 */
export function backoffMs(attempt: number, random: () => number, baseMs: number, capMs: number): number {
  return Math.round(random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30)));
}
