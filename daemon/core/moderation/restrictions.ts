/**
 * The checks that bans, mutes, flags and blocks share: the rights of the actor and its reach. The
 * rules themselves are in bans.ts, mutes.ts, flags.ts and blocks.ts; expire.ts ends bans and mutes. Pure.
 */

import { PERMISSIONS } from '../../../protocol/access/permissions.ts';
import { reachOf } from '../../../protocol/access/tenancy.ts';
import { type Actor, isForeign } from '../../../protocol/base/actor.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { withFields } from '../../../protocol/base/json.ts';
import type { Change, Outcome } from '../../../protocol/log/command.ts';
import type { Ban, Mute, StoredUser } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { type Found, find, mayKnow } from '../directory/find.ts';
import { missingProblem, type Problem, problem, refuseIfAny } from '../problems.ts';

/** Ids of the permissions that clients need. */
export type ModerationRight = 'ban-user' | 'mute-user' | 'flag-user' | 'block-user';

/**
 * Refuses a client whose role does not grant `right`, or that acts for another user (`by`).
 * Throws RosterError: `not_allowed`, or `not_found` for a client that has no user.
 */
export function checkActor(draft: Draft, actor: Actor, by: string | undefined, right: ModerationRight): void {
  if (actor.kind === 'server') return;
  const user = livingUser(draft, actor, actor.id, 'user_id');
  if (user.deactivated_at !== undefined) throw new RosterError('not_allowed', `the user ${actor.id} was deactivated`);
  if (by !== actor.id || reachOf(draft.app, user, right) === 'nowhere') throw new RosterError('not_allowed', refusalText(user, right));
}

function refusalText({ id, role }: StoredUser, right: ModerationRight): string {
  return `User '${id}' with role '${role}' is not allowed to perform action ${PERMISSIONS.get(right)?.action ?? right}`;
}

/** The target of an act, if the actor's role grants the act in a team of the target. Throws RosterError `not_found` or `not_allowed`. */
export function targetFor(draft: Draft, actor: Actor, id: string, right: ModerationRight, path: string): StoredUser {
  const user = livingUser(draft, actor, id, path);
  const problem = reachProblem(draft, actor, user, right, path);
  if (problem !== undefined) refuseIfAny([], [problem]);
  return user;
}

/** The reason why a client may not do this to a user that it can see. */
export function reachProblem(
  draft: Draft,
  actor: Actor,
  { id, teams }: StoredUser,
  right: ModerationRight,
  path: string,
): Problem | undefined {
  if (actor.kind === 'server' || actor.id === id) return undefined;
  const own = livingUser(draft, actor, actor.id, 'user_id');
  const reach = reachOf(draft.app, own, right);
  if (reach === undefined || (reach !== 'nowhere' && isAmong(teams, reach))) return undefined;
  return problem('not_allowed', path, refusalText(own, right));
}

/** Like `find`, as the actor sees it: for a client, users that were deleted, and those behind walls, are absent. */
export function findFor(draft: Draft, actor: Actor, id: string): Found {
  const found = find(draft, id);
  if (!isForeign(actor, id)) return found;
  return found.kind === 'alive' && mayKnow(draft, actor, found.user) ? found : { kind: 'absent' };
}

/** Whether a user of these teams is within reach of `reach`. An empty reach covers exactly the users without a team. */
export function isAmong(teams: readonly string[], reach: readonly string[]): boolean {
  return reach.length === 0 ? teams.length === 0 : teams.some((team) => reach.includes(team));
}

/** The living user with this id; `path` is the field that names it. Throws RosterError `not_found`. */
export function livingUser(draft: Draft, actor: Actor, id: string, path: string): StoredUser {
  const found = findFor(draft, actor, id);
  if (found.kind === 'alive') return found.user;
  refuseIfAny([], [missingProblem(found, id, path)]);
  throw new RosterError('internal');
}

/** Refuses the command because of one field. Throws RosterError `input`. */
export function refuseField(path: string, message: string): void {
  refuseIfAny([], [problem('input', path, message)]);
}

/** The record with these bans; without bans it has no such field. */
export function withBans(user: StoredUser, bans: readonly Ban[], rev: number): StoredUser {
  const { bans: _, ...rest } = user;
  return withFields(rest, bans.length === 0 ? { rev } : { bans: [...bans], rev });
}

export function withMutes(user: StoredUser, mutes: readonly Mute[], rev: number): StoredUser {
  const { mutes: _, ...rest } = user;
  return withFields(rest, mutes.length === 0 ? { rev } : { mutes: [...mutes], rev });
}

export function outcomeOf(draft: Draft, user: StoredUser, change: Change): Outcome {
  return { users: [{ user, change }], warnings: [], seq: draft.nextSeq - 1 };
}
