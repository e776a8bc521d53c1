/** The context that all live sessions share. */

import { RosterError } from '../../../../protocol/base/errors.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { Outcome } from '../../../../protocol/log/command.ts';
import type { Origin } from '../../../../protocol/log/entry.ts';
import { type ConnectDetails, decodeConnect } from '../../../../protocol/users/connect.ts';
import type { EdgeLogger } from '../../../base/logger.ts';
import type { Turns } from '../../../base/turns.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import type { Authenticator, CallerCredentials } from '../../auth.ts';
import { type CountedRequest, platformOf, type RateLimits, refuseOver } from '../../rate-limits.ts';
import type { Stranger } from '../../strangers.ts';
import type { LiveCounts } from '../live-counts.ts';
import { type ConnectGate, RetryLater } from './connect-gate.ts';
import type { Consumers } from './consumers.ts';
import type { SessionRegistry } from './registry.ts';
import type { SocketLimit } from './socket-limit.ts';

export interface LiveContext {
  readonly roster: Roster;
  readonly authenticator: Authenticator;
  readonly apiKey: string;
  readonly sessions: SessionRegistry;
  readonly consumers: Consumers;
  readonly socketLimit: SocketLimit;
  readonly gate: ConnectGate;
  /** Run the work of live connections that can wait: handshakes, connects, frames. */
  readonly turns: Turns;
  readonly rateLimits: RateLimits;
  readonly counts: LiveCounts;
  readonly logger: EdgeLogger;
  /** Wall clock in milliseconds. */
  readonly nowMs: () => number;
  /** The time that a client waits before it reconnects after a restart. */
  readonly retryMs: number;
}

/**
 * Admits the caller of a new live connection or of a token refresh. A connection ends with its token, so the leeway that a request has
 * after that end does not apply: the connection would end at once. Throws as `authenticate` does.
 */
export function admit({ authenticator, nowMs }: LiveContext, credentials: CallerCredentials): Caller {
  const caller = authenticator.authenticate(credentials);
  const exp = tokenEnd(caller);
  if (exp !== undefined && nowMs() >= exp * 1_000) throw new RosterError('token_expired');
  return caller;
}

/** The end of the token, in seconds since 1970; undefined when it never ends. */
export function tokenEnd(caller: Caller | undefined): number | undefined {
  return caller === undefined || caller.kind === 'anonymous' ? undefined : caller.exp;
}

/** Counts a connect of a client against the connect limits. `client`: the name that the client gives itself. Rejects with RetryLater. */
export async function countConnect(context: LiveContext, caller: Caller, stranger: Stranger | undefined, client?: string): Promise<void> {
  if (caller.kind === 'server') return;
  const { retryAfterS } = await count(context, 'Connect', caller, stranger, client);
  if (retryAfterS === undefined) return;
  // Spreads the retries: clients that are refused in the same second do not all reconnect in the same instant.
  const retryMs = retryAfterS * 1_000 + Math.floor(context.nowMs() % 1_000);
  throw new RetryLater('rate_limit', `too many connects; come back in ${retryAfterS} s`, retryMs);
}

/** Counts a write as over HTTP, against the limits of that endpoint. Rejects with RosterError `rate_limit`. */
export async function countWrite(context: LiveContext, operation: string, caller: Caller, stranger: Stranger | undefined): Promise<void> {
  refuseOver(await count(context, operation, caller, stranger));
}

function count(
  { rateLimits }: LiveContext,
  operation: string,
  caller: Caller,
  stranger: Stranger | undefined,
  client?: string,
): Promise<CountedRequest> {
  return rateLimits.take(operation, platformOf(client, caller), caller.kind === 'user' ? caller.id : undefined, stranger);
}

/**
 * Creates or merges the caller's own user. `details` are as the client sent them. Rejects with RosterError. While nothing can be stored, a
 * user that stays as it is connects all the same (DK2): only the memory of this connect is missing then.
 */
export async function connectUser(roster: Roster, id: string, details: unknown): Promise<Outcome> {
  const decoded: ConnectDetails = decodeConnect(id, details);
  const command = { kind: 'connect', id, details: decoded } as const;
  try {
    return await roster.submit(command, 'live', liveOrigin({ kind: 'user', id }));
  } catch (error) {
    if (!(error instanceof RosterError) || error.kind !== 'unavailable' || !roster.ready) throw error;
    const outcome = roster.preview(command);
    if (outcome.users[0]?.change !== 'unchanged') throw error;
    return { ...outcome, seq: roster.position.seq };
  }
}

/** The origin of the changes of a live connection. */
export function liveOrigin(caller: Caller): Origin {
  return { source: 'live', ...(caller.kind === 'user' ? { by: caller.id } : undefined) };
}
