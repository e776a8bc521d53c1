/** The rules of upsert (replaces what it names) and of partial update. Pure. */

import { type Actor, isForeign } from '../../../protocol/base/actor.ts';
import { jsonEquals, withFields } from '../../../protocol/base/json.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Change, Outcome } from '../../../protocol/log/command.ts';
import { applyPatch, type Patch } from '../../../protocol/users/patch.ts';
import type { PatchCommand } from '../../../protocol/users/patch-request.ts';
import { keptTeamsRole, sameTeams } from '../../../protocol/users/teams.ts';
import type { UpsertCommand } from '../../../protocol/users/upsert.ts';
import { DEFAULT_ROLE, SERVER_FIELDS, type StoredUser, type UserInput } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { type Found, find } from '../directory/find.ts';
import { evidenceOf, isTombstone } from '../directory/record.ts';
import type { Policy } from '../policy.ts';
import { missingProblem, notAllowed, type Problem, problem, refuseIfAny } from '../problems.ts';
import { brokenCondition } from './conditions.ts';
import { checkNames, type NameClaim } from './name-claims.ts';
import { isDeletedBySync, returningOf, stageReturn } from './returning.ts';
import { checkFields, checkOwnRights, sizeProblem } from './rules.ts';

type Settled = { readonly user: StoredUser; readonly change: Change };

/**
 * Replaces name, image and custom data; the operational fields (role, teams, teams_role, language, invisible,
 * privacy_settings) stay when they are not sent (US1). All or nothing; every problem is listed. The command's options for
 * existing, missing and deleted users decide which of them are written at all (UP1–UP5).
 */
export function decideUpsert(draft: Draft, command: UpsertCommand, now: Micros, policy: Policy): Outcome {
  refuseForeign(draft, command.actor, command.users);
  const problems: Problem[] = [];
  const claims: NameClaim[] = [];
  const users: Settled[] = [];
  for (const input of command.users) {
    const path = `users[${input.id}]`;
    const back = returningOf(draft, command, input.id);
    const found: Found = back === undefined ? foundFor(draft, command, input.id, policy) : { kind: 'alive', user: back.user };
    const before = found.kind === 'alive' ? found.user : undefined;
    const refused = refusalOf(draft, command, path, input.id, found);
    if (refused.length > 0) {
      problems.push(...refused);
      continue;
    }
    if (before !== undefined && command.existing === 'keep') {
      users.push({ user: before, change: 'unchanged' });
      continue;
    }
    // The return comes first: what follows it has the revision after it.
    const returned = back === undefined ? undefined : stageReturn(draft, back, now);
    const after = recordOf(before, merged(before, input, command), now, draft.nextSeq);
    const broken = back === undefined ? brokenBy(command, before, after) : brokenCondition(command.ifRev, input.id, back.out);
    // While the user was deleted, others may have taken its name, and its role may have been removed.
    const prior = back?.change === 'restored' ? undefined : before;
    problems.push(...(broken === undefined ? checkWrite(draft, command, { path, before: prior, after }, claims) : [broken]));
    const settled = settle(draft, returned ?? before, after);
    users.push(back === undefined ? settled : { ...settled, change: back.change });
  }
  problems.push(...checkNames(draft, claims));
  refuseIfAny(command.problems, problems);
  return { users, warnings: [], seq: draft.nextSeq - 1 };
}

/** An id that may be used again counts as absent: nothing of the deleted user comes back with it. */
function foundFor(draft: Draft, { reuseDeleted }: UpsertCommand, id: string, policy: Policy): Found {
  const found = find(draft, id, policy);
  return found.kind === 'deleted' && reuseDeleted === true ? { kind: 'absent' } : found;
}

/**
 * A client writes only itself. Every other id is refused before anything is looked at, and always in the same words, so that the
 * answer does not say whether there is such a user, or anything about it.
 */
