/** The rules of upsert (replaces what it names) and of partial update. Pure. */
import type { Actor, Change, Outcome, PatchCommand, UpsertCommand } from '../../protocol/command.ts';
import { jsonEquals } from '../../protocol/json.ts';
import { applyPatch } from '../../protocol/patch.ts';
import type { Micros } from '../../protocol/time.ts';
import { DEFAULT_ROLE, SERVER_FIELDS, type StoredUser, type UserInput } from '../../protocol/user.ts';
import type { Policy } from './decide.ts';
import type { Draft } from './draft.ts';
import { checkOwnRights, checkUser, find, type Problem, problem, refuseIfAny, sizeProblem } from './user-rules.ts';

type Settled = { readonly user: StoredUser; readonly change: Change };

/**
 * Replaces name, image and custom data; the operational fields (role, teams, teams_role, language, invisible,
 * privacy_settings) stay when they are not sent (US1). All or nothing; every problem is listed.
 */
export function decideUpsert(draft: Draft, command: UpsertCommand, now: Micros, policy: Policy): Outcome {
  const problems: Problem[] = [];
  const users: Settled[] = [];
  for (const input of command.users) {
    const path = `users[${input.id}]`;
    const found = find(draft, input.id, policy);
    if (found.kind === 'deleted') {
      problems.push(problem('not_found', path, `the user ${input.id} was deleted`));
      continue;
    }
    const before = found.kind === 'alive' ? found.user : undefined;
    const after = replaced(before, input, now, draft.nextSeq);
    problems.push(...checkWrite(draft, command.actor, path, before, after));
    users.push(settle(draft, before, after));
  }
  refuseIfAny(command.problems, problems);
  return { users, warnings: [], seq: draft.nextSeq - 1 };
}

/** Changes the named fields only. Users must exist. All or nothing; every problem is listed. */
export function decidePatch(draft: Draft, command: PatchCommand, now: Micros): Outcome {
  const problems: Problem[] = [];
  const users: Settled[] = [];
  for (const { id, patch } of command.patches) {
    const path = `users[${id}]`;
    const found = find(draft, id);
    if (found.kind !== 'alive') {
      const text = found.kind === 'deleted' ? `the user ${id} was deleted` : `the user ${id} does not exist`;
      problems.push(problem('not_found', path, text));
      continue;
    }
    const before = found.user;
    const patched = applyPatch(before, patch, path);
    if (Array.isArray(patched)) {
      problems.push(...patched.map((wrong) => problem('input', wrong.path, wrong.message)));
      continue;
    }
    const after = { ...patched, updated_at: now, rev: draft.nextSeq };
    const tooBig = sizeProblem(before, after, command.actor.kind);
    if (tooBig !== undefined) problems.push(problem('input', path, tooBig));
    problems.push(...checkWrite(draft, command.actor, path, before, after));
    users.push(settle(draft, before, after));
  }
  refuseIfAny(command.problems, problems);
  return { users, warnings: [], seq: draft.nextSeq - 1 };
}

/** What the rules say of the record, and whether the caller may write it. */
function checkWrite(draft: Draft, actor: Actor, path: string, before: StoredUser | undefined, after: StoredUser): Problem[] {
  const problems = checkUser(draft, path, before, after);
  if (actor.kind === 'user') problems.push(...checkOwnRights(path, actor.id, before, after));
  return problems;
}

/** Stages the record unless nothing in it would change. */
export function settle(draft: Draft, before: StoredUser | undefined, after: StoredUser): Settled {
  if (before !== undefined && sameData(before, after)) return { user: before, change: 'unchanged' };
  draft.stage({ t: 'user', event: before === undefined ? 'created' : 'updated', user: after });
  return { user: after, change: before === undefined ? 'created' : 'updated' };
}

/** Equality of everything a caller can write. Order of custom keys does not matter. */
function sameData(a: StoredUser, b: StoredUser): boolean {
  return (
    a.name === b.name &&
    a.image === b.image &&
    a.role === b.role &&
    a.language === b.language &&
    (a.invisible ?? false) === (b.invisible ?? false) &&
    a.revoke_tokens_issued_before === b.revoke_tokens_issued_before &&
    jsonEquals(a.teams, b.teams) &&
    jsonEquals(a.teams_role, b.teams_role) &&
    jsonEquals(a.privacy_settings, b.privacy_settings) &&
    jsonEquals(a.custom, b.custom)
  );
}

/** Keys in one fixed order and absent ones left out, so that records share few shapes and lie compact in memory. */
function replaced(before: StoredUser | undefined, input: UserInput, now: Micros, rev: number): StoredUser {
  const teamsRole = input.teams_role ?? before?.teams_role;
  const language = input.language ?? before?.language;
  const invisible = input.invisible ?? before?.invisible;
  const privacy = input.privacy_settings ?? before?.privacy_settings;
  const keptTeams = before?.teams ?? NO_TEAMS;
  return {
    id: input.id,
    rev,
    ...(input.name === undefined ? undefined : { name: input.name }),
    ...(input.image === undefined ? undefined : { image: input.image }),
    role: input.role ?? before?.role ?? DEFAULT_ROLE,
    teams: input.teams === undefined || jsonEquals(input.teams, keptTeams) ? keptTeams : [...input.teams],
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

/** What no upsert touches. Most users have none of it. */
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
