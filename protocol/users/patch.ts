/**
 * The language of partial updates: `set` and `unset` with dotted paths. Pure:
 * a patch is checked once and then produces a new record, which shares the untouched parts.
 *
 * Paths walk own properties only. A path through a value that is not an object
 * is an error and never replaces that value.
 */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { FieldError } from '../base/errors.ts';
import { explain, says } from '../base/explain.ts';
import { isForbiddenName } from '../base/ids.ts';
import { isObject, type Json, type JsonObject } from '../base/json.ts';
import { parseTime } from '../base/time.ts';
import { uniqueTeams } from './teams.ts';
import { type PrivacySettings, PrivacySettings as PrivacySettingsSchema, RESERVED_FIELDS, type StoredUser } from './user.ts';

/** The changes of a partial update. */
export const PatchChanges = Type.Object({
  set: Type.Optional(
    Type.Unsafe<JsonObject>(
      Type.Object({}, { additionalProperties: true, description: 'values by their path, with dots', ...says('must be an object') }),
    ),
  ),
  unset: Type.Optional(Type.Array(Type.String(), { description: 'paths', ...says('must be a list of strings') })),
});

export type PatchChanges = Static<typeof PatchChanges>;

type Path = readonly string[];

/** A place that a patch names, with its name in errors. */
interface Touched {
  readonly path: Path;
  readonly label: string;
  readonly isUnset: boolean;
}

/** A checked partial update. Steps touch different places, except that a later step may remove a part of a value that is set. */
export interface Patch {
  readonly steps: readonly Step[];
}

type Step =
  /** A field of the record; undefined removes it. */
  | { readonly kind: 'field'; readonly field: Field; readonly value: unknown }
  | { readonly kind: 'privacy'; readonly value: PrivacySettings | undefined }
  /** `text` is the path as it was sent. */
  | { readonly kind: 'custom'; readonly path: Path; readonly text: string; readonly value: Json }
  | { readonly kind: 'remove'; readonly path: Path };

const FIELDS = ['name', 'image', 'role', 'teams', 'teams_role', 'language', 'invisible', 'revoke_tokens_issued_before'] as const;
type Field = (typeof FIELDS)[number];

const changesCheck = Compile(PatchChanges);
const privacyCheck = Compile(PrivacySettingsSchema);

/**
 * Checks `set` (an object of paths and values) and `unset` (a list of paths). Read-only fields in `set` are ignored. Returns the
 * patch, or all its errors, with paths that begin with `at`.
 */
export function parsePatch(set: unknown, unset: unknown, at: string): Patch | FieldError[] {
  const sent = presentPatch({ set, unset });
  return changesCheck.Check(sent) ? patchOf(sent, at) : explain(changesCheck, sent, at);
}

/** Like `parsePatch`, for changes whose form was checked. */
export function patchOf({ set = {}, unset = [] }: PatchChanges, at: string): Patch | FieldError[] {
  const problems: FieldError[] = [];
  const steps: Step[] = [];
  const touched: Touched[] = [];
  const take = (text: string, isUnset: boolean, step: (path: Path) => Step | string | undefined): void => {
    const label = `${at}.${isUnset ? 'unset' : 'set'}.${text}`;
    const path = parsePath(text);
    const wrong = typeof path === 'string' ? path : overlap(touched, { path, label, isUnset });
    if (typeof path === 'string' || wrong !== undefined) {
      problems.push({ path: label, message: wrong ?? '' });
      return;
    }
    touched.push({ path, label, isUnset });
    const made = step(path);
    if (typeof made === 'string') problems.push({ path: label, message: made });
    else if (made !== undefined) steps.push(made);
  };

  for (const [text, value] of Object.entries(set)) take(text, false, (path) => setStep(path, text, value));
  for (const text of unset) take(text, true, unsetStep);
  return problems.length > 0 ? problems : { steps };
}

/** Drops changes that change nothing: null, and an empty list or object, since PHP writes either for the other. */
export function presentPatch<Sent extends { readonly set?: unknown; readonly unset?: unknown }>(sent: Sent): Sent {
  const isSet = !isNone(sent.set);
  const isUnset = !isNone(sent.unset);
  return isSet && isUnset ? sent : { ...sent, set: isSet ? sent.set : undefined, unset: isUnset ? sent.unset : undefined };
}

function isNone(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === null;
  for (const _ in value) return false;
  return true;
}

