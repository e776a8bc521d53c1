/** The part of the feeds API that concerns users: activities are added, read back with the users they refer to, and removed. */
import Type from 'typebox';
import type { JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { QueryFlag, queryReader } from '../../../protocol/base/query-string.ts';
import {
  ActivitiesBody,
  type Activity,
  ActivityAnswer,
  type ActivityInput,
  decodeActivities,
  renderActivity,
} from '../../../protocol/feeds/activities.ts';
import { type FeedName, feedName } from '../../../protocol/feeds/feed-name.ts';
import { ActivitiesQuery, decodeActivityNames, decodeFeedPage, FeedQuery } from '../../../protocol/feeds/queries.ts';
import { inSlices, mapInSteps, type Walk } from '../../base/slices.ts';
import { type FeedItem, timelinePage } from '../../core/feeds/timeline-page.ts';
import { stepped } from '../answers/answer-text.ts';
import { laneOf } from '../http/acting.ts';
import type { Call, Endpoint, EndpointAnswer } from '../http/endpoint.ts';
import { lost } from '../http/outcome.ts';
import type { Services } from '../http/services.ts';
import { allow, isFeedInSight } from './access.ts';
import { ActivityIds, foreignActivityId } from './activity-ids.ts';
import { Enricher } from './enrich.ts';

const RemoveActivityQuery = Type.Object({ foreign_id: QueryFlag });
const readRemoveActivity = queryReader(RemoveActivityQuery);

export const FEEDS_ACTIVITY_ROUTES: readonly Endpoint[] = [
  {
    operation: 'FeedsAddActivities',
    method: 'POST',
    path: '/api/v1.0/feed/:slug/:id',
    dialect: 'feeds',
    access: 'user',
    summary: 'Adds one activity, or `activities`, to a feed; one with the same foreign_id and time is replaced',
    body: ActivitiesBody,
    answer: Type.Union([ActivityAnswer, Type.Object({ activities: Type.Array(ActivityAnswer) })]),
    handle: addActivities,
  },
  ...bothReadings('/feed/:slug/:id', (path, isEnriched) => ({
    operation: 'FeedsGetFeed',
    method: 'GET',
    path,
    dialect: 'feeds',
    access: 'user',
    summary: `A page of a feed, newest first${isEnriched ? ', with users in place of references to them' : ''}`,
    query: FeedQuery,
    answer: Type.Object({ results: Type.Array(ActivityAnswer), next: Type.String() }),
    handle: (call) => feedPage(call, isEnriched),
  })),
  ...bothReadings('/activities', (path, isEnriched) => ({
    operation: 'FeedsGetActivities',
    method: 'GET',
    path,
    dialect: 'feeds',
    access: 'user',
    summary: `Activities by id, or by foreign id and time${isEnriched ? ', with users in place of references to them' : ''}`,
    query: ActivitiesQuery,
    answer: Type.Object({ results: Type.Array(ActivityAnswer) }),
    handle: (call) => activitiesByName(call, isEnriched),
  })),
  {
    operation: 'FeedsRemoveActivity',
    method: 'DELETE',
    path: '/api/v1.0/feed/:slug/:id/:activity_id',
    dialect: 'feeds',
    access: 'user',
    summary: 'Removes an activity by its id, or with foreign_id=1 all with that foreign id; one that is not there is no error',
    query: RemoveActivityQuery,
    answer: Type.Object({ removed: Type.String() }),
    handle: removeActivity,
  },
];

function bothReadings(path: string, make: (path: string, isEnriched: boolean) => Endpoint): readonly Endpoint[] {
  return [make(`/api/v1.0${path}`, false), make(`/api/v1.0/enrich${path}`, true)];
}

export function feedOf({ params }: Call): FeedName {
  return feedName(params.slug ?? '', params.id ?? '');
}

const idMakers = new WeakMap<Services, ActivityIds>();

/** One per running server: its times only increase. */
function activityIds(services: Services): ActivityIds {
  const known = idMakers.get(services) ?? new ActivityIds();
  idMakers.set(services, known);
  return known;
}

async function addActivities(call: Call): Promise<EndpointAnswer> {
  const { submit, caller, services } = call;
  const feed = feedOf(call);
  allow(caller, { resource: 'feed', action: 'write', feed, owner: feed.id });
  const actor = caller.kind === 'user' ? `SU:${caller.id}` : undefined;
  const { activities: inputs, isMany } = decodeActivities(await call.body(), actor);
  const ids = activityIds(services);
  const activities = inputs.map((input) => newActivity(input, feed.text, ids, services.nowMs()));
  const outcome = await submit({ kind: 'activity-add', activities }, laneOf(caller, activities.length));
  const added = (outcome.docs ?? []).map(({ kind, doc }) => {
    if (kind === 'activity' && doc !== null) return renderActivity(doc);
    throw lost(outcome, 'an activity was not added');
  });
  return { status: 201, body: isMany ? { activities: added } : { ...added[0] }, seq: outcome.seq };
}

function newActivity({ foreignId, time: sentTime, to, data }: ActivityInput, feed: string, ids: ActivityIds, nowMs: number): Activity {
  const time = sentTime ?? ids.nextTime(nowMs);
  return {
    id: ids.make(time, foreignId),
    feeds: [...new Set([feed, ...to])],
    origin: feed,
    ...(foreignId === undefined ? undefined : { foreign_id: foreignId }),
    time,
    data,
  };
}

async function feedPage(call: Call, isEnriched: boolean): Promise<EndpointAnswer> {
  const { backend, caller, stranger, query, rateLimits } = call;
  const feed = feedOf(call);
  allow(caller, { resource: 'feed', action: 'read', feed });
  const page = decodeFeedPage(query);
  const isSeen = (name: string) => isFeedInSight(call, name);
  // One more than requested shows whether there is another page.
  const walk = timelinePage(backend.directory.docs, feed.text, { ...page, limit: page.limit + 1 }, isSeen);
  const found = isSeen(feed.text) ? await inSlices(walk, rateLimits.budgetOf(caller, stranger)) : [];
  const results = await stepped(pageOf(call, found.slice(0, page.limit), isEnriched), caller);
  const last = found.length > results.length ? found[results.length - 1]?.activity : undefined;
  const path = `/api/v1.0/${isEnriched ? 'enrich/' : ''}feed/${feed.slug}/${feed.id}/`;
  return { body: { results, next: last === undefined ? '' : `${path}?id_lt=${last.id}&limit=${page.limit}` } };
}

/** The page ends before the first activity whose objects have no room: the next one begins there. */
function* pageOf(call: Call, items: readonly FeedItem[], isEnriched: boolean): Walk<readonly JsonObject[]> {
  const enricher = isEnriched ? new Enricher(call) : undefined;
  const results: JsonObject[] = [];
  for (const { activity, from } of items) {
    const shown = renderActivity(activity, { from, replace: enricher?.replace });
    if (enricher?.isFull === true && results.length > 0) break;
    results.push(shown);
    yield;
  }
  return results;
}

async function activitiesByName(call: Call, isEnriched: boolean): Promise<EndpointAnswer> {
  const { backend, caller, query } = call;
  allow(caller, { resource: 'activities', action: 'read' });
  const names = decodeActivityNames(query);
  const ids = names.by === 'id' ? names.ids : names.pairs.map(({ foreignId, time }) => foreignActivityId(time, foreignId));
  const found = [...new Set(ids)].flatMap((id) => backend.directory.docs.get('activity', id) ?? []);
  const activities = found.filter(({ origin }) => isFeedInSight(call, origin));
  return { body: { results: await stepped(namedActivities(call, activities, isEnriched), caller) } };
}

/** All of them, as the caller named them. References that have no room stay references. */
function namedActivities(call: Call, activities: readonly Activity[], isEnriched: boolean): Walk<readonly JsonObject[]> {
  const replace = isEnriched ? new Enricher(call).replace : undefined;
  return mapInSteps(activities, (activity) => renderActivity(activity, { replace }));
}

async function removeActivity(call: Call): Promise<EndpointAnswer> {
  const { submit, caller, params, query } = call;
  const feed = feedOf(call);
  allow(caller, { resource: 'feed', action: 'delete', feed, owner: feed.id });
  const removed = params.activity_id ?? '';
  if (readRemoveActivity(query).foreign_id !== true) {
    const { seq } = await submit({ kind: 'activity-remove', feed: feed.text, by: { id: removed.toLowerCase() } }, 'live');
    return { body: { removed }, seq };
  }
  for (;;) {
    const { docs = [], seq } = await submit({ kind: 'activity-remove', feed: feed.text, by: { foreignId: removed } }, 'live');
    if (docs.length < LIMITS.activitiesPerRequest) return { body: { removed }, seq };
  }
}
