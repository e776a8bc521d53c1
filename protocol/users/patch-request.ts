/**
 * Reads `PATCH /users` into its command. As with an upsert, the problems of single users travel in the command. Pure;
 * throws RosterError `input`.
 */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Actor, isForeign } from '../base/actor.ts';
import { envelope } from '../base/envelope.ts';
import type { FieldError } from '../base/errors.ts';
import { explain, newSearch } from '../base/explain.ts';
import { clip, itemPath } from '../base/field-path.ts';
import { isUserId, userIdProblem } from '../base/ids.ts';
import type { JsonObject } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, isJsonObject, jsonProblem } from '../base/reading.ts';
import { type Conditions, IfRev, readIfRev } from './conditions.ts';
import { checkOperationalFields, givenTwice, roomFor } from './decode.ts';
import { type Patch, PatchChanges, patchOf, presentPatch } from './patch.ts';

export interface PatchCommand {
  readonly kind: 'patch';
  readonly actor: Actor;
  readonly patches: readonly { readonly id: string; readonly patch: Patch }[];
  readonly problems: readonly FieldError[];
  readonly ifRev?: Conditions;
}

/** One user of a partial update. */
const PatchItem = Type.Object({ id: Type.String(), ...PatchChanges.properties });
type PatchItem = Static<typeof PatchItem>;

export const PatchBody = Type.Object({
  users: Type.Array(PatchItem, { minItems: 1, maxItems: LIMITS.batchUsers }),
  if_rev: Type.Optional(IfRev),
});

/** The most paths in `set` and `unset` of one user together. */
const PATCH_PATHS_MAX = 200;
const PATH_CHARS_MAX = 1_024;

const NO_CHANGE: Patch = { steps: [] };

const patchCheck = Compile(envelope(PatchBody, 'users'));
const patchItemCheck = Compile(PatchItem);

/** `PATCH /users`, the same in both dialects. What a client sends for somebody else is not read, as in `decodeUpsert`. */
export function decodePatches(body: unknown, actor: Actor): PatchCommand {
  const { if_rev, ...fields } = bodyObject(body);
  const { users } = checked(patchCheck, fields);
  const patches: PatchCommand['patches'][number][] = [];
  const problems: FieldError[] = [];
  const seen = new Set<string>();
  const search = newSearch();
  for (const [index, sent] of users.entries()) {
    const item = isJsonObject(sent) ? presentPatch(sent) : sent;
    const named = isJsonObject(item) ? item.id : undefined;
    if (typeof named === 'string' && isUserId(named) && isForeign(actor, named)) {
      patches.push({ id: named, patch: NO_CHANGE });
      seen.add(named);
      continue;
    }
    const at = itemPath('users', isJsonObject(item) && typeof item.id === 'string' && item.id !== '' ? item.id : index);
    if (isJsonObject(item) && pathsOf(item) > PATCH_PATHS_MAX) {
      problems.push({ path: at, message: `must not name more than ${PATCH_PATHS_MAX} paths` });
      if (typeof named === 'string') seen.add(named);
      continue;
    }
    if (!patchItemCheck.Check(item)) {
      problems.push(...explain(patchItemCheck, item, at, search));
      continue;
    }
    const wrongId = userIdProblem(item.id);
    if (wrongId !== undefined) problems.push({ path: `${at}.id`, message: wrongId });
    else if (seen.has(item.id)) problems.push(givenTwice(index, item.id));
    else {
      const own: FieldError[] = [];
      const room = roomFor(problems);
      const patch = boundedPatch(item, at, own, room);
      problems.push(...own.slice(0, room));
      if (patch !== undefined) patches.push({ id: item.id, patch });
    }
    seen.add(item.id);
  }
  return { kind: 'patch', actor, patches, problems, ...readIfRev(if_rev, seen, problems) };
}

/** How many paths it names, whatever they are. */
function pathsOf({ set, unset }: JsonObject): number {
  return [set, unset].reduce<number>(
    (sum, named) => sum + (typeof named === 'object' && named !== null ? Object.keys(named).length : 0),
    0,
  );
}

/** Checks the size limits of a patch before it is parsed, because parsing takes time for every pair of paths. */
function boundedPatch(item: PatchItem, at: string, problems: FieldError[], room: number): Patch | undefined {
  const { set = {}, unset = [] } = item;
  for (const [path, value] of Object.entries(set)) {
    if (problems.length >= room) break;
    const problem = lengthProblem(path) ?? jsonProblem(value, path.split('.').length + 1);
    if (problem !== undefined) problems.push({ path: `${at}.set.${clip(path)}${problem.path}`, message: problem.message });
  }
  for (const path of unset) {
    const problem = lengthProblem(path);
    if (problem !== undefined) problems.push({ path: `${at}.unset.${clip(path)}`, message: problem.message });
  }
  checkOperationalFields(set, `${at}.set`, problems);
  const parsed = problems.length > 0 ? [] : patchOf(item, at);
  if (!Array.isArray(parsed)) return parsed;
  problems.push(...parsed);
  return undefined;
}

function lengthProblem(path: string): FieldError | undefined {
  return path.length > PATH_CHARS_MAX ? { path: '', message: `must not be longer than ${PATH_CHARS_MAX} characters` } : undefined;
}
