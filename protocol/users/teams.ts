/** The teams of a user are a set: their order means nothing, and each counts once. Pure. */
import type { StoredUser } from './user.ts';

/** `teams` without repetitions, in the order of their first mention. */
export function uniqueTeams(teams: readonly string[]): readonly string[] {
  if (teams.length < 2) return teams;
  const unique = new Set(teams);
  return unique.size === teams.length ? teams : [...unique];
}

/** Whether both are the same set. */
export function sameTeams(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  // Nearly always the order is the same, too.
  return (a.length === b.length && a.every((team, index) => team === b[index])) || exactlyTeams(b)(a);
}

/** `sameTeams` with `wanted`, for many users: what depends on `wanted` alone is computed once. */
export function exactlyTeams(wanted: readonly unknown[]): (teams: readonly string[]) => boolean {
  const set = new Set(wanted);
  return (teams) => teams.length >= set.size && teams.every((team) => set.has(team)) && new Set(teams).size === set.size;
}

/**
 * The roles in teams that a user keeps who is now in `teams`: leaving a team ends the role in it. A role in a team that the user was
 * not in stays.
 */
export function keptTeamsRole(
  before: Pick<StoredUser, 'teams' | 'teams_role'> | undefined,
  teams: readonly string[],
): StoredUser['teams_role'] {
  const roles = before?.teams_role;
  if (before === undefined || roles === undefined || before.teams === teams) return roles;
  const now = new Set(teams);
  const left = new Set(before.teams.filter((team) => !now.has(team)));
  const kept = Object.entries(roles).filter(([team]) => !left.has(team));
  if (kept.length === Object.keys(roles).length) return roles;
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
}
