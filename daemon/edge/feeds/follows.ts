/** Follows between feeds: a feed shows the activities of the feeds that it follows, and they are counted. */
import Type from 'typebox';
import { decodeFollow, decodeUnfollow, FollowBody, UnfollowQuery } from '../../../protocol/feeds/follows.ts';
import type { Call, Endpoint, EndpointAnswer } from '../http/endpoint.ts';
import { allow } from './access.ts';
import { feedOf } from './activities.ts';

/** Published clients use two names for the same endpoints. */
export const FEEDS_FOLLOW_ROUTES: readonly Endpoint[] = ['follows', 'following'].flatMap((name): Endpoint[] => [
  {
    operation: 'FeedsFollow',
    method: 'POST',
    path: `/api/v1.0/feed/:slug/:id/${name}`,
    dialect: 'feeds',
    access: 'user',
    summary: 'Makes a feed follow another, whose activities it then shows; one that follows it already still does',
    body: FollowBody,
    answer: Type.Object({}),
    handle: follow,
  },
  {
    operation: 'FeedsUnfollow',
    method: 'DELETE',
    path: `/api/v1.0/feed/:slug/:id/${name}/:target`,
    dialect: 'feeds',
    access: 'user',
    summary: 'Ends that; with keep_history, the feed keeps showing what it has. Where there is nothing to end, it is no error',
    query: UnfollowQuery,
    answer: Type.Object({}),
    handle: unfollow,
  },
]);

async function follow(call: Call): Promise<EndpointAnswer> {
  const source = feedOf(call);
  allow(call.caller, { resource: 'follower', action: 'write', feed: source, owner: source.id });
  const { target, copies } = decodeFollow(source.text, await call.body());
  await call.current();
  const [first] = call.backend.directory.docs.newest('activity', target, { offset: copies, limit: 1 });
  const since = first === undefined ? undefined : { since: { time: first.time, id: first.id } };
  const { seq } = await call.submit({ kind: 'follow', source: source.text, target, ...since }, 'live');
  return { status: 201, body: {}, seq };
}

async function unfollow(call: Call): Promise<EndpointAnswer> {
  const source = feedOf(call);
  allow(call.caller, { resource: 'follower', action: 'delete', feed: source, owner: source.id });
  const { seq } = await call.submit(decodeUnfollow(source.text, call.params.target ?? '', call.query), 'live');
  return { body: {}, seq };
}
