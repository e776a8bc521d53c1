/** Rules that every way of writing a user shares: on its role, teams, name and size, and on the rights of a client. Pure. */

import { isGranted } from '../../../protocol/access/permissions.ts';
import type { AppSettings } from '../../../protocol/app/settings.ts';
import type { Actor } from '../../../protocol/base/actor.ts';
import { itemPath } from '../../../protocol/base/field-path.ts';
import { isForbiddenName } from '../../../protocol/base/ids.ts';
import { jsonEquals, utf8Bytes } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { dataProblem } from '../../../protocol/users/size.ts';
import { keptTeamsRole, sameTeams } from '../../../protocol/users/teams.ts';
import { DEFAULT_ROLE, type StoredUser } from '../../../protocol/users/user.ts';
import { roleExists } from '../access/roles.ts';
import type { Draft } from '../directory/draft.ts';
import { notAllowed, type Problem, problem } from '../problems.ts';
import { checkNames } from './name-claims.ts';

/** Checks that the roles exist, the teams are valid and the name is free. For a user that is written alone. */
export function checkUser(draft: Draft, path: string, before: StoredUser | undefined, after: StoredUser): Problem[] {
  return [...checkFields(draft, path, before, after), ...checkNames(draft, [{ path, before, after }])];
}

/** Like `checkUser`, without the name: in a batch, names are judged when all users are staged (see name-claims.ts). */
export function checkFields(draft: Draft, path: string, before: StoredUser | undefined, after: StoredUser): Problem[] {
  const problems: Problem[] = [];
  if (after.role !== before?.role && !roleExists(draft, after.role)) {
    problems.push(problem('input', `${path}.role`, `role "${after.role}" does not exist`));
  }
  for (const [team, role] of after.teams_role === before?.teams_role ? [] : Object.entries(after.teams_role ?? {})) {
    if (before?.teams_role?.[team] === role || roleExists(draft, role)) continue;
    problems.push(problem('input', itemPath(`${path}.teams_role`, team), `role "${role}" does not exist`));
  }
  if (after.teams !== before?.teams) problems.push(...checkTeams(path, after.teams));
  return problems;
}

/**
 * The problem with data that is too big, or undefined. A client cannot make a record larger than a client may store. A record that
 * a server made larger stays usable for its client, up to the server's limit.
 */
export function sizeProblem(before: StoredUser | undefined, after: StoredUser, caller: Actor['kind']): string | undefined {
  const isLarge = before !== undefined && dataProblem(before, 'user') !== undefined;
  return dataProblem(after, isLarge ? 'server' : caller);
}

function checkTeams(path: string, teams: readonly string[]): Problem[] {
  const problems: Problem[] = [];
  if (teams.length > LIMITS.teamsPerUser) {
    problems.push(problem('input', `${path}.teams`, `must not hold more than ${LIMITS.teamsPerUser} teams`));
  }
  for (const [index, team] of teams.entries()) {
    const at = `${path}.teams[${index}]`;
    if (team === '') problems.push(problem('input', at, 'must not be empty'));
    else if (isForbiddenName(team)) problems.push(problem('input', at, `"${team}" is a reserved name`));
    else if (utf8Bytes(team) > LIMITS.teamBytes) problems.push(problem('input', at, `must not be longer than ${LIMITS.teamBytes} bytes`));
  }
  return problems;
}

/**
 * The rights of a client over its own user: it may write it, if its role is granted that; its teams, if that is granted too; and
 * never its role, in the application or in a team. Other users were refused before.
 */
export function checkOwnRights(
  app: AppSettings,
  path: string,
  actorId: string,
  before: StoredUser | undefined,
  after: StoredUser,
): Problem[] {
  const role = before?.role ?? DEFAULT_ROLE;
  const refuse = (action: string, field: string) => problem('not_allowed', `${path}.${field}`, notAllowed(actorId, role, action));
  const problems: Problem[] = [];
  if (before?.deactivated_at !== undefined) problems.push(problem('not_allowed', `${path}.id`, `the user ${actorId} was deactivated`));
  if (after !== before && !isGranted(app, role, 'update-user-owner')) problems.push(refuse('UpdateUser', 'id'));
  if (after.role !== role) problems.push(refuse('UpdateUserRole', 'role'));
  if (!sameTeams(after.teams, before?.teams ?? []) && !isGranted(app, role, 'update-user-teams')) {
    problems.push(refuse('UpdateUserTeams', 'teams'));
  }
  // With a team, its role may go.
  const mayHave = [before?.teams_role, keptTeamsRole(before, after.teams)];
  if (!mayHave.some((roles) => jsonEquals(after.teams_role, roles))) problems.push(refuse('UpdateUserRole', 'teams_role'));
  if (after.revoke_tokens_issued_before !== before?.revoke_tokens_issued_before) {
    problems.push(refuse('RevokeTokens', 'revoke_tokens_issued_before'));
  }
  return problems;
}
