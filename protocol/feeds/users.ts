/**
 * Users in the feeds dialect: an id and `data`. Name and image, if they are texts, are those of the stored record; all other
 * keys of `data` are custom data, whatever their names: `role` there is an ordinary key, not the user's role. Pure.
 */
import Type, { type Static, type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors, PROBLEMS_MAX, RosterError } from '../base/errors.ts';
import { says } from '../base/explain.ts';
import { clip, fieldPath, itemPath } from '../base/field-path.ts';
import { isForbiddenName, userIdProblem } from '../base/ids.ts';
import { type Json, type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { queryReader } from '../base/query-string.ts';
import { bodyObject, checked, isEmptyList, isJsonObject, jsonProblem, type QueryFields } from '../base/reading.ts';
import { AnyObject } from '../base/schemas.ts';
import { toRfc3339 } from '../base/time.ts';
import type { StoredUser, UserInput } from '../users/user.ts';

/** An empty list is an empty object, as PHP writes it; null counts as absent. */
const Data = Type.Union([Type.Object({}), Type.Array(Type.Unknown(), { maxItems: 0 }), Type.Null()]);

export const FeedsUserBody = Type.Object({ id: Type.String(), data: Type.Optional(Data) });

export const FeedsUserDataBody = Type.Object({ data: Type.Optional(Data) });

const Flag = Type.Optional(Type.Union([Type.Boolean(), Type.Null()]));

export const FeedsUsersBody = Type.Object({
  users: Type.Array(FeedsUserBody, { minItems: 1, maxItems: LIMITS.batchUsers }),
  override: Flag,
  override_existing: Flag,
});

const userCheck = Compile(FeedsUserBody);
const dataCheck = Compile(FeedsUserDataBody);
const usersCheck = Compile(FeedsUsersBody);

/** `POST user/`. Throws RosterError: `input`, or `too_big` for more than `LIMITS.feedsDataBytes` of data. */
export function decodeFeedsUser(body: unknown): UserInput {
  const { id, data } = checked(userCheck, bodyObject(body));
  return userOf(feedsId(id, 'id'), data, 'data');
}

/** `PUT user/{id}/`: absent data is empty. Throws like `decodeFeedsUser`. */
export function decodeFeedsUserData(id: string, body: unknown): UserInput {
  return userOf(feedsId(id, 'id'), checked(dataCheck, bodyObject(body)).data, 'data');
}

export interface FeedsUsers {
  readonly users: readonly UserInput[];
  /** Whether users that exist are replaced; otherwise they are kept. */
  readonly override: boolean;
}

/** `POST users/`. Refuses an id that is given twice. Throws like `decodeFeedsUser`. */
export function decodeFeedsUsers(body: unknown): FeedsUsers {
  const { users: sent, override, override_existing } = checked(usersCheck, bodyObject(body));
  const seen = new Set<string>();
  const problems: FieldError[] = [];
  for (const [index, { id }] of sent.entries()) {
    const path = fieldPath(itemPath('users', index), 'id');
    const problem = seen.has(id) ? `"${clip(id)}" is there twice` : feedsIdProblem(id);
    if (problem !== undefined) problems.push({ path, message: problem });
    seen.add(id);
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  const users = sent.map(({ id, data }) => userOf(id, data, `users[${clip(id)}].data`));
  return { users, override: override === true || override_existing === true };
}

export const FeedsIdsQuery = Type.Object({
  ids: Type.String({ description: `up to ${LIMITS.batchUsers} ids with commas between them`, ...says({ required: 'must not be empty' }) }),
});
const readIds = queryReader(FeedsIdsQuery);

/** `ids=a,b`: 1 to 100 ids, each used once. */
export function decodeIds(query: QueryFields): string[] {
  const { ids } = readIds(query);
  const all = [...new Set(ids.split(',').map((id) => id.trim()))];
  const problems = all.flatMap((id) => feedsIdProblem(id) ?? []);
  if (problems[0] !== undefined) throw fieldErrors('input', [{ path: 'ids', message: problems[0] }]);
  if (all.length > LIMITS.batchUsers) {
    throw fieldErrors('input', [{ path: 'ids', message: `must not hold more than ${LIMITS.batchUsers}, got ${all.length}` }]);
  }
  return all;
}

/** The id, checked. The feeds dialect allows fewer ids than the chat dialects: none with `@`. */
export function feedsId(id: string, path: string): string {
  const problem = feedsIdProblem(id);
  if (problem !== undefined) throw fieldErrors('input', [{ path, message: problem }]);
  return id;
}

function feedsIdProblem(id: string): string | undefined {
  return userIdProblem(id) ?? (id.includes('@') ? 'may contain only letters a-z, A-Z, digits and the characters _ -' : undefined);
}

function userOf(id: string, sent: Static<typeof Data> | undefined, path: string): UserInput {
  const data = isJsonObject(sent) && !isEmptyList(sent) ? sent : {};
  checkFieldCount(data, LIMITS.feedsDataBytes, path);
  const problems = dataProblems(data, path, 1);
  if (problems.length > 0) throw fieldErrors('input', problems);
  const bytes = utf8Bytes(JSON.stringify(data));
  if (bytes > LIMITS.feedsDataBytes) {
    const message = `is ${bytes} bytes; at most ${LIMITS.feedsDataBytes} are allowed`;
    throw new RosterError('too_big', `${path}: ${message}`, [{ path, message }]);
  }
  const { name, image } = data;
  const custom = Object.fromEntries(Object.entries(data).filter(([key, value]) => !((key === 'name' || key === 'image') && isText(value))));
  return { id, custom, ...(isText(name) ? { name } : undefined), ...(isText(image) ? { image } : undefined) };
}

/** A field takes at least `"":0,`. */
const FIELD_BYTES = 5;

/** Refuses data with more fields than its bytes can hold, before any is looked at. Throws RosterError `too_big`. */
export function checkFieldCount(data: JsonObject, bytesMax: number, path: string): void {
  const fields = Object.keys(data).length;
  if (fields * FIELD_BYTES <= bytesMax) return;
  const message = `has ${fields} fields; at most ${bytesMax} bytes are allowed`;
  throw new RosterError('too_big', `${path}: ${message}`, [{ path, message }]);
}

/** The parts of an object that cannot be stored, each with its place: reserved names, too much nesting, invalid numbers. */
export function dataProblems(data: JsonObject, path: string, depth: number): FieldError[] {
  const problems: FieldError[] = [];
  for (const [key, value] of Object.entries(data)) {
    const at = fieldPath(path, key);
    const problem = isForbiddenName(key) ? { path: '', message: `"${key}" is a reserved name` } : jsonProblem(value, depth + 1);
    if (problem === undefined) continue;
    problems.push({ path: `${at}${problem.path}`, message: problem.message });
    if (problems.length >= PROBLEMS_MAX) break;
  }
  return problems;
}

/** The record has no empty name, so an empty one stays in custom data and can be read back. */
function isText(value: Json | undefined): value is string {
  return typeof value === 'string' && value !== '';
}

/** A user as the feeds dialect shows it. */
export interface FeedsUserView {
  readonly id: string;
  readonly data: JsonObject;
  readonly created_at: string;
  readonly updated_at: string;
}

/** The one rendering, of the user endpoints and of enrichment: name and image first, then custom data in its order. */
export function renderFeedsUser({ id, name, image, custom, created_at, updated_at }: StoredUser): FeedsUserView {
  const own = { ...(name === undefined ? undefined : { name }), ...(image === undefined ? undefined : { image }) };
  // A custom key of the same name can only come from another dialect; the field of the record counts.
  return { id, data: { ...own, ...custom, ...own }, created_at: toRfc3339(created_at), updated_at: toRfc3339(updated_at) };
}

const userFields = {
  id: Type.String(),
  data: AnyObject,
  created_at: Type.String({ format: 'date-time' }),
  updated_at: Type.String({ format: 'date-time' }),
};

/** A user inside an answer. */
export const FeedsUserIn: TSchema = Type.Object(userFields, { title: 'FeedsUser' });

/** A user as the whole answer. */
export const FeedsUserAnswer: TSchema = Type.Object(userFields);

export const FeedsProfileAnswer = Type.Object({
  ...userFields,
  followers_count: Type.Optional(Type.Integer()),
  following_count: Type.Optional(Type.Integer()),
});
