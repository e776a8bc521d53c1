/** Reads which activities a request asks for. Pure; throws RosterError `input`. */
import Type from 'typebox';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { itemPath } from '../base/explain.ts';
import { LIMITS } from '../base/limits.ts';
import type { QueryFields } from '../base/reading.ts';
import type { Micros } from '../base/time.ts';
import { parseFeedsTime } from './activities.ts';
import { timeOfUuid } from './time-uuid.ts';

const Id = Type.Optional(Type.String({ format: 'uuid' }));

export const FeedQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.activityPageMax, default: LIMITS.activityPageDefault })),
  offset: Type.Optional(Type.Integer({ minimum: 0, default: 0 })),
  id_lt: Id,
  id_lte: Id,
  id_gt: Id,
  id_gte: Id,
});

export const ActivitiesQuery = Type.Object({
  ids: Type.Optional(Type.String({ description: 'up to 100 ids with commas between them' })),
  foreign_ids: Type.Optional(Type.String({ description: 'up to 100, with commas between them; each has one of `timestamps`' })),
  timestamps: Type.Optional(Type.String()),
});

interface PlaceBound {
  readonly time: Micros;
  readonly id: string;
  readonly inclusive: boolean;
}

export interface FeedPage {
  readonly after: readonly PlaceBound[];
  readonly before: readonly PlaceBound[];
  readonly offset: number;
  readonly limit: number;
}

/** Which part of a feed, newest first. All bounds hold together. */
export function decodeFeedPage(query: QueryFields): FeedPage {
  const problems: FieldError[] = [];
  const page = {
    after: [...bound(query, 'id_gt', false, problems), ...bound(query, 'id_gte', true, problems)],
    before: [...bound(query, 'id_lt', false, problems), ...bound(query, 'id_lte', true, problems)],
    offset: count(query, 'offset', 0, Number.MAX_SAFE_INTEGER, problems),
    // Go writes 0 for what is not there.
    limit: count(query, 'limit', 0, LIMITS.activityPageMax, problems) || LIMITS.activityPageDefault,
  };
  if (problems.length > 0) throw fieldErrors('input', problems);
  return page;
}

/** A bound need not be in the feed: its place is known from its id. */
function bound(query: QueryFields, name: string, inclusive: boolean, problems: FieldError[]): PlaceBound[] {
  const id = query[name]?.toLowerCase() ?? '';
  if (id === '') return [];
  const time = timeOfUuid(id);
  if (time !== undefined) return [{ time, id, inclusive }];
  problems.push({ path: name, message: 'must be the id of an activity' });
  return [];
}

function count(query: QueryFields, name: string, least: number, most: number, problems: FieldError[]): number {
  const text = query[name] ?? '';
  if (text === '') return least;
  const value = /^\d+$/.test(text) ? Number(text) : -1;
  if (value < least || value > most) problems.push({ path: name, message: `must be an integer from ${least} to ${most}` });
  return value;
}

/** Activities by id, or by pairs of foreign id and time. */
export type ActivityNames =
  | { readonly by: 'id'; readonly ids: readonly string[] }
  | { readonly by: 'foreign id'; readonly pairs: readonly { readonly foreignId: string; readonly time: Micros }[] };

export function decodeActivityNames({ ids, foreign_ids, timestamps }: QueryFields): ActivityNames {
  if (ids) return { by: 'id', ids: listOf(ids, 'ids').map((id) => id.toLowerCase()) };
  if (!foreign_ids) throw fieldErrors('input', [{ path: 'ids', message: 'is required, or foreign_ids with timestamps' }]);
  const foreignIds = listOf(foreign_ids, 'foreign_ids');
  const times = listOf(timestamps ?? '', 'timestamps');
  if (times.length !== foreignIds.length) {
    const message = `must hold one for each of the ${foreignIds.length} foreign_ids, got ${times.length}`;
    throw fieldErrors('input', [{ path: 'timestamps', message }]);
  }
  const pairs = foreignIds.map((foreignId, index) => ({ foreignId, time: timeAt(times, index) }));
  return { by: 'foreign id', pairs };
}

function timeAt(times: readonly string[], index: number): Micros {
  const time = parseFeedsTime(times[index]);
  if (time === undefined) throw fieldErrors('input', [{ path: itemPath('timestamps', index), message: 'must be a time since 1970' }]);
  return time;
}

function listOf(text: string, path: string): string[] {
  const items = text.split(',');
  if (items.length <= LIMITS.activitiesPerRequest) return items;
  throw fieldErrors('input', [{ path, message: `must not hold more than ${LIMITS.activitiesPerRequest}, got ${items.length}` }]);
}