/** The segments of a path, or its error. `custom.a` and `a` are the same place. */
function parsePath(text: string): Path | string {
  const path = text.split('.');
  for (const segment of path) {
    if (segment === '') return 'a path must not have empty segments';
    if (/\s/.test(segment)) return 'a key must not contain spaces';
    if (isForbiddenName(segment)) return `"${segment}" is a reserved name`;
  }
  return path[0] === 'custom' && path.length > 1 && !isKnown(path[1] ?? '') ? path.slice(1) : path;
}

function isKnown(name: string): boolean {
  return name === 'id' || name === 'custom' || name === 'privacy_settings' || isField(name) || RESERVED_FIELDS.has(name);
}

function isField(name: string): name is Field {
  return FIELDS.some((field) => field === name);
}

/** Whether `unset` names a part of a value in `set`, as in the published sample: the value is then stored without that part. */
function isTrim({ path, isUnset }: Touched, other: Touched): boolean {
  return isUnset && !other.isUnset && path.length > other.path.length && !isKnown(other.path[0] ?? '');
}

function overlap(touched: readonly Touched[], one: Touched): string | undefined {
  const { path } = one;
  for (const other of touched) {
    if (isTrim(one, other)) continue;
    const shared = Math.min(path.length, other.path.length);
    const isCustomAll = (one: Path, two: Path): boolean => one[0] === 'custom' && one.length === 1 && !isKnown(two[0] ?? '');
    if (
      path.slice(0, shared).every((segment, i) => segment === other.path[i]) ||
      isCustomAll(path, other.path) ||
      isCustomAll(other.path, path)
    ) {
      return `overlaps with ${other.label}`;
    }
  }
  return undefined;
}

/** A step, the reason why there is none, or undefined for an ignored path. */
function setStep(path: Path, text: string, value: unknown): Step | string | undefined {
  const [first = '', ...rest] = path;
  if (first === 'id' || RESERVED_FIELDS.has(first)) return undefined;
  if (first === 'privacy_settings') return privacyStep(rest, value);
  if (isField(first)) {
    if (first === 'teams_role' && rest.length > 0) return 'is set as a whole';
    if (rest.length > 0) return `${first} has no fields`;
    return fieldStep(first, value);
  }
  if (!isJson(value)) return 'must be a JSON value without reserved names';
  if (first !== 'custom' || rest.length > 0) return { kind: 'custom', path: customPath(path), text, value };
  const all = emptyListAsObject(value);
  return isJsonObject(all) ? { kind: 'custom', path: [], text, value: all } : 'must be an object';
}

/** PHP writes an empty map as `[]`. */
function emptyListAsObject<T>(value: T): T | JsonObject {
  return Array.isArray(value) && value.length === 0 ? {} : value;
}

/** `custom` alone names all custom data: the empty path. A known name below `custom` is an ordinary custom key. */
function customPath(path: Path): Path {
  return path[0] === 'custom' ? path.slice(1) : path;
}

function fieldStep(field: Field, value: unknown): Step | string {
  switch (field) {
    case 'name':
    case 'image':
    case 'language':
      if (value === null || value === '') return { kind: 'field', field, value: undefined };
      return typeof value === 'string' ? { kind: 'field', field, value } : 'must be a string';
    case 'role':
      return typeof value === 'string' && value !== '' ? { kind: 'field', field, value } : 'must be a string that is not empty';
    case 'teams':
      if (value === null) return { kind: 'field', field, value: [] };
      return Array.isArray(value) && value.every((team) => typeof team === 'string')
        ? { kind: 'field', field, value: uniqueTeams(value) }
        : 'must be a list of strings';
    case 'teams_role': {
      if (value === null) return { kind: 'field', field, value: undefined };
      const roles = emptyListAsObject(value);
      return isObject(roles) && isJson(roles) && Object.values(roles).every((role) => typeof role === 'string')
        ? { kind: 'field', field, value: roles }
        : 'must be an object of strings';
    }
    case 'invisible':
      return typeof value === 'boolean' ? { kind: 'field', field, value } : 'must be a boolean';
    case 'revoke_tokens_issued_before': {
      if (value === null) return { kind: 'field', field, value: undefined };
      const stamp = parseTime(value);
      // No dialect could write a time outside these bounds again.
      return stamp !== undefined && stamp >= 0 && stamp <= Number.MAX_SAFE_INTEGER
        ? { kind: 'field', field, value: stamp }
        : 'must be an RFC 3339 time from 1970 to 2255, or null';
    }
  }
}

