/**
 * Tools to read requests: bodies, pages, and custom data to store. Pure; every
 * reader throws RosterError `input` with the path of the error.
 */
import { type FieldError, fieldErrors } from './errors.ts';
import { type Explainable, explain } from './explain.ts';
import { clip, fieldPath, itemPath, typeName } from './field-path.ts';
import { isForbiddenName, userIdProblem } from './ids.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import { LIMITS } from './limits.ts';

/** `v1`: custom data at the top level of the user. `v2`: custom data under `custom`, and unknown top-level keys as well. */
export type Dialect = 'v1' | 'v2';

/** The parameters of a query string as texts. */
export type QueryFields = Readonly<Record<string, string | undefined>>;

interface Checker<T> extends Explainable {
  Check(value: unknown): value is T;
}

/** The value when the schema allows it; otherwise throws with all its errors. */
export function checked<T>(checker: Checker<T>, value: unknown, path = ''): T {
  if (checker.Check(value)) return value;
  throw fieldErrors('input', explain(checker, value, path));
}

/** A body as an object. An absent body counts as empty, and so does `[]`, PHP's empty map. `path` names the body in the error. */
export function bodyObject(body: unknown, path = 'body'): JsonObject {
  if (body === undefined || isEmptyList(body)) return {};
  if (isJsonObject(body)) return body;
  throw fieldErrors('input', [{ path, message: `must be object, got ${typeName(body)}` }]);
}

export function isJsonObject(value: unknown): value is JsonObject {
  return isObject(value);
}

export function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A copy without the values that count as not sent: null, and the empty texts that Go sends. */
export function presentFields(body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== ''));
}

/** The id in a path, checked. getstream-go writes a space there as `+`, which an id cannot contain either. */
export function pathId(id: string): string {
  const problem = userIdProblem(id);
  if (problem !== undefined) throw fieldErrors('input', [{ path: 'user_id', message: problem }]);
  return id;
}

/** The first `limit` items after the end of the previous page. `compare` is a total order; `items` need not be sorted. */
export function pageOf<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  isBeyond: (item: T) => boolean,
  limit: number,
): readonly T[] {
  return items.filter(isBeyond).sort(compare).slice(0, limit);
}

/** Compares texts by their UTF-16 code units: the same order on every machine. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The reason why a value cannot be stored as custom data: a name that reaches an object's prototype, too much nesting
 * (`depth` is the level of the value itself; custom data is at 1), or a number that JSON could not write again.
 */
export function jsonProblem(value: Json, depth: number): FieldError | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { path: '', message: 'is too big a number' };
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > LIMITS.customDepth) return { path: '', message: `must not be nested deeper than ${LIMITS.customDepth} levels` };
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) {
      const found = jsonProblem(item, depth + 1);
      if (found !== undefined) return { path: `[${index}]${found.path}`, message: found.message };
    }
    return undefined;
  }
  for (const key in value) {
    if (isForbiddenName(key)) return { path: `.${clip(key)}`, message: `"${key}" is a reserved name` };
    const item = value[key];
    const found = item === undefined ? undefined : jsonProblem(item, depth + 1);
    if (found !== undefined) return { path: `.${clip(key)}${found.path}`, message: found.message };
  }
  return undefined;
}

/** Keys and indexes of a place that is too deep which an error shows. */
const DEEP_PATH_SHOWN = 4;

/** What is wrong with JSON that nests deeper than any request may. To be asked before anything else walks it. */
export function tooDeep(json: unknown): FieldError | undefined {
  const way = isContainer(json) ? wayTooDeep(json, 1) : undefined;
  if (way === undefined) return undefined;
  const path = way
    .slice(0, DEEP_PATH_SHOWN)
    .reduce<string>((at, key) => (typeof key === 'number' ? itemPath(at, key) : fieldPath(at, key)), '');
  return { path, message: `must not be nested deeper than ${LIMITS.jsonDepth} levels` };
}

function wayTooDeep(json: object, depth: number): (string | number)[] | undefined {
  if (depth > LIMITS.jsonDepth) return [];
  // Every request is walked: no list of its entries is made.
  if (Array.isArray(json)) {
    for (let index = 0; index < json.length; index++) {
      const rest = isContainer(json[index]) ? wayTooDeep(json[index], depth + 1) : undefined;
      if (rest !== undefined) return [index, ...rest];
    }
    return undefined;
  }
  const values = json as Readonly<Record<string, unknown>>;
  for (const key in values) {
    const value = values[key];
    const rest = isContainer(value) ? wayTooDeep(value, depth + 1) : undefined;
    if (rest !== undefined) return [key, ...rest];
  }
  return undefined;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
