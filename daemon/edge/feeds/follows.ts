/** Follows between feeds. They are counted and have no other effect: activities are not copied to the feeds of followers. */
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { fieldErrors } from '../../../protocol/base/errors.ts';
import { bodyObject, checked } from '../../../protocol/base/reading.ts';
import { parseFeedName } from '../../../protocol/feeds/feed-name.ts';
import type { Call, Endpoint, EndpointAnswer } from '../http/endpoint.ts';
import { allow } from './access.ts';
import { feedOf } from './activities.ts';

/** Clients send further fields about what to copy; nothing is copied. */
const FollowBody = Type.Object({ target: Type.String() });
const bodyCheck = Compile(FollowBody);

/** Published clients use two names for the same endpoints. */
export const FEEDS_FOLLOW_ROUTES: readonly Endpoint[] = ['follows', 'following'].flatMap((name): Endpoint[] => [
  {
    operation: 'FeedsFollow',
    method: 'POST',
    path: `/api/v1.0/feed/:slug/:id/${name}`,
    dialect: 'feeds',
    access: 'user',
    summary: 'Makes a feed follow another; one that follows it already still does',
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
    summary: 'Ends that; where there is nothing to end, it is no error',
    answer: Type.Object({}),
    handle: unfollow,
  },
]);

async function follow(call: Call): Promise<EndpointAnswer> {
  const source = feedOf(call);
  allow(call.caller, { resource: 'follower', action: 'write', feed: source, owner: source.id });
  const target = parseFeedName(checked(bodyCheck, bodyObject(await call.body())).target, 'target');
  if (target.text === source.text) throw fieldErrors('input', [{ path: 'target', message: 'a feed cannot follow itself' }]);
  const { seq } = await call.submit({ kind: 'follow', source: source.text, target: target.text }, 'live');
  return { status: 201, body: {}, seq };
}

async function unfollow(call: Call): Promise<EndpointAnswer> {
  const source = feedOf(call);
  allow(call.caller, { resource: 'follower', action: 'delete', feed: source, owner: source.id });
  const target = parseFeedName(call.params.target ?? '', 'target');
  const { seq } = await call.submit({ kind: 'unfollow', source: source.text, target: target.text }, 'live');
  return { body: {}, seq };
}