const PRIVACY = ['typing_indicators', 'read_receipts', 'delivery_receipts'] as const;

/** Settings merge: absent ones stay. Of a whole object only known settings are kept, so that no large value hides in it. */
function privacyStep(rest: Path, value: unknown): Step | string {
  if (rest.length === 0 && value === null) return { kind: 'privacy', value: undefined };
  const whole = rest.reduceRight<unknown>((inner, segment) => ({ [segment]: inner }), rest.length === 0 ? emptyListAsObject(value) : value);
  const [setting] = rest;
  if (!privacyCheck.Check(whole) || (setting !== undefined && !PRIVACY.some((name) => name === setting))) {
    return 'must be {typing_indicators, read_receipts, delivery_receipts: {enabled: boolean}}';
  }
  const known: PrivacySettings = {};
  for (const name of PRIVACY) {
    const toggle = whole[name];
    if (toggle !== undefined) known[name] = { enabled: toggle.enabled };
  }
  return { kind: 'privacy', value: known };
}

function unsetStep(path: Path): Step | string {
  const [first = '', ...rest] = path;
  if (first === 'id' || first === 'role' || RESERVED_FIELDS.has(first)) return `${first} cannot be removed`;
  if (first === 'privacy_settings') return rest.length === 0 ? { kind: 'privacy', value: undefined } : 'is removed as a whole';
  if (isField(first))
    return rest.length === 0 ? { kind: 'field', field: first, value: first === 'teams' ? [] : undefined } : `${first} has no fields`;
  return { kind: 'remove', path: customPath(path) };
}

/** JSON without names that would reach a prototype, at any depth. */
function isJson(value: unknown): value is Json {
  if (typeof value !== 'object' || value === null) return value !== undefined;
  if (Array.isArray(value)) return value.every(isJson);
  return Object.entries(value).every(([key, item]) => !isForbiddenName(key) && isJson(item));
}

/**
 * The record after the patch, or the errors that prevent it: paths through a value that is not an object, named with `at`.
 * The record itself does not change. The caller checks size, role and teams.
 */
export function applyPatch(user: StoredUser, patch: Patch, at: string): StoredUser | FieldError[] {
  const problems: FieldError[] = [];
  let next: StoredUser = user;
  for (const step of patch.steps) {
    switch (step.kind) {
      case 'field':
        next = withField(next, step.field, step.value);
        break;
      case 'privacy':
        next = withField(next, 'privacy_settings', step.value === undefined ? undefined : mergedPrivacy(next.privacy_settings, step.value));
        break;
      case 'custom': {
        const custom = put(next.custom, step.path, step.value);
        if (custom !== undefined && isJsonObject(custom)) next = { ...next, custom };
        else problems.push({ path: `${at}.set.${step.text}`, message: 'leads through a value that is not an object' });
        break;
      }
      case 'remove':
        next = { ...next, custom: removed(next.custom, step.path) };
        break;
    }
  }
  return problems.length > 0 ? problems : next;
}

function isJsonObject(value: Json): value is JsonObject {
  return isObject(value);
}

function withField(user: StoredUser, field: Field | 'privacy_settings', value: unknown): StoredUser {
  const { [field]: _, ...rest } = user;
  // `parsePatch` checked the type of the value for this field.
  return (value === undefined ? rest : { ...rest, [field]: value }) as StoredUser;
}

function mergedPrivacy(before: PrivacySettings | undefined, change: PrivacySettings): PrivacySettings {
  return { ...before, ...change };
}

/** `target` with `value` at `path`, or undefined when the path leads through a value that is not an object. Makes missing objects. */
function put(target: Json | undefined, path: Path, value: Json): Json | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  if (target !== undefined && !isObject(target)) return undefined;
  const inner = put(target !== undefined && Object.hasOwn(target, key) ? target[key] : undefined, rest, value);
  return inner === undefined ? undefined : { ...target, [key]: inner };
}

/** `target` without the value at `path`; a path that leads nowhere changes nothing. */
function removed(target: JsonObject, path: Path): JsonObject {
  const [key, ...rest] = path;
  if (key === undefined) return {};
  if (!Object.hasOwn(target, key)) return target;
  const { [key]: inner, ...others } = target;
  if (rest.length === 0) return others;
  return inner !== undefined && isJsonObject(inner) ? { ...target, [key]: removed(inner, rest) } : target;
}
