/** What every live session shares. */

import type { CloseReason } from '../../../protocol/close-codes.ts';
import type { ConnectDetails, Outcome } from '../../../protocol/command.ts';
import type { Origin } from '../../../protocol/entry.ts';
import { type ErrorKind, RosterError } from '../../../protocol/errors.ts';
import { LIMITS } from '../../../protocol/limits.ts';
import { decodeConnect } from '../../../protocol/requests.ts';
import { isInSight, isMultiTenant } from '../../../protocol/tenancy.ts';
import type { StoredUser } from '../../../protocol/user.ts';
import { Interest, type Sight } from '../../pipeline/interest.ts';
import type { AnyEvent } from '../../pipeline/live-event.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { Subscriber } from '../../pipeline/subscriber.ts';
import type { Authenticator, Caller } from '../auth.ts';
import type { EdgeLogger } from '../logger.ts';
import type { RateLimits } from '../rate-limits.ts';
import { platformOf } from '../rate-limits.ts';
import { type ConnectGate, RetryLater } from './connect-gate.ts';
import type { Consumers } from './consumers.ts';
import type { SessionRegistry } from './session-registry.ts';

export interface LiveContext {
  readonly roster: Roster;
  readonly authenticator: Authenticator;
  readonly apiKey: string;
  readonly sessions: SessionRegistry;
  readonly consumers: Consumers;
  readonly gate: ConnectGate;
  readonly rateLimits: RateLimits;
  readonly logger: EdgeLogger;
  /** Wall clock in milliseconds. */
  readonly nowMs: () => number;
  /** What a client is told to wait before it comes back after a restart. */
  readonly retryMs: number;
}

/** Counts a connect of a client against the limits of connecting. `client`: what it calls itself. Rejects with RetryLater. */
export async function countConnect({ rateLimits, nowMs }: LiveContext, caller: Caller, client?: string): Promise<void> {
  if (caller.kind === 'server') return;
  const userId = caller.kind === 'user' ? caller.id : undefined;
  const { retryAfterS } = await rateLimits.take('Connect', platformOf(client, caller), userId);
  if (retryAfterS === undefined) return;
  // Who was sent away in the same second does not come back in the same one.
  const retryMs = retryAfterS * 1_000 + Math.floor(nowMs() % 1_000);
  throw new RetryLater('rate_limit', `too many connects; come back in ${retryAfterS} s`, retryMs);
}

/** When coming back can help, for a refusal that says so. */
export function retryHint(error: RosterError): { readonly retry_ms: number } | undefined {
  return error instanceof RetryLater ? { retry_ms: error.retryMs } : undefined;
}

/** Creates or merges the caller's own user. `details` are as the client sent them. Rejects with RosterError. */
export async function connectUser(roster: Roster, id: string, details: unknown): Promise<Outcome> {
  const decoded: ConnectDetails = decodeConnect(id, details);
  return await roster.submit({ kind: 'connect', id, details: decoded }, 'live', liveOrigin({ kind: 'user', id }));
}

/** Where the changes of a live connection come from. */
export function liveOrigin(caller: Caller): Origin {
  return { source: 'live', ...(caller.kind === 'user' ? { by: caller.id } : undefined) };
}

/** Name of the interest that a user's session has in the user itself. It is never told. */
export const OWN = '';

export function ownInterest(id: string, since: number): Interest {
  return new Interest({ name: OWN, want: { kind: 'ids', ids: new Set([id]) }, since, reach: 'self' });
}

/**
 * Whom a client may know of where teams are walls (multi-tenancy); undefined where they are not. It asks the directory each
 * time, so it follows the teams of both.
 */
export function sightOf(roster: Roster, caller: Caller): Sight | undefined {
  if (caller.kind === 'server' || !isMultiTenant(roster.directory.app)) return undefined;
  return (other) => {
    const viewer = caller.kind === 'user' ? roster.directory.user(caller.id) : NOBODY;
    return viewer !== undefined && isInSight(roster.directory.app, viewer, other);
  };
}

/** An anonymous caller is in no team. No user has the empty id. */
const NOBODY = { id: '', teams: [] };

/**
 * Whether what a caller may know of others is certainly the same as it was at `seq`: otherwise its copy may hold users that it
 * must not see any more, and lack others, and no event says so. `before`: its own record before it connected.
 */
export function isSightUnchanged({ directory }: Roster, caller: Caller, before: StoredUser | undefined, seq: number): boolean {
  if (caller.kind === 'server') return true;
  if (directory.appSeq > seq) return false;
  if (caller.kind === 'anonymous' || !isMultiTenant(directory.app)) return true;
  const now = directory.user(caller.id);
  return before !== undefined && before.rev <= seq && now !== undefined && sameTeams(before.teams, now.teams);
}

export function sameTeams(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((team) => b.includes(team)));
}

/** Key of the interest in users that were found by a query with `presence: true`. It has no name, so events do not show it. */
export const WATCHED = '(watched)';

/** Adds users to what a connection watches; of more than `LIMITS.subIds` the first ones go. */
export function watchUsers(roster: Roster, subscriber: Subscriber, caller: Caller, ids: readonly string[]): void {
  roster.hub.change(subscriber, (interests) => {
    const before = interests.get(WATCHED);
    const held = before?.want.kind === 'ids' ? before.want.ids : [];
    const all = [...new Set([...held, ...ids])].slice(-LIMITS.subIds);
    const since = before?.since ?? roster.directory.seq;
    const want = { kind: 'ids' as const, ids: new Set(all) };
    const reach = caller.kind === 'server' ? 'server' : 'others';
    interests.set(WATCHED, new Interest({ name: '', want, since, reach, wantsPresence: true, sight: sightOf(roster, caller) }));
  });
}

/** Why one subscription of a connection was told of an event, or was not. */
export interface Explanation {
  /** `(self)`: the interest in the own user. `(watched)`: users found by a query with presence. */
  readonly sub: string;
  readonly want: Interest['want']['kind'];
  readonly result: string;
}

/** `position`: how far a connection that is behind has got. */
export function explain(interests: ReadonlyMap<string, Interest>, event: AnyEvent, position: number | undefined): readonly Explanation[] {
  return [...interests].map(([key, interest]) => ({
    sub: key === OWN ? '(self)' : key,
    want: interest.want.kind,
    result:
      position !== undefined && event.seq > position
        ? `not yet: the connection is behind, at position ${position}`
        : interest.explain(event),
  }));
}

/** Why a caller that was let in would not be let in again now; undefined when it still would. */
export function refusalOf(authenticator: Authenticator, caller: Caller): RosterError | undefined {
  try {
    authenticator.recheck(caller);
    return undefined;
  } catch (error) {
    if (error instanceof RosterError) return error;
    throw error;
  }
}

/** How a connection ends when its caller is refused for this reason. */
export function closeReasonOf(kind: ErrorKind): CloseReason {
  switch (kind) {
    case 'api_key':
    case 'auth':
    case 'token_expired':
    case 'token_not_yet':
    case 'token_iat':
    case 'token_signature':
      return 'auth';
    case 'not_allowed':
      return 'not_allowed';
    case 'not_found':
      return 'deleted';
    case 'rate_limit':
      return 'rate';
    case 'unavailable':
    case 'internal':
    case 'timeout':
      return 'overload';
    case 'input':
    case 'duplicate_username':
    case 'conflict':
    case 'precondition':
    case 'key_reused':
    case 'too_big':
    case 'headers_too_big':
      return 'bad_frame';
  }
}
