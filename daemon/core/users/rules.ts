/** Rules that every way of writing a user shares: does it exist, may its role, teams and name be these. Pure. */

import { isGranted } from '../../../protocol/access/permissions.ts';
import type { AppSettings } from '../../../protocol/app/settings.ts';
import { ERRORS, type ErrorKind, type FieldError, RosterError } from '../../../protocol/base/errors.ts';
import { itemPath } from '../../../protocol/base/explain.ts';
import { isForbiddenName } from '../../../protocol/base/ids.ts';
import { jsonEquals, utf8Bytes } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Actor } from '../../../protocol/log/command.ts';
import { dataProblem } from '../../../protocol/users/size.ts';
import { DEFAULT_ROLE, isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { roleExists } from '../access/roles.ts';
import type { Policy } from '../decide.ts';
import { isTombstone } from '../directory/directory.ts';
import type { Draft } from '../directory/draft.ts';
import { checkNames } from './name-claims.ts';

/** A problem of one user, with the kind of error it is alone. The first one of a batch gives the batch its kind. */
export interface Problem extends FieldError {
  readonly kind: ErrorKind;
}

export function problem(kind: ErrorKind, path: string, message: string): Problem {
  return { kind, path, message, code: ERRORS[kind].code };
}

/** Refuses the batch with everything that is wrong with it: what decoding found first, then what the rules say. */
export function refuseIfAny(decoding: readonly FieldError[], problems: readonly Problem[]): void {
  const [first] = [...decoding, ...problems];
  if (first === undefined) return;
  const kind = decoding.length > 0 ? 'input' : (problems[0]?.kind ?? 'input');
  const all = [...decoding.map((field) => ({ code: ERRORS.input.code, ...field })), ...problems.map(({ kind: _, ...field }) => field)];
  // A problem that is about the user as a whole already names it; one about a field needs the path in front.
  const reason = kind === 'input' ? `${first.path}: ${first.message}` : first.message;
  throw new RosterError(kind, reason, all);
}

export type Found = { readonly kind: 'alive'; readonly user: StoredUser } | { readonly kind: 'deleted' } | { readonly kind: 'absent' };

/** What an id stands for now. A burned id counts as deleted, unless the policy frees ids of hard-deleted users. */
export function find(draft: Draft, id: string, policy?: Policy): Found {
  const record = draft.record(id);
  if (record === undefined) return { kind: 'absent' };
  if (isTombstone(record)) return { kind: policy?.reuseHardDeleted === true ? 'absent' : 'deleted' };
  return isAlive(record) ? { kind: 'alive', user: record } : { kind: 'deleted' };
}

/** Checks what needs the directory: the role exists, the teams are names, the name is free. For a user that is written alone. */
export function checkUser(draft: Draft, path: string, before: StoredUser | undefined, after: StoredUser): Problem[] {
  return [...checkFields(draft, path, before, after), ...checkNames(draft, [{ path, before, after }])];
}

/** The same without the name: in a batch names are judged when all of it is staged (see name-claims.ts). */
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
 * Why the data is too big. A client cannot make a record larger than a client may store; a record that a server made larger
 * than that stays usable for its client, up to the server's limit.
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
 * What a client may write: only itself, only where its role is granted that, its teams only where that is granted, too, and
 * never its role, in the application or in a team.
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
  if (after.id !== actorId) return [refuse('UpdateUser', 'id')];
  if (before?.deactivated_at !== undefined) problems.push(problem('not_allowed', `${path}.id`, `the user ${actorId} was deactivated`));
  if (after !== before && !isGranted(app, role, 'update-user-owner')) problems.push(refuse('UpdateUser', 'id'));
  if (after.role !== role) problems.push(refuse('UpdateUserRole', 'role'));
  if (!jsonEquals(after.teams, before?.teams ?? []) && !isGranted(app, role, 'update-user-teams')) {
    problems.push(refuse('UpdateUserTeams', 'teams'));
  }
  if (!jsonEquals(after.teams_role, before?.teams_role)) problems.push(refuse('UpdateUserRole', 'teams_role'));
  if (after.revoke_tokens_issued_before !== before?.revoke_tokens_issued_before) {
    problems.push(refuse('RevokeTokens', 'revoke_tokens_issued_before'));
  }
  return problems;
}

/** The published text for a user that may not do something. */
export function notAllowed(id: string, role: string, action: string): string {
  return `User '${id}' with role '${role}' is not allowed to perform action ${action}`;
}
