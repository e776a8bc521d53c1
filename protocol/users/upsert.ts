/**
 * Reads the bodies of requests that write users into commands.
 * What is wrong with the form of single users travels in the command, so that
 * one answer lists it together with what the rules find; a body that is wrong
 * as a whole is refused here. Pure.
 *
 * Each function throws RosterError `input` and expects parsed JSON.
 */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Actor } from '../base/actor.ts';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { clip, explain, itemPath } from '../base/explain.ts';
import { userIdProblem } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, type Dialect, isJsonObject, jsonProblem } from '../base/reading.ts';
import { type Conditions, readIfRev } from './conditions.ts';
import { checkOperationalFields, decodeUser, type UserPlace } from './decode.ts';
import { type Patch, type PatchCommand, parsePatch } from './patch.ts';
import type { UserInput } from './user.ts';

export interface UpsertCommand {
  readonly kind: 'upsert';
  readonly actor: Actor;
  readonly users: readonly UserInput[];
  /** What decoding found wrong with other users of the same batch: it fails as a whole, and every error is listed. */
  readonly problems: readonly FieldError[];
  /** What to do with a user that exists: replace it (default), refuse it (`conflict`), or keep it as it is. */
  readonly existing?: 'replace' | 'refuse' | 'keep';
  /** What to do with a user that does not: create it (default), or refuse it (`not_found`). */
  readonly missing?: 'create' | 'refuse';
  /** Custom data that is not sent stays. */
  readonly mergeCustom?: boolean;
  /** The id of a deleted user may be created anew. */
  readonly reuseDeleted?: boolean;
  readonly ifRev?: Conditions;
}

/** The users of an upsert: by id as the dialects say, or as a list. Single users are checked one by one. */
export const UpsertBody = Type.Object({
  users: Type.Union([Type.Object({}), Type.Array(Type.Unknown())]),
  if_rev: Type.Optional(Type.Unknown()),
});

export const PatchBody = Type.Object({
  users: Type.Array(Type.Unknown(), { minItems: 1, maxItems: LIMITS.batchUsers }),
  if_rev: Type.Optional(Type.Unknown()),
});

export const PatchItem = Type.Object({ id: Type.String(), set: Type.Optional(Type.Unknown()), unset: Type.Optional(Type.Unknown()) });

type PatchItem = Static<typeof PatchItem>;

/** Paths in `set` and `unset` of one user together. */
const PATCH_PATHS_MAX = 200;
const PATH_CHARS_MAX = 1_024;

const upsertCheck = Compile(UpsertBody);
const patchCheck = Compile(PatchBody);
const patchItemCheck = Compile(PatchItem);

/** `POST /users`. A user given twice is refused: which of the two should count? */
export function decodeUpsert(dialect: Dialect, body: unknown, actor: Actor): UpsertCommand {
  const { users: sent, if_rev } = checked(upsertCheck, bodyObject(body));
  const count = Array.isArray(sent) ? sent.length : Object.keys(sent).length;
  checkCount('users', count);
  const users: UserInput[] = [];
  const problems: FieldError[] = [];
  const add = (value: unknown, path: string, key: string | undefined) => {
    const place: UserPlace = { path, key, dialect, caller: actor.kind };
    const user = decodeUser(value, place, problems);
    if (user !== undefined) users.push(user);
  };
  const seen = new Set<string>(Array.isArray(sent) ? [] : Object.keys(sent));
  if (Array.isArray(sent)) {
    for (const [index, value] of sent.entries()) {
      const id = isJsonObject(value) && typeof value.id === 'string' ? value.id : undefined;
      if (id !== undefined && seen.has(id)) problems.push(twice(index, id));
      else add(value, itemPath('users', id ?? index), undefined);
      if (id !== undefined) seen.add(id);
    }
  } else if (isJsonObject(sent)) {
    for (const key of Object.keys(sent)) add(sent[key], itemPath('users', key), key);
  }
  return { kind: 'upsert', actor, users, problems, ...readIfRev(if_rev, seen, problems) };
}

/** `PATCH /users`, the same in both dialects. */
export function decodePatches(body: unknown, actor: Actor): PatchCommand {
  const { users, if_rev } = checked(patchCheck, bodyObject(body));
  const patches: PatchCommand['patches'][number][] = [];
  const problems: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, item] of users.entries()) {
    const at = itemPath('users', isJsonObject(item) && typeof item.id === 'string' && item.id !== '' ? item.id : index);
    if (!patchItemCheck.Check(item)) {
      problems.push(...explain(patchItemCheck, item, at));
      continue;
    }
    const wrongId = userIdProblem(item.id);
    if (wrongId !== undefined) problems.push({ path: `${at}.id`, message: wrongId });
    else if (seen.has(item.id)) problems.push(twice(index, item.id));
    else {
      const patch = patchOf(item, at, problems);
      if (patch !== undefined) patches.push({ id: item.id, patch });
    }
    seen.add(item.id);
  }
  return { kind: 'patch', actor, patches, problems, ...readIfRev(if_rev, seen, problems) };
}

/** Bounds of what a patch may hold are checked before its language is: reading it costs time for every pair of paths. */
function patchOf({ set, unset }: PatchItem, at: string, problems: FieldError[]): Patch | undefined {
  const before = problems.length;
  const entries = isJsonObject(set) ? Object.entries(set) : [];
  const removed = Array.isArray(unset) ? unset : [];
  if (entries.length + removed.length > PATCH_PATHS_MAX) {
    problems.push({ path: at, message: `must not name more than ${PATCH_PATHS_MAX} paths` });
    return undefined;
  }
  for (const [path, value] of entries) {
    const problem = pathProblem(path) ?? jsonProblem(value, path.split('.').length + 1);
    if (problem !== undefined) problems.push({ path: `${at}.set.${clip(path)}${problem.path}`, message: problem.message });
  }
  for (const path of removed) {
    const problem = typeof path === 'string' ? pathProblem(path) : undefined;
    if (problem !== undefined) problems.push({ path: `${at}.unset.${clip(String(path))}`, message: problem.message });
  }
  if (isJsonObject(set)) checkOperationalFields(set, `${at}.set`, problems);
  const parsed = problems.length > before ? [] : parsePatch(set, unset, at);
  if (!Array.isArray(parsed)) return parsed;
  problems.push(...parsed);
  return undefined;
}

function pathProblem(path: string): FieldError | undefined {
  if (path.length > PATH_CHARS_MAX) return { path: '', message: `must not be longer than ${PATH_CHARS_MAX} characters` };
  if (path.split('.').length > LIMITS.customDepth)
    return { path: '', message: `must not be nested deeper than ${LIMITS.customDepth} levels` };
  return undefined;
}

function checkCount(path: string, count: number): void {
  if (count === 0) throw fieldErrors('input', [{ path, message: 'must not be empty' }]);
  if (count > LIMITS.batchUsers) {
    throw fieldErrors('input', [{ path, message: `must not hold more than ${LIMITS.batchUsers}, got ${count}` }]);
  }
}

function twice(index: number, id: string): FieldError {
  return { path: `users[${index}].id`, message: `"${id}" is there twice` };
}
