/**
 * The language of partial updates: `set` and `unset` with dotted paths. Pure:
 * a patch is checked once and then produces a new record, which shares the untouched parts.
 *
 * A path through a value that is not an object is an error and never replaces that value. What a path in custom data means
 * depends on the keys that are there (custom-path.ts).
 */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { FieldError } from '../base/errors.ts';
import { explain, says } from '../base/explain.ts';
import { isForbiddenName } from '../base/ids.ts';
import { isObject, type Json, type JsonObject, withFields } from '../base/json.ts';
import { parseTime } from '../base/time.ts';
import { CUSTOM, changed, follow, followDotted, overlap, pathProblem, type Touched } from './custom-path.ts';
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

/** A checked partial update. Steps touch different places, except as `mayMeet` says; a step that clears custom data comes first. */
export interface Patch {
  readonly steps: readonly Step[];
}

type Step =
  /** A field of the record; undefined removes it. */
  | { readonly kind: 'field'; readonly field: Field; readonly value: unknown }
  | { readonly kind: 'privacy'; readonly value: PrivacySettings | undefined }
  /** All custom data. */
  | { readonly kind: 'all'; readonly value: JsonObject }
  | CustomStep;

/** Changes one place in custom data. */
interface CustomStep {
  readonly kind: 'custom';
  /** As it was sent. */
  readonly text: string;
  /** Without `custom.`; undefined when only a key that is spelled like `text` can be meant. */
  readonly path: string | undefined;
  /** undefined removes what is there. */
  readonly value: Json | undefined;
  /** What `text` means when `path` is undefined and there is no such key. */
  readonly otherwise?: Made;
}

/** A step, the reason why there is none, or undefined for an ignored path. */
type Made = Step | string | undefined;

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
  const take = (text: string, isUnset: boolean, made: () => Made): void => {
    const one = { place: placeOf(text), label: `${at}.${isUnset ? 'unset' : 'set'}.${text}`, isUnset };
    const wrong = pathProblem(text) ?? overlap(touched, one);
    const step = wrong ?? made();
    if (wrong === undefined) touched.push(one);
    if (typeof step === 'string') problems.push({ path: one.label, message: step });
    // Cleared first, so that custom data which the same request sets replaces all of it.
    else if (step !== undefined && isUnset && one.place === CUSTOM) steps.unshift(step);
    else if (step !== undefined) steps.push(step);
  };

  for (const [text, value] of Object.entries(set)) take(text, false, () => setStep(text, value));
  for (const text of unset) take(text, true, () => unsetStep(text));
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

/** The one name of the place that a path names. */
function placeOf(text: string): string {
  const [head] = text.split('.', 1);
  return head === 'custom' || head === 'privacy_settings' || isKnown(text) ? text : `custom.${text}`;
}

function isKnown(name: string): boolean {
  return name === 'id' || name === 'custom' || name === 'privacy_settings' || isField(name) || RESERVED_FIELDS.has(name);
}

function isField(name: string): name is Field {
  return FIELDS.some((field) => field === name);
}

function setStep(text: string, value: unknown): Made {
  const [head = '', ...rest] = text.split('.');
  if (isKnown(text) && text !== 'custom') return knownStep(head, rest, value);
  if (!isJson(value)) return 'must be a JSON value without reserved names';
  if (text === 'custom') {
    const all = emptyListAsObject(value);
    return isJsonObject(all) ? { kind: 'all', value: all } : 'must be an object';
  }
  return customStep(text, value, () => knownStep(head, rest, value));
}

function unsetStep(text: string): Made {
  const [head = '', ...rest] = text.split('.');
  if (text === 'custom') return { kind: 'all', value: {} };
  return isKnown(text) ? removalStep(head, rest) : customStep(text, undefined, () => removalStep(head, rest));
}

