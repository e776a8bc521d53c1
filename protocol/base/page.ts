/** Reads from a query string which page of a list is wanted. Pure; throws RosterError `input`. */

import type { QueryFields } from '../users/lifecycle.ts';
import { fieldErrors } from './errors.ts';
import { isForbiddenName } from './ids.ts';
import { LIMITS } from './limits.ts';
import { type Micros, parseTime } from './time.ts';

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
