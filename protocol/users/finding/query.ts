/** A whole user query: filter, order, page (protocol/README.md, FL and QY). Pure. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors, RosterError } from '../../base/errors.ts';
import { explain, says } from '../../base/explain.ts';
import { isObject, type Json } from '../../base/json.ts';
import { LIMITS } from '../../base/limits.ts';
import { isEmptyList } from '../../base/reading.ts';
import { AnyObject } from '../../base/schemas.ts';
import type { StoredUser } from '../user.ts';
import { type FieldReaders, USER_FIELDS } from './field-readers.ts';
import { type FieldRef, fieldRef, type ParsedFilter, parseFilter } from './filter.ts';
import { EQUAL_CHARS_PER_UNIT, equalUnits, WorkMeter } from './filter-cost.ts';

export interface SortSpec {
  readonly field: FieldRef;
  readonly direction: 1 | -1;
}

export interface QuerySpec {
  readonly filter: ParsedFilter;
  readonly sort: readonly SortSpec[];
  readonly limit: number;
  readonly offset: number;
  readonly range: { readonly gt?: string; readonly gte?: string; readonly lt?: string; readonly lte?: string };
  readonly includeDeactivated: boolean;
  /** Also users that were deleted, but not hard. For servers. */
  readonly includeDeleted: boolean;
  readonly presence: boolean;
  /** The user for whom a server asks. */
  readonly userId?: string;
}

const ALL: ParsedFilter = { kind: 'and', parts: [] };
const ID: FieldRef = { kind: 'string', name: 'id' };
const DEFAULT_SORT: readonly SortSpec[] = [
  { field: { kind: 'time', name: 'created_at' }, direction: -1 },
  { field: ID, direction: -1 },
];

const SortField = Type.Object({
  field: Type.String(says('needs a field')),
  direction: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(-1)], says('must be 1 or -1'))),
  type: Type.Optional(Type.Unknown({ description: 'ignored: every value sorts by its own type' })),
});
const Sort = Type.Array(SortField, {
  maxItems: LIMITS.querySortFields,
  ...says({ type: 'must be a list', maxItems: `must not have more than ${LIMITS.querySortFields} fields` }),
});

const Text = Type.Optional(Type.String(says('must be a string')));
const Flag = Type.Optional(Type.Boolean(says('must be a boolean')));

function count(maximum: number) {
  return Type.Optional(Type.Integer({ minimum: 0, maximum, ...says(`must be a whole number from 0 to ${maximum}`) }));
}

/** The `payload` of QueryUsers. Go writes a limit of 0 for "not given". */
export const QueryPayload = Type.Object({
  filter_conditions: Type.Optional(AnyObject),
  sort: Type.Optional(Sort),
  limit: count(LIMITS.queryLimitMax),
  offset: count(LIMITS.queryOffsetMax),
  id_gt: Text,
  id_gte: Text,
  id_lt: Text,
  id_lte: Text,
  presence: Flag,
  include_deactivated_users: Flag,
  include_deleted_users: Flag,
  user_id: Text,
});
const payloadCheck = Compile(QueryPayload);
const sortCheck = Compile(Sort);
const sortFieldCheck = Compile(SortField);