/** Only a key that is spelled so makes a path that begins with the name of a field a path in custom data. */
function customStep(text: string, value: Json | undefined, otherwise: () => Made): CustomStep {
  const [head = '', ...rest] = text.split('.');
  if (head === 'custom') return { kind: 'custom', text, path: rest.join('.'), value };
  if (isKnown(head)) return { kind: 'custom', text, path: undefined, value, otherwise: otherwise() };
  return { kind: 'custom', text, path: text, value };
}

/** A path that leads to a field of the record, or into one. */
function knownStep(first: string, rest: readonly string[], value: unknown): Made {
  if (first === 'privacy_settings') return privacyStep(rest, value);
  if (!isField(first)) return undefined;
  if (rest.length > 0) return first === 'teams_role' ? 'is set as a whole' : `${first} has no fields`;
  return fieldStep(first, value);
}

function removalStep(first: string, rest: readonly string[]): Made {
  if (first === 'privacy_settings') return rest.length === 0 ? { kind: 'privacy', value: undefined } : 'is removed as a whole';
  if (!isField(first) || first === 'role') return `${first} cannot be removed`;
  if (rest.length > 0) return `${first} has no fields`;
  return { kind: 'field', field: first, value: first === 'teams' ? [] : undefined };
}

/** PHP writes an empty map as `[]`. */
function emptyListAsObject<T>(value: T): T | JsonObject {
  return Array.isArray(value) && value.length === 0 ? {} : value;
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
function privacyStep(rest: readonly string[], value: unknown): Step | string {
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

/** JSON without names that would reach a prototype, at any depth. */
function isJson(value: unknown): value is Json {
  if (typeof value !== 'object' || value === null) return value !== undefined;
  if (Array.isArray(value)) return value.every(isJson);
  return Object.entries(value).every(([key, item]) => !isForbiddenName(key) && isJson(item));
}

/**
 * The record after the patch, or the errors that prevent it, named with `at`. The record itself does not change. The caller checks
 * size, role and teams.
 */
export function applyPatch(user: StoredUser, patch: Patch, at: string): StoredUser | FieldError[] {
  const problems: FieldError[] = [];
  let next: StoredUser = user;
  const own = new Set<object>();
  for (const step of patch.steps) {
    const after = applied(next, step, own);
    if (typeof after === 'string') {
      const text = step.kind === 'custom' ? `${step.value === undefined ? 'unset' : 'set'}.${step.text}` : step.kind;
      problems.push({ path: `${at}.${text}`, message: after });
    } else next = after;
  }
  return problems.length > 0 ? problems : next;
}

/** The record after one step, or the reason why it is not possible. `own`: the objects of custom data that this patch has made. */
function applied(user: StoredUser, step: Step, own: Set<object>): StoredUser | string {
  switch (step.kind) {
    case 'field':
      return withField(user, step.field, step.value);
    case 'privacy':
      return withField(user, 'privacy_settings', step.value === undefined ? undefined : mergedPrivacy(user.privacy_settings, step.value));
    case 'all':
      return { ...user, custom: step.value };
    case 'custom': {
      const { text, path, value, otherwise } = step;
      const spelled = path === text ? undefined : followDotted(user.custom, text);
      const route = spelled ?? (path === undefined ? undefined : follow(user.custom, path));
      if (route !== undefined) {
        const custom = changed(user.custom, route, value, own);
        return typeof custom === 'string' ? custom : custom === user.custom ? user : { ...user, custom };
      }
      return otherwise === undefined ? user : typeof otherwise === 'string' ? otherwise : applied(user, otherwise, own);
    }
  }
}

function isJsonObject(value: Json): value is JsonObject {
  return isObject(value);
}

function withField(user: StoredUser, field: Field | 'privacy_settings', value: unknown): StoredUser {
  const { [field]: _, ...rest } = user;
  // `parsePatch` checked the type of the value for this field.
  return (value === undefined ? rest : withFields(rest, { [field]: value })) as StoredUser;
}

function mergedPrivacy(before: PrivacySettings | undefined, change: PrivacySettings): PrivacySettings {
  return { ...before, ...change };
}
