/** The interests of a live connection that no frame names: in its own user, and in the users that it watches. */
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import { Interest, presenceDecoration } from '../../../pipeline/tell/interest.ts';
import { PresenceChange } from '../../../pipeline/tell/presence-change.ts';
import type { Subscriber } from '../../../pipeline/tell/subscriber.ts';
import type { LiveContext } from './context.ts';
import { sightOf, sightOfWatched } from './sight.ts';
import { type Holding, heldBy, NOTHING } from './subscriptions/holdings.ts';

/** Key of the interest that a user's session has in its own user. It has no name, so events do not show it. */
export const OWN = Symbol('self');

export function ownInterest(id: string, since: number): Interest {
  return new Interest({ name: '', want: { kind: 'ids', ids: new Set([id]) }, since, reach: 'self' });
}

/** Like `OWN`, for users that were found by a query with `presence: true`. */
export const WATCHED = Symbol('watched');

/**
 * Adds users to those that a connection watches; beyond `LIMITS.subIds` the oldest ones are removed. `watching`: what it holds for that.
 * Throws RosterError, with the bound, when all connections of the user or of strangers would hold too many ids.
 */
export function watchUsers(roster: Roster, subscriber: Subscriber, caller: Caller, ids: readonly string[], watching: Holding): void {
  const before = subscriber.interests.get(WATCHED);
  const known = before?.want.kind === 'ids' ? before.want.ids : [];
  const want = { kind: 'ids' as const, ids: new Set([...new Set([...known, ...ids])].slice(-LIMITS.subIds)) };
  const held = { ...heldBy([want], 0), subs: 0 };
  watching.mustFit(held, false, 'presence');
  watching.set(held);
  const since = before?.since ?? roster.directory.seq;
  const reach = caller.kind === 'server' ? 'server' : 'others';
  const interest = new Interest({ name: '', want, since, reach, wantsPresence: true, ...sightOfWatched(roster, caller) });
  roster.hub.change(subscriber, (interests) => interests.set(WATCHED, interest));
}

/**
 * For a connection that missed presence changes: sends whether each user that it watches is online. The interest has no name under which a
 * state could be sent, so each user is sent as a presence change.
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
    if (told !== undefined) frames.push(change.frame(subscriber.form, told, subscriber.isPrivyTo(id)));
  }
  if (frames.length > 0) subscriber.outlet.write(Buffer.concat(frames), frames.length);
}

/**
 * Ends every interest whose owner may see other users now than when it began: its data may be too much or too little. Returns the names of
 * the ended interests that have one.
 */
export function endOutdated(roster: Roster, subscriber: Subscriber, caller: Caller, watching: Holding): readonly string[] {
  const outdated = [...subscriber.interests].filter(([key, { name, want, basis }]) => {
    if (key === OWN) return false;
    const now = name === '' ? sightOfWatched(roster, caller) : sightOf(roster, caller, want.kind);
    return now.basis !== basis;
  });
  if (outdated.length === 0) return [];
  roster.hub.change(subscriber, (interests) => {
    for (const [key] of outdated) interests.delete(key);
    if (!interests.has(WATCHED)) watching.set(NOTHING);
  });
  return outdated.map(([, { name }]) => name).filter((name) => name !== '');
}