/** Reads the payload of QueryUsers. Throws RosterError `input` that names every wrong field; ignores unknown keys. */
export function parseQuery(json: unknown): QuerySpec {
  if (!isObject(json)) throw fieldErrors('input', [{ path: 'payload', message: 'must be an object' }]);
  // Filter and sort are languages of their own, with their own parsers and errors.
  const { filter_conditions, sort: order, ...rest } = json;
  const problems: FieldError[] = [];
  const filter = collect(problems, () => parseFilter(filter_conditions)) ?? ALL;
  const sort = collect(problems, () => parseSort(order));
  const sent = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  if (!payloadCheck.Check(sent)) throw fieldErrors('input', [...problems, ...explain(payloadCheck, sent, '')]);
  if (problems.length > 0) throw fieldErrors('input', problems);
  const { limit, offset = 0, presence = false, user_id: userId } = sent;
  const { include_deactivated_users: includeDeactivated = false, include_deleted_users: includeDeleted = false } = sent;
  const range = rangeOf(sent);
  const fallback: readonly SortSpec[] = Object.keys(range).length > 0 ? [{ field: ID, direction: -1 }] : DEFAULT_SORT;
  return {
    filter,
    sort: sort ?? fallback,
    limit: limit || LIMITS.queryLimitDefault,
    offset,
    range,
    includeDeactivated,
    includeDeleted,
    presence,
    ...(userId ? { userId } : undefined),
  };
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

/** An empty id counts as absent. */
function rangeOf({ id_gt: gt, id_gte: gte, id_lt: lt, id_lte: lte }: Static<typeof QueryPayload>): QuerySpec['range'] {
  return {
    ...(gt ? { gt } : undefined),
    ...(gte ? { gte } : undefined),
    ...(lt ? { lt } : undefined),
    ...(lte ? { lte } : undefined),
  };
}

/** Refuses a client's query on users or fields that only servers see, since its result would reveal them. Throws RosterError `input`. */
export function refuseHiddenFields({ filter, sort, includeDeleted }: Pick<QuerySpec, 'filter' | 'sort' | 'includeDeleted'>): void {
  if (includeDeleted) throw fieldErrors('input', [{ path: 'include_deleted_users', message: 'cannot be used by a client' }]);
  if (![...fieldsOf(filter), ...sort.map(({ field }) => field)].some((field) => field.kind === 'boolean' && field.name === 'shadow_banned'))
    return;
  throw fieldErrors('input', [{ path: 'shadow_banned', message: 'cannot be used by a client' }]);
}

function* fieldsOf(filter: ParsedFilter): Iterable<FieldRef> {
  if (filter.kind === 'test') yield filter.field;
  else if (filter.kind === 'not') yield* fieldsOf(filter.part);
  else for (const part of filter.parts) yield* fieldsOf(part);
}

/** The requested order, or undefined when there is none. Throws RosterError `input`. */
export function parseSort(json: unknown): readonly SortSpec[] | undefined {
  if (json === undefined || json === null || isEmptyList(json)) return undefined;
  const sent = Array.isArray(json) ? json.map(withoutNull) : json;
  const problems = explain(sortCheck, sent, 'sort');
  const sort: SortSpec[] = [];
  for (const [index, item] of (Array.isArray(sent) ? sent : []).entries()) {
    if (!sortFieldCheck.Check(item)) continue;
    const { field: name, direction = 1 } = item;
    const field = fieldRef(name);
    if (typeof field === 'string') problems.push({ path: `sort[${index}].field`, message: field });
    else sort.push({ field, direction });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  return sort;
}

/** A direction of null counts as absent. */
function withoutNull(item: unknown): unknown {
  if (!isObject(item) || item.direction !== null) return item;
  const { direction: _, ...rest } = item;
  return rest;
}

type Compare<User> = (a: User, b: User) => number;

/**
 * Compares users in the order of `sort`. Missing values come last in both directions. Values of different types have the order
 * boolean, number, string, list, object; strings compare by code unit; all lists are equal, and so are all objects. The id
 * decides last, so that the order is total. What comparing long texts costs is added to `work`.
 */
export function compareUsers(sort: readonly SortSpec[], work = new WorkMeter()): Compare<StoredUser> {
  return compareUsersOf(USER_FIELDS, sort, work);
}

/** `compareUsers` for users of another form, which have these two fields. */
export function compareUsersOf<User extends Pick<StoredUser, 'id' | 'created_at'>>(
  fields: FieldReaders<User>,
  sort: readonly SortSpec[],
  work: WorkMeter,
): Compare<User> {
  const [first = byId, second = byId, ...rest] = sort.map((spec) => compareBy(fields, spec, work));
  // A walk over a million users compares each several times, and nearly all sorts have one or two fields.
  if (rest.length === 0) return (a, b) => first(a, b) || second(a, b) || byId(a, b);
  return (a, b) => {
    let order = first(a, b) || second(a, b);
    for (let i = 0; order === 0 && i < rest.length; i++) order = rest[i]?.(a, b) ?? 0;
    return order || byId(a, b);
  };
}

const byId: Compare<Pick<StoredUser, 'id'>> = (a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);

function compareBy<User extends Pick<StoredUser, 'id' | 'created_at'>>(
  fields: FieldReaders<User>,
  { field, direction }: SortSpec,
  work: WorkMeter,
): Compare<User> {
  // Every user has these fields, and nearly every query sorts by them, so they are read directly.
  if (field.kind === 'time' && field.name === 'created_at') {
    return (a, b) => (a.created_at === b.created_at ? 0 : a.created_at < b.created_at ? -direction : direction);
  }
  if (field.kind === 'string' && field.name === 'id') return direction === 1 ? byId : (a, b) => byId(b, a);
  // A list of teams sorts by its first team.
  const read = field.kind === 'teams' ? (user: User): Json | undefined => fields.teams(user)[0] : fields.value(field);
  return (a, b) => {
    const left = read(a, false);
    const right = read(b, false);
    // Most sorted values are times, numbers and texts, which need no comparison of types.
    if (typeof left === 'number' && typeof right === 'number') return left < right ? -direction : left > right ? direction : 0;
    if (typeof left === 'string' && typeof right === 'string') {
      if (left.length >= EQUAL_CHARS_PER_UNIT && right.length >= EQUAL_CHARS_PER_UNIT)
        work.units += equalUnits(Math.min(left.length, right.length));
      return left === right ? 0 : left < right ? -direction : direction;
    }
    if (left === right) return 0;
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
  // Never `<` on an object: it would call a `toString` that custom data holds.
  if (ranks !== 0 || typeof a === 'object' || typeof b === 'object') return ranks;
  return a < b ? -1 : a > b ? 1 : 0;
}
