/** The headers that show a limit. */
import type { CountedRequest } from './rate-limits.ts';

/** The published rate-limit headers. `Retry-After` only on a refusal. */
export function rateHeaders({ limit, remaining, reset, retryAfterS }: CountedRequest): Record<string, string> {
  return {
    'X-RateLimit-Limit': String(limit),
    'X-RateLimit-Remaining': String(remaining),
    'X-RateLimit-Reset': String(reset),
    ...(retryAfterS === undefined ? undefined : { 'Retry-After': String(retryAfterS) }),
  };
}
