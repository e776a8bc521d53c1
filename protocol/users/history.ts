/** Reads questions about the history of a user. Pure; throws RosterError `input`. */
import { fieldErrors } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { QueryFields } from '../base/reading.ts';
import type { Micros } from '../base/time.ts';

/** Items of a page that names no limit. */
const LIMIT_DEFAULT = 25;

export interface HistoryPageQuestion {
  readonly limit: number;
  /** Only changes with a smaller seq. */
  readonly before?: number;
}

/** `GET /users/:id/history?limit=&before=`. A `limit` of 0 is how Go writes "not given". */
export function decodeHistoryQuery({ limit, before }: QueryFields): HistoryPageQuestion {
  const items = limit === undefined || limit === '' || limit === '0' ? LIMIT_DEFAULT : wholeNumber(limit);
  if (items === undefined || items < 1 || items > LIMITS.queryLimitMax) {
    throw fieldErrors('input', [{ path: 'limit', message: `must be a whole number from 1 to ${LIMITS.queryLimitMax}` }]);
  }
  if (before === undefined || before === '') return { limit: items };
  const seq = wholeNumber(before);
  if (seq === undefined || seq < 1) {
    throw fieldErrors('input', [{ path: 'before', message: 'must be the seq of a change, a whole number from 1 on' }]);
  }
  return { limit: items, before: seq };
}

function wholeNumber(text: string): number | undefined {
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/** One change in the history of a user. */
export interface HistoryItem {
  readonly seq: number;
  readonly at: Micros;
  /** That of the fact; `deleted:soft`, `deleted:pruning`, `deleted:hard`; `gap` where changes are missing. */
  readonly event: string;
  readonly source?: string;
  readonly by?: string;
  readonly client?: string;
  readonly job?: string;
  readonly fields?: readonly string[];
}
