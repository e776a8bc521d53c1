/** Writes over a live connection count like those by HTTP, against the same limits. */
import { RosterError } from '../../../protocol/errors.ts';
import type { Caller } from '../auth.ts';
import { platformOf, type RateLimits } from '../rate-limits.ts';

/** Rejects with RosterError `rate_limit` when it is one too many. `operation` is that of the endpoint. */
export async function countWrite(rateLimits: RateLimits, operation: string, caller: Caller): Promise<void> {
  const own = caller.kind === 'user' ? caller.id : undefined;
  const { retryAfterS } = await rateLimits.take(operation, platformOf(undefined, caller), own);
  if (retryAfterS !== undefined) throw new RosterError('rate_limit', `too many requests, try again in ${retryAfterS} s`);
}
