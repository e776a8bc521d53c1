/**
 * Permissions in the feeds dialect. A server's token may be limited to a resource, an action and a feed; a user's token reads what the
 * separation of teams does not hide from it, and writes the user's own data.
 */

import { isMultiTenant } from '../../../protocol/access/tenancy.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Caller, Scope } from '../../../protocol/base/tokens.ts';
import { type FeedName, feedOwner } from '../../../protocol/feeds/feed-name.ts';
import { type Asking, userInSight } from '../http/acting.ts';

export interface Right {
  readonly resource: 'users' | 'feed' | 'follower' | 'activities' | 'moderation';
  readonly action: 'read' | 'write' | 'delete';
  /** Set when the resource is one feed. Every other resource requires a token that is good for every feed. */
  readonly feed?: FeedName;
  /** The user that owns the resource. A client that writes must be this user; without an owner, only servers write. */
  readonly owner?: string;
}

/** Throws RosterError `not_allowed`. */
export function allow(caller: Caller, right: Right): void {
  switch (caller.kind) {
    case 'server':
      if (caller.scope !== undefined) checkScope(caller.scope, right);
      return;
    case 'user':
      if (right.action === 'read' || right.owner === caller.id) return;
      throw new RosterError('not_allowed', `the user ${caller.id} may ${right.action} only its own ${right.resource}`);
    case 'anonymous':
      throw new RosterError('not_allowed', 'an anonymous user cannot do this');
  }
}

/**
 * Whether the caller may see the content of a feed (`user:ann`). Where teams are walls, a client sees that of a user in its sight, and
 * feeds whose name was never the id of a user; the feed of a deleted user is closed like that of a user behind walls.
 */
export function isFeedInSight(asking: Asking, feed: string): boolean {
  const { directory } = asking.backend;
  if (asking.caller.kind !== 'user' || !isMultiTenant(directory.app)) return true;
  const owner = feedOwner(feed);
  return directory.record(owner) === undefined || userInSight(asking, owner) !== undefined;
}

function checkScope({ resource, action, feedId }: Scope, right: Right): void {
  const { feed } = right;
  // A token for one feed may have been given to a client, so it grants nothing outside that feed.
  const wantedFeed = feed === undefined ? '*' : `${feed.slug}${feed.id}`;
  if (covers(resource, right.resource) && covers(action, right.action) && covers(feedId, wantedFeed)) return;
  const place = feed === undefined ? 'all feeds' : `the feed ${feed.text}`;
  throw new RosterError('not_allowed', `the token is not good for ${right.resource}, ${right.action}, ${place}`);
}

/** A claim is `*`, one name, or names separated by commas. */
function covers(claim: string, wanted: string): boolean {
  return claim === '*' || claim.split(',').includes(wanted);
}
