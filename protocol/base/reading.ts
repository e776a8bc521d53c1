/**
 * The kit of everything that reads requests: bodies, query strings, pages, and custom data that may be stored. Pure; whatever
 * reads throws RosterError `input` with the path of what is wrong.
 */
import { type FieldError, fieldErrors } from './errors.ts';
import { clip, type Explainable, explain, typeName } from './explain.ts';
import { isForbiddenName, userIdProblem } from './ids.ts';
import { isObject, type Json, type JsonObject } from './json.ts';
import { LIMITS } from './limits.ts';
import { type Micros, parseTime } from './time.ts';

/** `v1`: custom data at the top level of the user. `v2`: custom data under `custom`, and unknown top-level keys as well. */
export type Dialect = 'v1' | 'v2';

/** The parameters of a query string. */
export type QueryFields = Readonly<Record<string, string | undefined>>;

interface Checker<T> extends Explainable {
  Check(value: unknown): value is T;
}

/** The value when the schema allows it; otherwise throws with everything that is wrong. */
export function checked<T>(checker: Checker<T>, value: unknown, path = ''): T {
  if (checker.Check(value)) return value;
  throw fieldErrors('input', explain(checker, value, path));
}

/** A body is an object. None at all is an empty one, and so is `[]`: PHP writes an empty map that way. `path` names it in the error. */
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

/** A copy without what counts as not sent: null, and the empty texts that Go sends. */
export function presentFields(body: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== ''));
}

/** The id in a path, checked. `+` is how getstream-go writes a space there, and wrong in an id either way. */
export function pathId(id: string): string {
  const problem = userIdProblem(id);
  if (problem !== undefined) throw fieldErrors('input', [{ path: 'user_id', message: problem }]);
  return id;
}

/** A switch in a query string: Go writes `true` or nothing, PHP `1` and `0`. Undefined when it is not there. */
export function queryFlag(query: QueryFields, name: string): boolean | undefined {
  const text = query[name]?.toLowerCase();
  if (text === undefined || text === '') return undefined;
  if (text === 'true' || text === '1' || text === 'yes' || text === 'on') return true;
  if (text === 'false' || text === '0' || text === 'no' || text === 'off') return false;
  throw fieldErrors('input', [{ path: name, message: 'must be true or false' }]);
}

/** Longest text that a list is searched for or continued from. */
const TEXT_CHARS_MAX = 255;

/** Items of one page: `limit`, by default 30, at most 100. 0 is how Go writes "not given". */
export function queryLimit(query: QueryFields): number {
  const text = query.limit;
  if (text === undefined || text === '' || text === '0') return LIMITS.queryLimitDefault;
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit >= 1 && limit <= LIMITS.queryLimitMax) return limit;
  throw fieldErrors('input', [{ path: 'limit', message: `must be a whole number from 1 to ${LIMITS.queryLimitMax}` }]);
}

/** A text in the query; undefined when it is not there or empty. */
export function queryText(query: QueryFields, name: string): string | undefined {
  const text = query[name];
  if (text === undefined || text === '') return undefined;
  if (text.length <= TEXT_CHARS_MAX && !isForbiddenName(text)) return text;
  throw fieldErrors('input', [{ path: name, message: `must be a text of at most ${TEXT_CHARS_MAX} characters` }]);
}

/** A time in the query: RFC 3339, or integer nanoseconds. */
export function queryTime(query: QueryFields, name: string): Micros | undefined {
  const text = query[name];
  if (text === undefined || text === '') return undefined;
  const time = parseTime(/^\d{1,19}$/.test(text) ? Number(text) : text);
  if (time !== undefined) return time;
  throw fieldErrors('input', [{ path: name, message: 'must be a time in RFC 3339, or integer nanoseconds' }]);
}

/** The first `limit` items beyond the one where the last page ended. `compare` is a total order; `items` need not be in it. */
export function pageOf<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  isBeyond: (item: T) => boolean,
  limit: number,
): readonly T[] {
  return items.filter(isBeyond).sort(compare).slice(0, limit);
}

/** Order of texts by their characters, the same on every machine. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * What keeps a value of custom data from being stored: a name that reaches an object's prototype, more nesting than
 * allowed (`depth` is where the value itself is; custom data is at 1), or a number that JSON could not write again.
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
