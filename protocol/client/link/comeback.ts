/** Decides whether, when and where to reconnect after a connection has ended. Pure. */
import { backoffMs } from '../../base/backoff.ts';
import { CLOSE } from '../../live/close-codes.ts';

/** How a connection ended. */
export interface LinkEnd {
  /** Close code; one that is not on the list comes from the network. */
  readonly code: number;
  /** The connection was refused because its token has expired, and a token provider exists. */
  readonly isExpired: boolean;
  /** A caller awaits the first connection: a failure is its answer, not a reason to reconnect. */
  readonly isAwaited: boolean;
  /** Failed attempts before this one. */
  readonly attempt: number;
  /** The number of nodes that can be tried. */
  readonly nodes: number;
}

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
/** The rate limit per minute causes the longest wait that the daemon asks for. */
const RETRY_CAP_MS = 60_000;

/** Ends that come from this client and not from the node: another node would end the connection as well. */
const OWN_ENDS: readonly number[] = [CLOSE.slow.code, CLOSE.silent.code, CLOSE.rate.code];

export function comesBack({ code, isExpired, isAwaited, attempt, nodes }: LinkEnd): boolean {
  // When a caller awaits the answer, a second refusal in a row for an expired token ends the attempts.
  if (isExpired && (!isAwaited || attempt < nodes)) return true;
  const spec = Object.values(CLOSE).find((one) => one.code === code);
  return spec === undefined ? !isAwaited || attempt + 1 < nodes : spec.reconnect;
}

/** `retryMs`: the least wait that the daemon asked for, unchecked. `random` returns a number in [0, 1). */
export function comebackMs(attempt: number, retryMs: unknown, random: () => number): number {
  return Math.min(Number(retryMs) || 0, RETRY_CAP_MS) + backoffMs(attempt, random, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
}

/** Whether the next attempt is made at another node. */
export function movesOn({ code, isExpired, nodes }: LinkEnd): boolean {
  return nodes > 1 && !isExpired && !OWN_ENDS.includes(code);
}

/**
 * The wait before an attempt at another node. Only the first attempt of a round over all nodes waits, so that more nodes do not mean
 * longer waits. The wait that a node asked for when it closed an open connection (`attempt` 0) concerns that node alone.
 */
export function elsewhereMs(attempt: number, nodes: number, retryMs: unknown, random: () => number): number {
  return attempt % nodes === 0 ? comebackMs(attempt / nodes, attempt === 0 ? 0 : retryMs, random) : 0;
}
