/** Reads queries for the history of a user. Pure; throws RosterError `input`. */
import Type from 'typebox';
import { says } from '../base/explain.ts';
import { LIMITS } from '../base/limits.ts';
import { queryReader } from '../base/query-string.ts';
import type { QueryFields } from '../base/reading.ts';
import type { Micros } from '../base/time.ts';

/** The number of items on a page when the request names no limit. */
const LIMIT_DEFAULT = 25;

export interface HistoryPageQuestion {
  readonly limit: number;
  /** Only changes with a smaller seq. */
  readonly before?: number;
}

export const HistoryQuery = Type.Object({
  limit: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: LIMITS.queryLimitMax,
      description: `1 to ${LIMITS.queryLimitMax}; default: ${LIMIT_DEFAULT}`,
      ...says(`must be a whole number from 1 to ${LIMITS.queryLimitMax}`),
    }),
  ),
  before: Type.Optional(
    Type.Integer({
      minimum: 1,
      description: 'only changes with a smaller seq: `next` of the page before',
      ...says('must be the seq of a change, a whole number from 1 on'),
    }),
  ),
});
const readHistory = queryReader(HistoryQuery);

/** `GET /users/:id/history?limit=&before=`. Go writes a `limit` of 0 for "not given". */
export function decodeHistoryQuery(query: QueryFields): HistoryPageQuestion {
  const { limit, before } = readHistory(query);
  return { limit: limit || LIMIT_DEFAULT, ...(before === undefined ? undefined : { before }) };
}

/** One change in the history of a user. */
export interface HistoryItem {
  readonly seq: number;
  readonly at: Micros;
  /** The event of the fact; `deleted:soft`, `deleted:pruning`, `deleted:hard`; `gap` where changes are missing. */
  readonly event: string;
  readonly source?: string;
  readonly by?: string;
  readonly client?: string;
  readonly job?: string;
  readonly fields?: readonly string[];
}
