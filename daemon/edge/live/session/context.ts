/** What every live session shares. */

import { isInSight, isMultiTenant } from '../../../../protocol/access/tenancy.ts';
import type { AppSettings } from '../../../../protocol/app/settings.ts';
import { type ErrorKind, RosterError } from '../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';
import type { Outcome } from '../../../../protocol/log/command.ts';
import type { Origin } from '../../../../protocol/log/entry.ts';
import { type ConnectDetails, decodeConnect } from '../../../../protocol/users/connect.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import type { EdgeLogger } from '../../../base/logger.ts';
import { isVisible, visibilityFor } from '../../../core/users/query.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import { Interest, type InterestOptions, presenceDecoration, type Want } from '../../../pipeline/tell/interest.ts';
import { PresenceChange } from '../../../pipeline/tell/presence-change.ts';
import type { Interests, Subscriber } from '../../../pipeline/tell/subscriber.ts';
import type { AnyEvent } from '../../../pipeline/tell/user-event.ts';
import type { Authenticator, Caller, Credentials } from '../../auth.ts';
import { platformOf, type RateLimits, refuseOver, type Verdict } from '../../rate-limits.ts';
import { type ConnectGate, RetryLater } from './connect-gate.ts';
import type { Consumers } from './consumers.ts';
import type { SessionRegistry } from './registry.ts';

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

/**
 * Who asks for a live connection, or goes on with another token. A connection ends with its token, so the leeway that a request
 * has after the end would let somebody in only to be sent away. Throws as `authenticate` does.
 */
export function admit({ authenticator, nowMs }: LiveContext, credentials: Credentials): Caller {
  const caller = authenticator.authenticate(credentials);
  const exp = caller.kind === 'anonymous' ? undefined : caller.exp;
  if (exp !== undefined && nowMs() >= exp * 1_000) throw new RosterError('token_expired');
  return caller;
}

/** Counts a connect of a client against the limits of connecting. `client`: what it calls itself. Rejects with RetryLater. */
export async function countConnect(context: LiveContext, caller: Caller, client?: string): Promise<void> {
  if (caller.kind === 'server') return;
  const { retryAfterS } = await count(context, 'Connect', caller, client);
  if (retryAfterS === undefined) return;
  // Who was sent away in the same second does not come back in the same one.
  const retryMs = retryAfterS * 1_000 + Math.floor(context.nowMs() % 1_000);
  throw new RetryLater('rate_limit', `too many connects; come back in ${retryAfterS} s`, retryMs);
}

/** Counts a write like one by HTTP, against the limits of that endpoint. Rejects with RosterError `rate_limit`. */
export async function countWrite(context: LiveContext, operation: string, caller: Caller): Promise<void> {
  refuseOver(await count(context, operation, caller));
}

