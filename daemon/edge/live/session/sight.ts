/** Whom the owner of a live connection may know of, and whether that is another than before. */
import { isInSight, isMultiTenant } from '../../../../protocol/access/tenancy.ts';
import type { AppSettings } from '../../../../protocol/app/settings.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { isVisible, visibilityFor } from '../../../core/users/query.ts';
import type { Roster } from '../../../pipeline/roster.ts';
import type { InterestOptions, Want } from '../../../pipeline/tell/interest.ts';

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
export function sightOfWatched(roster: Roster, caller: Caller): SightBasis {
  const { sight, basis } = sightOf(roster, caller, 'ids');
  return { sight, basis: `${basis} ${sightOf(roster, caller, 'all').basis}` };
}

/** The settings that decide whom clients may know of, as a text: while it is the same, they decide the same. */
export function sightRules(app: AppSettings): string {
  const { grants, disable_permissions_checks: isUnchecked, user_search_disallowed_roles: hidden } = app;
  return JSON.stringify([isMultiTenant(app), isUnchecked === true, grants ?? {}, hidden ?? []]);
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
