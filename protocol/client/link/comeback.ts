/** Whether a connection that has ended is made anew, and when. Pure. */
import { backoffMs } from '../../base/backoff.ts';
import { CLOSE } from '../../live/close-codes.ts';

/** How a connection ended. */
export interface LinkEnd {
  /** Close code; one that is not on the list is the network's doing. */
  readonly code: number;
  /** It was refused because its token has expired, and there is somebody to ask for another. */
  readonly isExpired: boolean;
  /** Somebody waits for the first connection: a failure is the answer, not a reason to come back. */
  readonly isAwaited: boolean;
  /** Attempts before this one that led to no connection. */
  readonly attempt: number;
}

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
/** The limit of a minute is the longest that the daemon has to wait for. */
const RETRY_CAP_MS = 60_000;

export function comesBack({ code, isExpired, isAwaited, attempt }: LinkEnd): boolean {
  // A provider whose token is refused as expired twice in a row is not asked for ever by somebody who waits for the answer.
  if (isExpired && (!isAwaited || attempt === 0)) return true;
  const spec = Object.values(CLOSE).find((one) => one.code === code);
  return spec === undefined ? !isAwaited : spec.reconnect;
}

/** `retryMs`: what the daemon asked to wait at least, unchecked. `random` gives [0, 1). */
export function comebackMs(attempt: number, retryMs: unknown, random: () => number): number {
  return Math.min(Number(retryMs) || 0, RETRY_CAP_MS) + backoffMs(attempt, random, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
}
