/** Reads requests for activities. Pure; throws RosterError `input`. */
import Type from 'typebox';
import { fieldErrors } from '../base/errors.ts';
import { says } from '../base/explain.ts';
import { itemPath } from '../base/field-path.ts';
import { LIMITS } from '../base/limits.ts';
import { queryReader } from '../base/query-string.ts';
import type { QueryFields } from '../base/reading.ts';
import type { Micros } from '../base/time.ts';
import { parseFeedsTime } from './activities.ts';
import { timeOfUuid } from './time-uuid.ts';

const Id = Type.Optional(
  Type.Refine(
    Type.String({ format: 'uuid', ...says('must be the id of an activity') }),
    (id) => timeOfUuid(id.toLowerCase()) !== undefined,
  ),
);

export const FeedQuery = Type.Object({
  limit: count(LIMITS.activityPageMax, LIMITS.activityPageDefault),
  offset: count(Number.MAX_SAFE_INTEGER, 0),
  id_lt: Id,
  id_lte: Id,
  id_gt: Id,
  id_gte: Id,
});

const readFeed = queryReader(FeedQuery);

function count(maximum: number, byDefault: number) {
  const text = `must be an integer from 0 to ${maximum}`;
  return Type.Optional(Type.Integer({ minimum: 0, maximum, default: byDefault, ...says(text) }));
}

export const ActivitiesQuery = Type.Object({
  ids: Type.Optional(Type.String({ description: 'up to 100 ids with commas between them' })),
  foreign_ids: Type.Optional(Type.String({ description: 'up to 100, with commas between them; each has one of `timestamps`' })),
  timestamps: Type.Optional(Type.String()),
});

const readActivities = queryReader(ActivitiesQuery);

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

/** A part of a feed, newest first. All bounds apply together. */
export function decodeFeedPage(query: QueryFields): FeedPage {
  const { id_gt, id_gte, id_lt, id_lte, offset = 0, limit } = readFeed(query);
  return {
    after: [...bound(id_gt, false), ...bound(id_gte, true)],
    before: [...bound(id_lt, false), ...bound(id_lte, true)],
    offset,
    // Go writes 0 for an absent value.
    limit: limit || LIMITS.activityPageDefault,
  };
}

/** A bound need not be in the feed: its id determines its place. */
function bound(id: string | undefined, inclusive: boolean): PlaceBound[] {
  const lower = id?.toLowerCase();
  const time = lower === undefined ? undefined : timeOfUuid(lower);
  return lower === undefined || time === undefined ? [] : [{ time, id: lower, inclusive }];
}

/** Activities by id, or by pairs of foreign id and time. */
export type ActivityNames =
  | { readonly by: 'id'; readonly ids: readonly string[] }
  | { readonly by: 'foreign id'; readonly pairs: readonly { readonly foreignId: string; readonly time: Micros }[] };

export function decodeActivityNames(query: QueryFields): ActivityNames {
  const { ids, foreign_ids, timestamps } = readActivities(query);
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
