/** Lists of bans: filter, order and page (MD11, MD12). Pure; throws RosterError `input`. */

import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { explain } from '../base/explain.ts';
import { isObject, type JsonObject } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, isEmptyList, isJsonObject, presentFields } from '../base/reading.ts';
import { type Micros, parseTime } from '../base/time.ts';
import type { Ban } from '../users/user.ts';
import { byOf, idsOf, NamedUser, refuse } from './reading.ts';

const Page = {
  exclude_expired_bans: Type.Optional(Type.Boolean()),
  limit: Type.Optional(Type.Integer({ minimum: 0, maximum: LIMITS.queryLimitMax })),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: LIMITS.queryOffsetMax })),
  user_id: Type.Optional(Type.String()),
  user: Type.Optional(NamedUser),
} as const;

const SortItem = Type.Object({ field: Type.String(), direction: Type.Optional(Type.Union([Type.Literal(1), Type.Literal(-1)])) });

/** `filter_conditions` has a parser of its own, for better errors. */
export const BannedPayload = Type.Object({
  ...Page,
  filter_conditions: Type.Optional(Type.Unknown()),
  sort: Type.Optional(Type.Array(SortItem, { maxItems: LIMITS.querySortFields })),
});

export const FuturePayload = Type.Object({
  ...Page,
  target_user_id: Type.Optional(Type.String()),
  include_total: Type.Optional(Type.Boolean()),
});

const bannedCheck = Compile(BannedPayload);
const futureCheck = Compile(FuturePayload);

const FIELDS = ['user_id', 'channel_cid', 'banned_by_id', 'reason', 'created_at'] as const;
export type BanField = (typeof FIELDS)[number];
type BanValue = string | number;
type BanOperator = '$eq' | '$in' | '$gt' | '$gte' | '$lt' | '$lte';

/** null stands for an absent value: no channel, no reason, or no user named. */
export interface BanTest {
  readonly field: BanField;
  readonly op: BanOperator;
  readonly values: readonly (BanValue | null)[];
}

export interface BanSort {
  readonly field: BanField;
  readonly direction: 1 | -1;
}

export interface BanQuery {
  /** Bans of the application and of channels, or bans from future channels. */
  readonly kind: 'current' | 'future';
  /** All of them must match. */
  readonly tests: readonly BanTest[];
  readonly sort: readonly BanSort[];
  readonly limit: number;
  readonly offset: number;
  /** Leaves out bans that have expired but were not removed yet. */
  readonly excludeExpired: boolean;
}

const NEWEST_FIRST: readonly BanSort[] = [{ field: 'created_at', direction: -1 }];