function refuseForeign(draft: Draft, actor: Actor, named: readonly { readonly id: string }[]): void {
  if (actor.kind === 'server') return;
  const own = find(draft, actor.id);
  const text = notAllowed(actor.id, own.kind === 'alive' ? own.user.role : DEFAULT_ROLE, 'UpdateUser');
  const foreign = named.filter(({ id }) => isForeign(actor, id)).map(({ id }) => problem('not_allowed', `users[${id}].id`, text));
  refuseIfAny([], foreign);
}

/** The problems that keep the user from being written, whatever is sent for it. */
function refusalOf(draft: Draft, command: UpsertCommand, path: string, id: string, found: Found): Problem[] {
  const { actor, existing, missing, ifRev } = command;
  switch (found.kind) {
    case 'deleted': {
      const bySync = isDeletedBySync(draft.record(id)) ? problem('not_found', path, `the user ${id} was deleted by a sync`) : undefined;
      return [brokenCondition(ifRev, id, undefined) ?? bySync ?? missingProblem(found, id, path)];
    }
    case 'absent':
      if (missing !== 'refuse') return [];
      return [brokenCondition(ifRev, id, undefined) ?? missingProblem(found, id, path)];
    case 'alive': {
      if (existing !== 'refuse' && existing !== 'keep') return [];
      const refused = actor.kind === 'user' ? checkOwnRights(draft.app, path, actor.id, found.user, found.user) : [];
      if (refused.length > 0 || existing === 'keep') return refused;
      return [problem('conflict', path, `the user ${id} exists already`)];
    }
  }
}

function merged(before: StoredUser | undefined, input: UserInput, { mergeCustom }: UpsertCommand): UserInput {
  if (mergeCustom !== true || before === undefined) return input;
  return { ...input, custom: withFields(before.custom, input.custom) };
}

/** Changes only the named fields. Users must exist. All or nothing; every problem is listed. */
export function decidePatch(draft: Draft, command: PatchCommand, now: Micros): Outcome {
  refuseForeign(draft, command.actor, command.patches);
  const problems: Problem[] = [];
  const claims: NameClaim[] = [];
  const users: Settled[] = [];
  for (const { id, patch } of command.patches) {
    const path = `users[${id}]`;
    const found = find(draft, id);
    if (found.kind !== 'alive') {
      problems.push(brokenCondition(command.ifRev, id, undefined) ?? missingProblem(found, id, path));
      continue;
    }
    const before = found.user;
    const patched = applyPatch(before, patch, path);
    if (Array.isArray(patched)) {
      // The patch may fail only because it was made for another revision.
      const broken = brokenCondition(command.ifRev, id, before);
      problems.push(...(broken === undefined ? patched.map((wrong) => problem('input', wrong.path, wrong.message)) : [broken]));
      continue;
    }
    const after = { ...settledTeams(before, patched, patch), updated_at: now, rev: draft.nextSeq };
    const broken = brokenBy(command, before, after);
    problems.push(...(broken === undefined ? checkWrite(draft, command, { path, before, after }, claims) : [broken]));
    users.push(settle(draft, before, after));
  }
  problems.push(...checkNames(draft, claims));
  refuseIfAny(command.problems, problems);
  return { users, warnings: [], seq: draft.nextSeq - 1 };
}

/** Keeps the stored order of the same teams, and drops the roles in teams that the user left, unless the patch also names the roles. */
function settledTeams(before: StoredUser, after: StoredUser, { steps }: Patch): StoredUser {
  if (sameTeams(before.teams, after.teams)) return { ...after, teams: before.teams };
  const roles = keptTeamsRole(before, after.teams);
  if (roles === before.teams_role || steps.some((step) => step.kind === 'field' && step.field === 'teams_role')) return after;
  const { teams_role: _, ...rest } = after;
  return roles === undefined ? rest : withFields(rest, { teams_role: roles });
}

/**
 * A record that would change and does not have the named revision is refused for that alone: its other problems may come from
 * the different revision.
 */
function brokenBy({ ifRev }: UpsertCommand | PatchCommand, before: StoredUser | undefined, after: StoredUser): Problem | undefined {
  if (ifRev?.has(after.id) !== true) return undefined;
  return before !== undefined && sameData(before, after) ? undefined : brokenCondition(ifRev, after.id, before);
}