function count({ rateLimits }: LiveContext, operation: string, caller: Caller, client?: string): Promise<Verdict> {
  return rateLimits.take(operation, platformOf(client, caller), caller.kind === 'user' ? caller.id : undefined);
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

/** Key of the interest that a user's session has in the user itself. It has no name, so events do not show it. */
export const OWN = Symbol('self');

export function ownInterest(id: string, since: number): Interest {
  return new Interest({ name: '', want: { kind: 'ids', ids: new Set([id]) }, since, reach: 'self' });
}

/** Whom the owner of an interest may know of, and what that was decided by. */
export type SightBasis = Required<Pick<InterestOptions, 'sight' | 'basis'>>;

const EVERYONE: SightBasis = { sight: undefined, basis: '' };
const NO_ONE: SightBasis = { sight: () => false, basis: 'nowhere' };

/** An anonymous caller is in no team. No user has the empty id. */
const NOBODY = { id: '', teams: [] };

/**
 * Whom a caller may know of. A server of everyone. Users that a client names by id stand behind the walls of teams, where there
 * are walls; whoever it asks for in any other way it must be able to find, by the rules of a query.
 */
export function sightOf(roster: Roster, caller: Caller, kind: Want['kind']): SightBasis {
  if (caller.kind === 'server') return EVERYONE;
  return kind === 'ids' ? sightOfNamed(roster, caller) : sightOfFound(roster, caller);
}

/** It asks the directory each time, so it follows the teams of both. */
function sightOfNamed({ directory }: Roster, caller: Caller): SightBasis {
  if (!isMultiTenant(directory.app)) return EVERYONE;
  const viewer = () => (caller.kind === 'user' ? directory.user(caller.id) : NOBODY);
  const sight = (other: StoredUser): boolean => {
    const now = viewer();
    return now !== undefined && isInSight(directory.app, now, other);
  };
  return { sight, basis: JSON.stringify([...(viewer()?.teams ?? [])].sort()) };
}

function sightOfFound({ directory }: Roster, caller: Caller): SightBasis {
  const user = caller.kind === 'user' ? directory.user(caller.id) : undefined;
  const visibility = user === undefined ? 'nowhere' : visibilityFor(directory.app, user);
  if (visibility === 'nowhere') return NO_ONE;
  const { teams, hiddenRoles } = visibility;
  if (teams === undefined && hiddenRoles === undefined) return EVERYONE;
  const basis = JSON.stringify([teams === undefined ? 'all' : [...teams].sort(), [...(hiddenRoles ?? [])].sort()]);
  return { sight: (other) => isVisible(visibility, other), basis };
}

/** Users that were found by a query, maybe one of a server: they stay in sight like named ones, until a query may find others. */
function sightOfWatched(roster: Roster, caller: Caller): SightBasis {
  const { sight, basis } = sightOf(roster, caller, 'ids');
  return { sight, basis: `${basis} ${sightOf(roster, caller, 'all').basis}` };
}

/** The settings that decide whom clients may know of, as a text: while it is the same, they decide the same. */
export function sightRules(app: AppSettings): string {
  const { grants, disable_permissions_checks: isUnchecked, user_search_disallowed_roles: hidden } = app;
  return JSON.stringify([isMultiTenant(app), isUnchecked === true, grants ?? {}, hidden ?? []]);
}

/**
 * Ends every interest whose owner may know of others now than when it began: what was shown may be too much or too little.
 * Gives the names of those that have one.
 */
export function endOutdated(roster: Roster, subscriber: Subscriber, caller: Caller): readonly string[] {
  const outdated = [...subscriber.interests].filter(([key, { name, want, basis }]) => {
    if (key === OWN) return false;
    const now = name === '' ? sightOfWatched(roster, caller) : sightOf(roster, caller, want.kind);
    return now.basis !== basis;
  });
  if (outdated.length === 0) return [];
  roster.hub.change(subscriber, (interests) => {
    for (const [key] of outdated) interests.delete(key);
  });
  return outdated.map(([, { name }]) => name).filter((name) => name !== '');
}

/**
 * Whether what a caller may know of others is certainly the same as it was at `seq`, and who left its sight since can be told:
 * otherwise its copy may hold users that it must not see any more, and lack others, and no event says so. `before`: its own
 * record before it connected.
 */
export function isSightUnchanged(
  { directory, remembersAfter }: Roster,
  caller: Caller,
  before: StoredUser | undefined,
  seq: number,
): boolean {
  if (caller.kind === 'server') return true;
  if (directory.appSeq > seq) return false;
  // Whoever may know of some users only is told of those that leave its sight, and the log does not say who was in it.
  const { user_search_disallowed_roles: hidden = [] } = directory.app;
  if ((isMultiTenant(directory.app) || hidden.length > 0) && seq < remembersAfter) return false;
  if (caller.kind === 'anonymous' || !isMultiTenant(directory.app)) return true;
  const now = directory.user(caller.id);
  return before !== undefined && before.rev <= seq && now !== undefined && sameTeams(before.teams, now.teams);
}

export function sameTeams(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((team) => b.includes(team)));
}

/** The same for users that were found by a query with `presence: true`. */
export const WATCHED = Symbol('watched');

/** Adds users to what a connection watches; of more than `LIMITS.subIds` the first ones go. */
export function watchUsers(roster: Roster, subscriber: Subscriber, caller: Caller, ids: readonly string[]): void {
  roster.hub.change(subscriber, (interests) => {
    const before = interests.get(WATCHED);
    const held = before?.want.kind === 'ids' ? before.want.ids : [];
    const all = [...new Set([...held, ...ids])].slice(-LIMITS.subIds);
    const since = before?.since ?? roster.directory.seq;
    const want = { kind: 'ids' as const, ids: new Set(all) };
    const reach = caller.kind === 'server' ? 'server' : 'others';
    interests.set(WATCHED, new Interest({ name: '', want, since, reach, wantsPresence: true, ...sightOfWatched(roster, caller) }));
  });
}

/**
 * For a connection that missed some coming and going: whether each user that it watches is there. What is watched has no name
 * under which a state could be told, so each is told as one who came or went.
 */
export function tellWatched({ roster, nowMs }: LiveContext, subscriber: Subscriber): void {
  const watched = subscriber.interests.get(WATCHED);
  if (watched === undefined || watched.want.kind !== 'ids') return;
  const frames: Buffer[] = [];
  for (const id of watched.want.ids) {
    const user = roster.directory.user(id);
    if (user === undefined) continue;
    const isOnline = roster.toldOnline(id);
    const told = presenceDecoration([watched], user, isOnline);
    const change = new PresenceChange(user, isOnline, Math.round(nowMs() * 1000), roster.hub.flushedSeq);
    if (told !== undefined) frames.push(change.frame(subscriber.form, told));
  }
  if (frames.length > 0) subscriber.outlet.write(Buffer.concat(frames));
}

/** Why one subscription of a connection was told of an event, or was not. */
export interface Explanation {
  /** `(self)`: the interest in the own user. `(watched)`: users found by a query with presence. */
  readonly sub: string;
  readonly want: Interest['want']['kind'];
  readonly result: string;
}

/** `position`: how far a connection that is behind has got. */
export function explain(interests: Interests, event: AnyEvent, position: number | undefined): readonly Explanation[] {
  return [...interests].map(([key, interest]) => ({
    sub: typeof key === 'symbol' ? `(${key.description})` : key,
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