/** The payload of `query_banned_users`. Ignores unknown keys of the payload, and refuses unknown fields of the filter. */
export function parseBanQuery(payload: unknown): BanQuery {
  const sent = bodyObject(payload, 'payload');
  const problems: FieldError[] = [];
  const tests = testsOf(sent.filter_conditions, problems);
  const fields: unknown = presentFields(sent);
  if (!bannedCheck.Check(fields)) throw fieldErrors('input', [...problems, ...explain(bannedCheck, fields, '')]);
  const { sort = [], limit, offset, exclude_expired_bans } = fields;
  const order: BanSort[] = [];
  for (const [index, { field, direction = 1 }] of sort.entries()) {
    if (isBanField(field)) order.push({ field, direction });
    else problems.push({ path: `sort[${index}].field`, message: FIELDS_TEXT });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  return {
    kind: 'current',
    tests,
    sort: order.length === 0 ? NEWEST_FIRST : order,
    limit: limit || LIMITS.queryLimitDefault,
    offset: offset ?? 0,
    excludeExpired: exclude_expired_bans ?? false,
  };
}

export interface FutureBanRequest {
  /** The user that made the bans, as the payload names it. */
  readonly by?: string;
  readonly includeTotal: boolean;
  /** The query, without regard to the user that made the bans. */
  readonly query: BanQuery;
}

/** The payload of `query_future_channel_bans`. */
export function parseFutureBans(payload: unknown): FutureBanRequest {
  const sent = checked(futureCheck, presentFields(bodyObject(payload, 'payload')));
  refuse(idsOf(sent));
  const target = sent.target_user_id;
  return {
    ...byOf(sent),
    includeTotal: sent.include_total ?? false,
    query: {
      kind: 'future',
      tests: target === undefined ? [] : [{ field: 'user_id', op: '$eq', values: [target] }],
      sort: NEWEST_FIRST,
      limit: sent.limit || LIMITS.queryLimitDefault,
      offset: sent.offset ?? 0,
      excludeExpired: sent.exclude_expired_bans ?? false,
    },
  };
}

const FIELDS_TEXT = `must be one of ${FIELDS.join(', ')}`;

function isBanField(name: string): name is BanField {
  return FIELDS.some((field) => field === name);
}

function testsOf(conditions: unknown, problems: FieldError[]): BanTest[] {
  const at = 'filter_conditions';
  if (conditions === undefined || conditions === null || isEmptyList(conditions)) return [];
  if (!isJsonObject(conditions)) {
    problems.push({ path: at, message: 'must be an object' });
    return [];
  }
  const tests: BanTest[] = [];
  for (const [name, condition] of Object.entries(conditions)) {
    if (!isBanField(name)) problems.push({ path: `${at}.${name}`, message: `cannot be used here; a field ${FIELDS_TEXT}` });
    else if (isObject(condition)) tests.push(...operatorsOf(name, condition, `${at}.${name}`, problems));
    else tests.push({ field: name, op: '$eq', values: [operandOf(name, condition, `${at}.${name}`, problems)] });
  }
  return tests;
}

function operatorsOf(field: BanField, operators: JsonObject, at: string, problems: FieldError[]): BanTest[] {
  const tests: BanTest[] = [];
  for (const [op, operand] of Object.entries(operators)) {
    const where = `${at}.${op}`;
    switch (op) {
      case '$in':
        if (!Array.isArray(operand)) problems.push({ path: where, message: 'expects a list' });
        else if (operand.length > LIMITS.queryInValues) {
          problems.push({ path: where, message: `holds more than ${LIMITS.queryInValues} values` });
        } else tests.push({ field, op, values: operand.map((item, index) => operandOf(field, item, `${where}[${index}]`, problems)) });
        break;
      case '$gt':
      case '$gte':
      case '$lt':
      case '$lte':
        if (operand === null) problems.push({ path: where, message: 'expects a value to compare with' });
        else tests.push({ field, op, values: [operandOf(field, operand, where, problems)] });
        break;
      case '$eq':
        tests.push({ field, op, values: [operandOf(field, operand, where, problems)] });
        break;
      default:
        problems.push({ path: where, message: `unknown operator ${op}` });
    }
  }
  if (Object.keys(operators).length === 0) problems.push({ path: at, message: 'expects a value or an operator' });
  return tests;
}

function operandOf(field: BanField, value: unknown, at: string, problems: FieldError[]): BanValue | null {
  if (value === null && field !== 'user_id' && field !== 'created_at') return null;
  if (field === 'created_at') {
    const time = parseTime(value);
    if (time === undefined) problems.push({ path: at, message: 'expects an RFC 3339 time' });
    return time ?? 0;
  }
  if (typeof value === 'string') return value;
  problems.push({ path: at, message: 'expects type string' });
  return '';
}

/** A ban with the user that is banned. */
export interface FoundBan {
  readonly userId: string;
  readonly ban: Ban;
}

export function readBan(field: BanField, { userId, ban }: FoundBan): BanValue | null {
  switch (field) {
    case 'user_id':
      return userId;
    case 'channel_cid':
      return ban.cid ?? null;
    case 'banned_by_id':
      return ban.by ?? null;
    case 'reason':
      return ban.reason ?? null;
    case 'created_at':
      return ban.created_at;
  }
}

/** Whether the query matches the ban at this time. */
export function matchesBan({ kind, tests, excludeExpired }: BanQuery, found: FoundBan, now: Micros): boolean {
  const { future, expires } = found.ban;
  if ((future === true) !== (kind === 'future')) return false;
  if (excludeExpired && expires !== undefined && expires <= now) return false;
  return tests.every((test) => holds(test, readBan(test.field, found)));
}

function holds({ op, values }: BanTest, value: BanValue | null): boolean {
  if (op === '$eq' || op === '$in') return values.includes(value);
  const [bound = null] = values;
  if (value === null || bound === null) return false;
  switch (op) {
    case '$gt':
      return value > bound;
    case '$gte':
      return value >= bound;
    case '$lt':
      return value < bound;
    case '$lte':
      return value <= bound;
  }
}

/** A total order: absent values come last, and equal ones are ordered by user and then by channel. */
export function compareBans(sort: readonly BanSort[]): (a: FoundBan, b: FoundBan) => number {
  const keys: readonly BanSort[] = [...sort, { field: 'user_id', direction: 1 }, { field: 'channel_cid', direction: 1 }];
  return (a, b) => {
    for (const { field, direction } of keys) {
      const left = readBan(field, a);
      const right = readBan(field, b);
      if (left === right) continue;
      if (left === null) return 1;
      if (right === null) return -1;
      return (left < right ? -1 : 1) * direction;
    }
    return (a.ban.by ?? '') < (b.ban.by ?? '') ? -1 : (a.ban.by ?? '') > (b.ban.by ?? '') ? 1 : 0;
  };
}