/**
 * The problems of the record except its name, including the rights of the caller. Its name joins `claims`, unless the caller has no
 * right to this write: whether a name is taken where a client may not go is not for it to know (PV1).
 */
function checkWrite(draft: Draft, command: UpsertCommand | PatchCommand, claim: NameClaim, claims: NameClaim[]): Problem[] {
  const { actor } = command;
  const { path, before, after } = claim;
  // Each part has a valid size alone; together with the existing data it may be too big.
  const isPart = command.kind === 'patch' || command.mergeCustom === true;
  const tooBig = isPart ? sizeProblem(before, after, actor.kind) : undefined;
  const problems = tooBig === undefined ? [] : [problem('input', path, tooBig)];
  problems.push(...checkFields(draft, path, before, after));
  const refused = actor.kind === 'user' ? checkOwnRights(draft.app, path, actor.id, before, after) : [];
  if (refused.length === 0) claims.push(claim);
  problems.push(...refused);
  return problems;
}

/**
 * Stages the record unless nothing in it would change. A new user with the id of one that deleted itself gets that one's bans and
 * the reports about it.
 */
export function settle(draft: Draft, before: StoredUser | undefined, after: StoredUser): Settled {
  if (before === undefined) {
    const held = draft.record(after.id);
    const user = held !== undefined && isTombstone(held) ? withFields(after, evidenceOf(held)) : after;
    draft.stage({ t: 'user', event: 'created', user });
    return { user, change: 'created' };
  }
  if (sameData(before, after)) return { user: before, change: 'unchanged' };
  draft.stage({ t: 'user', event: 'updated', user: after });
  return { user: after, change: 'updated' };
}

/** Equality of everything that a caller can write. The order of custom keys does not matter. */
export function sameData(a: StoredUser, b: StoredUser): boolean {
  return (
    a.name === b.name &&
    a.image === b.image &&
    a.role === b.role &&
    a.language === b.language &&
    (a.invisible ?? false) === (b.invisible ?? false) &&
    a.revoke_tokens_issued_before === b.revoke_tokens_issued_before &&
    sameTeams(a.teams, b.teams) &&
    jsonEquals(a.teams_role, b.teams_role) &&
    jsonEquals(a.privacy_settings, b.privacy_settings) &&
    jsonEquals(a.custom, b.custom)
  );
}

/** The user after `input` replaced its named fields. Keys have a fixed order and none is undefined, so records share few shapes. */
export function recordOf(before: StoredUser | undefined, input: UserInput, now: Micros, rev: number): StoredUser {
  const keptTeams = before?.teams ?? NO_TEAMS;
  const teams = input.teams === undefined || sameTeams(input.teams, keptTeams) ? keptTeams : [...input.teams];
  const teamsRole = input.teams_role ?? keptTeamsRole(before, teams);
  const language = input.language ?? before?.language;
  const invisible = input.invisible ?? before?.invisible;
  const privacy = input.privacy_settings ?? before?.privacy_settings;
  return {
    id: input.id,
    rev,
    ...(input.name === undefined ? undefined : { name: input.name }),
    ...(input.image === undefined ? undefined : { image: input.image }),
    role: input.role ?? before?.role ?? DEFAULT_ROLE,
    teams,
    custom: input.custom,
    created_at: before?.created_at ?? now,
    updated_at: now,
    ...(teamsRole === undefined ? undefined : { teams_role: { ...teamsRole } }),
    ...(language === undefined ? undefined : { language }),
    ...(invisible === undefined ? undefined : { invisible }),
    ...(privacy === undefined ? undefined : { privacy_settings: privacy }),
    ...(before === undefined ? undefined : serverFields(before)),
  };
}

/** All users without a team share one empty list. */
const NO_TEAMS: string[] = [];

/** The fields that no upsert touches. Most users have none of them. */
function serverFields(user: StoredUser): Partial<StoredUser> | undefined {
  let kept: Record<string, unknown> | undefined;
  for (const field of SERVER_FIELDS) {
    const value = user[field];
    if (value === undefined) continue;
    kept ??= {};
    kept[field] = value;
  }
  return kept;
}
