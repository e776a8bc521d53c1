/** A whole user query: filter, order, page (protocol/README.md, FL and QY). Pure. */
import { type FieldError, fieldErrors, RosterError } from '../base/errors.ts';
import { isObject, type Json } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { type FieldRef, type Filter, fieldRef, parseFilter } from './filter.ts';
import { reader } from './filter-match.ts';
import type { StoredUser } from './user.ts';

export interface SortSpec {
  readonly field: FieldRef;
  readonly direction: 1 | -1;
}

export interface QuerySpec {
  readonly filter: Filter;
  readonly sort: readonly SortSpec[];
  readonly limit: number;
  readonly offset: number;
  readonly range: { readonly gt?: string; readonly gte?: string; readonly lt?: string; readonly lte?: string };
  readonly includeDeactivated: boolean;
  readonly presence: boolean;
  /** The user a server asks for. */
  readonly userId?: string;
}

const ID: FieldRef = { kind: 'string', name: 'id' };
const DEFAULT_SORT: readonly SortSpec[] = [
  { field: { kind: 'time', name: 'created_at' }, direction: -1 },
  { field: ID, direction: -1 },
];

/** Reads the payload of QueryUsers. Throws RosterError `input` naming every field that is wrong; unknown keys are ignored. */
export function parseQuery(json: unknown): QuerySpec {
  if (!isObject(json)) throw fieldErrors('input', [{ path: 'payload', message: 'must be an object' }]);
  const problems: FieldError[] = [];
  const filter = collect(problems, () => parseFilter(json.filter_conditions ?? {})) ?? { kind: 'and', parts: [] };
  const range = parseRange(json, problems);
  const hasRange = Object.keys(range).length > 0;
  const fallback: readonly SortSpec[] = hasRange ? [{ field: ID, direction: -1 }] : DEFAULT_SORT;
  const spec = {
    filter,
    sort: collect(problems, () => parseSort(json.sort)) ?? fallback,
    limit: parseCount(json, 'limit', LIMITS.queryLimitDefault, LIMITS.queryLimitMax, problems),
    offset: parseCount(json, 'offset', 0, LIMITS.queryOffsetMax, problems),
    range,
    includeDeactivated: parseFlag(json, 'include_deactivated_users', problems),
    presence: parseFlag(json, 'presence', problems),
  };
  const userId = json.user_id;
  if (userId !== undefined && userId !== null && typeof userId !== 'string')
    problems.push({ path: 'user_id', message: 'must be a string' });
  if (problems.length > 0) throw fieldErrors('input', problems);
  return typeof userId === 'string' && userId !== '' ? { ...spec, userId } : spec;
}

function collect<T>(problems: FieldError[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RosterError)) throw error;
    problems.push(...error.fields);
    return undefined;
  }
}

/** A limit of 0 is how Go writes "not given". */
function parseCount(json: Record<string, unknown>, key: string, fallback: number, max: number, problems: FieldError[]): number {
  const value = json[key];
  if (value === undefined || value === null || value === 0) return fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= max) return value;
  problems.push({ path: key, message: `must be a whole number from 0 to ${max}` });
  return fallback;
}

function parseFlag(json: Record<string, unknown>, key: string, problems: FieldError[]): boolean {
  const value = json[key];
  if (value !== undefined && value !== null && typeof value !== 'boolean') problems.push({ path: key, message: 'must be a boolean' });
  return value === true;
}

function parseRange(json: Record<string, unknown>, problems: FieldError[]): QuerySpec['range'] {
  const range: { gt?: string; gte?: string; lt?: string; lte?: string } = {};
  for (const side of ['gt', 'gte', 'lt', 'lte'] as const) {
    const value = json[`id_${side}`];
    if (value === undefined || value === null || value === '') continue;
    if (typeof value === 'string') range[side] = value;
    else problems.push({ path: `id_${side}`, message: 'must be a string' });
  }
  return range;
}

/** Refuses a client's query by what only servers are shown: what it finds would tell. Throws RosterError `input`. */
export function refuseHiddenFields({ filter, sort }: Pick<QuerySpec, 'filter' | 'sort'>): void {
  if (![...fieldsOf(filter), ...sort.map(({ field }) => field)].some((field) => field.kind === 'boolean' && field.name === 'shadow_banned'))
    return;
  throw fieldErrors('input', [{ path: 'shadow_banned', message: 'cannot be used by a client' }]);
}

