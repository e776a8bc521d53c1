/** The users that the owner of a live connection may see, and whether they changed. */
import { isInSight, isMultiTenant } from '../../../../protocol/access/tenancy.ts';
import type { AppSettings } from '../../../../protocol/app/settings.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import { sameTeams } from '../../../../protocol/users/teams.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { isVisible, visibilityFor } from '../../../core/users/query.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import type { InterestOptions, Want } from '../../../pipeline/tell/interest.ts';

/** The users that the owner of an interest may see, and the inputs of that decision. */
export type SightBasis = Required<Pick<InterestOptions, 'sight' | 'basis'>>;

const EVERYONE: SightBasis = { sight: undefined, basis: '' };
const NO_ONE: SightBasis = { sight: () => false, basis: 'nowhere' };

/** An anonymous caller is in no team. No user has the empty id. */
const NOBODY = { id: '', teams: [] };

/**
 * The users that a caller may see. A server sees everyone. Users that a client names by id are limited by teams, if the application is
 * multi-tenant; users that it asks for in any other way must be ones that a query of that client could find.
 */
export function sightOf(roster: Roster, caller: Caller, kind: Want['kind']): SightBasis {
  if (caller.kind === 'server') return EVERYONE;
  return kind === 'ids' ? sightOfNamed(roster, caller) : sightOfFound(roster, caller);
}

/** Asks the directory each time, so it follows changes to the teams of both users. */
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

/**
 * For users that a query found, possibly a query by a server: they stay in sight like users named by id, until the set that a query may
 * find changes.
 */
export function sightOfWatched(roster: Roster, caller: Caller): SightBasis {
  const { sight, basis } = sightOf(roster, caller, 'ids');
  return { sight, basis: `${basis} ${sightOf(roster, caller, 'all').basis}` };
}

/** The settings that decide which users clients may see, as a text: equal texts mean equal decisions. */
export function sightRules(app: AppSettings): string {
  const { grants, disable_permissions_checks: isUnchecked, user_search_disallowed_roles: hidden } = app;
  return JSON.stringify([isMultiTenant(app), isUnchecked === true, grants ?? {}, hidden ?? []]);
}

/**
 * Whether the caller certainly may see the same users as at `seq`, and the users that left its sight since then can be reported. Otherwise
 * its copy may hold users that it may no longer see, and lack others, and no event says so. `before`: its own record before it connected.
 */
export function isSightUnchanged(
  { directory, remembersAfter }: Roster,
  caller: Caller,
  before: StoredUser | undefined,
  seq: number,
): boolean {
  if (caller.kind === 'server') return true;
  if (directory.appSeq > seq) return false;
  // A confined caller must receive an event for each user that leaves its sight, and the log does not say which users were in it.
  const { user_search_disallowed_roles: hidden = [] } = directory.app;
  if ((isMultiTenant(directory.app) || hidden.length > 0) && seq < remembersAfter) return false;
  if (caller.kind === 'anonymous' || !isMultiTenant(directory.app)) return true;
  const now = directory.user(caller.id);
  return before !== undefined && before.rev <= seq && now !== undefined && sameTeams(before.teams, now.teams);
}
