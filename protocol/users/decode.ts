/**
 * Reads one user as a caller sends it, in either chat dialect, into the one form
 * that the rules work on: custom data nested, reserved keys removed, no undefined values. Pure.
 *
 * This is the hot path of every bulk job: a valid user costs one compiled check
 * and one walk over its keys. Only an invalid user is checked field by field.
 */

import { Compile } from 'typebox/compile';
import type { Actor } from '../base/actor.ts';
import { type FieldError, PROBLEMS_MAX } from '../base/errors.ts';
import { explain, newSearch, type Search } from '../base/explain.ts';
import { clip, fieldPath, itemPath, typeName } from '../base/field-path.ts';
import { isForbiddenName, isUserId, userIdProblem } from '../base/ids.ts';
import { type Json, type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { type Dialect, isEmptyList, isJsonObject, jsonProblem } from '../base/reading.ts';
import { dataProblem } from './size.ts';
import { uniqueTeams } from './teams.ts';
import { KNOWN_FIELDS, type PrivacySettings, RESERVED_FIELDS, TEAMS_BOUND, type UserInput, UserRequest } from './user.ts';

/** Longer than any registered language tag. */
const LANGUAGE_CHARS_MAX = 35;

const userCheck = Compile(UserRequest);

/** One check per field, so that the errors of one field never cut off those of another. Errors of an id are found separately. */
const FIELD_CHECKS = Object.entries(UserRequest.properties).flatMap(([field, schema]) =>
  field === 'id' ? [] : [[field, Compile(schema)] as const],
);

export interface UserPlace {
  /** Its name in errors, such as `users[ann]`. */
  readonly path: string;
  /** Its key in the map; undefined in a list. */
  readonly key: string | undefined;
  readonly dialect: Dialect;
  readonly caller: Actor['kind'];
  /** Shared by the users of one request. */
  readonly search?: Search;
}

/** The error for a user that is given twice: nothing says which of the two counts. */
export function givenTwice(index: number, id: string): FieldError {
  return { path: `users[${index}].id`, message: `"${id}" is there twice` };
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The user, or undefined when something is wrong with it; its errors are added to `problems`. When these are as many as an answer lists,
 * only the first one of each further user is.
 */
export function decodeUser(sent: unknown, place: UserPlace, problems: FieldError[]): UserInput | undefined {
  const own: FieldError[] = [];
  const room = roomFor(problems);
  const user = decodedUser(sent, place, own, room);
  if (own.length > 0) problems.push(...own.slice(0, room));
  return user;
}

/** How many problems of the next user are looked for. */
export function roomFor(problems: readonly FieldError[]): number {
  return problems.length < PROBLEMS_MAX ? PROBLEMS_MAX : 1;
}

/** `room`: how many problems are listed, since a hostile body can hold a hundred thousand. */
function decodedUser(sent: unknown, place: UserPlace, problems: FieldError[], room: number): UserInput | undefined {
  const { path } = place;
  if (!isJsonObject(sent)) {
    problems.push({ path, message: `must be object, got ${typeName(sent)}` });
    return undefined;
  }
  if (isOverfull(sent.teams) || isOverfull(sent.teams_role)) {
    checkOperationalFields(sent, path, problems);
    return undefined;
  }
  const id = idOf(sent, place, problems);
  const request = userCheck.Check(sent) ? sent : mended(sent, place, problems);
  if (request === undefined) return undefined;
  const custom = customOf(request, place, problems, room);
  checkOperationalFields(request, path, problems);
  if (id === undefined || problems.length > 0) return undefined;
  const input = inputOf(id, request, custom);
  const tooBig = dataProblem(input, place.caller);
  if (tooBig === undefined) return input;
  problems.push({ path, message: tooBig });
  return undefined;
}

/** The id in the user and its key in the map must agree; either may be absent when the other is present. */
function idOf(sent: JsonObject, { path, key }: UserPlace, problems: FieldError[]): string | undefined {
  const own = sent.id === null || sent.id === '' ? undefined : sent.id;
  const id = own ?? key ?? '';
  if (typeof id !== 'string' || !isUserId(id)) {
    problems.push({ path: fieldPath(path, 'id'), message: userIdProblem(id) ?? 'is not a user id' });
    return undefined;
  }
  if (key === undefined || key === id) return id;
  problems.push({ path: fieldPath(path, 'id'), message: `must agree with its key "${clip(key)}", got "${clip(id)}"` });
  return undefined;
}

/** Accepts `[]` for an empty map, as PHP writes it. Explains every other error of the check, except those of the id. */
function mended(
  sent: JsonObject,
  { path, search = newSearch() }: UserPlace,
  problems: FieldError[],
): (JsonObject & UserRequest) | undefined {
  const { id: _, ...copy } = sent;
  for (const field of ['custom', 'teams_role', 'privacy_settings']) {
    if (isEmptyList(copy[field])) copy[field] = {};
  }
  if (userCheck.Check(copy)) return copy;
  for (const [field, check] of FIELD_CHECKS) {
    if (!Object.hasOwn(copy, field) || check.Check(copy[field])) continue;
    problems.push(...explain(check, copy[field], fieldPath(path, field), search));
    if (search.findings <= 0) break;
  }
  return undefined;
}

/** Custom data from every place that the dialect allows. For a key in several places, the nested value counts. */
function customOf(sent: JsonObject & UserRequest, { dialect, path }: UserPlace, problems: FieldError[], room: number): JsonObject {
  let custom: JsonObject | undefined;
  for (const key in sent) {
    if (problems.length >= room) return {};
    if (KNOWN_FIELDS.has(key) || RESERVED_FIELDS.has(key)) continue;
    const value = sent[key];
    if (value === undefined || (key === 'extra_data' && dialect === 'v1' && isJsonObject(value))) continue;
    if (!isPlain(key, value, path, problems)) continue;
    custom ??= {};
    custom[key] = value;
  }
  if (dialect === 'v1') custom = flattened(sent.extra_data, fieldPath(path, 'extra_data'), custom, problems, room);
  const nested = sent.custom;
  if (nested === undefined || nested === null) return custom ?? {};
  const nestedPath = fieldPath(path, 'custom');
  if (dialect === 'v1') return flattened(nested, nestedPath, custom, problems, room) ?? {};
  for (const key in nested) {
    if (problems.length >= room) return {};
    const value = nested[key];
    if (value === undefined || !isPlain(key, value, nestedPath, problems)) continue;
    if (custom !== undefined) custom[key] = value;
  }
  // A user without stray top-level keys keeps the object that was parsed.
  return custom ?? nested;
}

/** v1 has one level: nested keys move up, and a key that is a field of the user is not custom data there. */
function flattened(
  nested: Json | undefined,
  path: string,
  into: JsonObject | undefined,
  problems: FieldError[],
  room: number,
): JsonObject | undefined {
  if (!isJsonObject(nested)) return into;
  const custom = into ?? {};
  for (const key in nested) {
    if (problems.length >= room) return custom;
    const value = nested[key];
    if (value === undefined || KNOWN_FIELDS.has(key) || RESERVED_FIELDS.has(key)) continue;
    if (isPlain(key, value, path, problems)) custom[key] = value;
  }
  return custom;
}

function isPlain(key: string, value: Json, path: string, problems: FieldError[]): boolean {
  if (typeof value === 'string' && !isForbiddenName(key)) return true;
  const problem = isForbiddenName(key) ? { path: '', message: `"${key}" is a reserved name` } : jsonProblem(value, 2);
  if (problem === undefined) return true;
  problems.push({ path: `${fieldPath(path, key)}${problem.path}`, message: problem.message });
  return false;
}

/** Checks the limits, not the types, of the fields that do not count towards the size of the data, in an upsert and in a patch's `set`. */
export function checkOperationalFields(sent: JsonObject, path: string, problems: FieldError[]): void {
  const { language, role, teams, teams_role } = sent;
  if (typeof language === 'string' && language.length > LANGUAGE_CHARS_MAX) {
    problems.push({ path: fieldPath(path, 'language'), message: `must not be longer than ${LANGUAGE_CHARS_MAX} characters` });
  }
  if (typeof role === 'string' && role.length > LIMITS.roleChars) {
    problems.push({ path: fieldPath(path, 'role'), message: `must not be longer than ${LIMITS.roleChars} characters` });
  }
  if (isOverfull(teams)) problems.push({ path: fieldPath(path, 'teams'), message: TEAMS_BOUND });
  if (isOverfull(teams_role)) problems.push({ path: fieldPath(path, 'teams_role'), message: TEAMS_BOUND });
  else if (isJsonObject(teams_role)) checkTeamsRole(teams_role, fieldPath(path, 'teams_role'), problems);
}

/** Whether these are more teams than are looked at. */
function isOverfull(teams: unknown): boolean {
  if (typeof teams !== 'object' || teams === null) return false;
  return (Array.isArray(teams) ? teams : Object.keys(teams)).length > LIMITS.teamsPerUser;
}

function checkTeamsRole(teamsRole: JsonObject, path: string, problems: FieldError[]): void {
  for (const [team, role] of Object.entries(teamsRole)) {
    const at = itemPath(path, team);
    if (isForbiddenName(team)) problems.push({ path: at, message: `"${team}" is a reserved name` });
    else if (utf8Bytes(team) > LIMITS.teamBytes) problems.push({ path: at, message: `must not be longer than ${LIMITS.teamBytes} bytes` });
    // The schema's pattern for keys does not match keys with a line break, so the schema does not check their values.
    else if (typeof role !== 'string') problems.push({ path: at, message: `must be string, got ${typeName(role)}` });
    else if (role === '' || role.length > LIMITS.roleChars) {
      problems.push({ path: at, message: `must have 1 to ${LIMITS.roleChars} characters` });
    }
  }
}

/** Sets only the keys that are present, in one fixed order, so that all users share few shapes. An empty text is absent. */
function inputOf(id: string, sent: UserRequest, custom: JsonObject): UserInput {
  const input: Writable<UserInput> = { id, custom };
  const { name, image, role, teams, teams_role, language, invisible, privacy_settings } = sent;
  if (name) input.name = name;
  if (image) input.image = image;
  if (role) input.role = role;
  if (teams) input.teams = uniqueTeams(teams);
  if (teams_role) input.teams_role = teams_role;
  if (language) input.language = language;
  if (typeof invisible === 'boolean') input.invisible = invisible;
  if (privacy_settings) input.privacy_settings = knownPrivacy(privacy_settings);
  return input;
}

/** Keeps only known settings, so that no large value hides in the record. */
function knownPrivacy(sent: PrivacySettings): PrivacySettings {
  const known: PrivacySettings = {};
  for (const name of ['typing_indicators', 'read_receipts', 'delivery_receipts'] as const) {
    const toggle = sent[name];
    if (toggle !== undefined) known[name] = { enabled: toggle.enabled };
  }
  return known;
}