function* fieldsOf(filter: Filter): Iterable<FieldRef> {
  if (filter.kind === 'test') yield filter.field;
  else if (filter.kind === 'not') yield* fieldsOf(filter.part);
  else for (const part of filter.parts) yield* fieldsOf(part);
}

/** The order asked for, or undefined when none is. Throws RosterError `input`. */
export function parseSort(json: unknown): readonly SortSpec[] | undefined {
  if (json === undefined || json === null || (Array.isArray(json) && json.length === 0)) return undefined;
  if (!Array.isArray(json)) throw fieldErrors('input', [{ path: 'sort', message: 'must be a list' }]);
  const problems: FieldError[] = [];
  if (json.length > LIMITS.querySortFields)
    problems.push({ path: 'sort', message: `must not have more than ${LIMITS.querySortFields} fields` });
  const sort: SortSpec[] = [];
  for (const [index, item] of json.entries()) {
    const field = isObject(item) && typeof item.field === 'string' ? fieldRef(item.field) : 'needs a field';
    const direction = isObject(item) ? (item.direction ?? 1) : 1;
    if (typeof field === 'string') problems.push({ path: `sort[${index}].field`, message: field });
    else if (direction === 1 || direction === -1) sort.push({ field, direction });
    else problems.push({ path: `sort[${index}].direction`, message: 'must be 1 or -1' });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  return sort;
}

type Compare = (a: StoredUser, b: StoredUser) => number;

/**
 * Compares users in the order of `sort`. Missing values come last in both directions; values of different types are ordered
 * boolean, number, string, list, object; strings by code unit; lists are alike, and so are objects; the id decides last, so
 * that the order is total.
 */
export function compareUsers(sort: readonly SortSpec[]): Compare {
  const [first = byId, second = byId, ...rest] = sort.map(compareBy);
  // A walk over a million users compares each a few times: nearly all sorts have one field or two.
  if (rest.length === 0) return (a, b) => first(a, b) || second(a, b) || byId(a, b);
  return (a, b) => {
    let order = first(a, b) || second(a, b);
    for (let i = 0; order === 0 && i < rest.length; i++) order = rest[i]?.(a, b) ?? 0;
    return order || byId(a, b);
  };
}

const byId: Compare = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

function compareBy({ field, direction }: SortSpec): Compare {
  // Everyone has these, and nearly every query is sorted by them: read without a detour.
  if (field.kind === 'time' && field.name === 'created_at') {
    return (a, b) => (a.created_at === b.created_at ? 0 : a.created_at < b.created_at ? -direction : direction);
  }
  if (field.kind === 'string' && field.name === 'id') return direction === 1 ? byId : (a, b) => byId(b, a);
  // A list of teams is ordered by its first one.
  const read = field.kind === 'teams' ? ({ teams }: StoredUser): Json | undefined => teams[0] : reader(field);
  return (a, b) => {
    const left = read(a, false);
    const right = read(b, false);
    if (left === right) return 0;
    // Times and numbers are most of what is sorted by; two of them need no look at their types.
    if (typeof left === 'number' && typeof right === 'number') return left < right ? -direction : direction;
    if (left === undefined || left === null) return right === undefined || right === null ? 0 : 1;
    if (right === undefined || right === null) return -1;
    return compareJson(left, right) * direction;
  };
}

const RANK = { boolean: 0, number: 1, string: 2, list: 3, object: 4 };

function rankOf(value: Exclude<Json, null>): number {
  if (typeof value === 'object') return Array.isArray(value) ? RANK.list : RANK.object;
  return RANK[typeof value as 'boolean' | 'number' | 'string'];
}

function compareJson(a: Exclude<Json, null>, b: Exclude<Json, null>): number {
  const ranks = rankOf(a) - rankOf(b);
  // Never `<` on an object: it would call what custom data holds under `toString`.
  if (ranks !== 0 || typeof a === 'object' || typeof b === 'object') return ranks;
  return a < b ? -1 : a > b ? 1 : 0;
}
