/** Users of the feeds dialect, one and many: the same records as in the chat dialects, with other rules for their ids. */

import Type from 'typebox';
import { isMultiTenant } from '../../../protocol/access/tenancy.ts';
import { QueryFlag, queryReader } from '../../../protocol/base/query-string.ts';
import { feedOwner } from '../../../protocol/feeds/feed-name.ts';
import type { Follow } from '../../../protocol/feeds/follows.ts';
import {
  decodeFeedsUser,
  decodeFeedsUserData,
  decodeFeedsUsers,
  decodeIds,
  FeedsIdsQuery,
  FeedsProfileAnswer,
  FeedsUserAnswer,
  FeedsUserBody,
  FeedsUserDataBody,
  FeedsUserIn,
  FeedsUsersBody,
  feedsId,
  renderFeedsUser,
} from '../../../protocol/feeds/users.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { followKeys } from '../../../protocol/log/documents.ts';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import type { UpsertCommand } from '../../../protocol/users/upsert.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { inSlices } from '../../base/slices.ts';
import { unknownUser } from '../../core/problems.ts';
import { actorOf, laneOf, userInSight } from '../http/acting.ts';
import type { Call, Endpoint, EndpointAnswer } from '../http/endpoint.ts';
import { onlyUser, refuseGone } from '../http/outcome.ts';
import { allow } from './access.ts';

const CreateUserQuery = Type.Object({ get_or_create: QueryFlag });
const GetUserQuery = Type.Object({ with_follow_counts: QueryFlag });
const readCreateUser = queryReader(CreateUserQuery);
const readGetUser = queryReader(GetUserQuery);

/** Follows looked at between two checks of the clock. */
const STEP_FOLLOWS = 256;

export const FEEDS_USERS_ROUTES: readonly Endpoint[] = [
  {
    operation: 'FeedsCreateUser',
    method: 'POST',
    path: '/api/v1.0/user',
    dialect: 'feeds',
    access: 'user',
    summary: 'Creates a user, also under the id of a deleted one; with get_or_create, one that exists is answered as it is',
    query: CreateUserQuery,
    body: FeedsUserBody,
    answer: FeedsUserAnswer,
    handle: async (call) => {
      const input = decodeFeedsUser(await call.body());
      allow(call.caller, { resource: 'users', action: 'write', owner: input.id });
      const existing = readCreateUser(call.query).get_or_create === true ? 'keep' : 'refuse';
      return oneUser(await upsert(call, { users: [input], existing, reuseDeleted: mayReuse(call) }));
    },
  },
  {
    operation: 'FeedsGetUser',
    method: 'GET',
    path: '/api/v1.0/user/:id',
    dialect: 'feeds',
    access: 'user',
    summary: 'A user, on request with the numbers of its followers and of the feeds that it follows',
    query: GetUserQuery,
    answer: FeedsProfileAnswer,
    handle: async (call) => {
      allow(call.caller, { resource: 'users', action: 'read' });
      const { with_follow_counts: isCounted = false } = readGetUser(call.query);
      const user = existing(call, feedsId(call.id, 'id'));
      const counts = isCounted ? await followCounts(call, user.id) : undefined;
      return { body: { ...renderFeedsUser(user), ...counts } };
    },
  },
  {
    operation: 'FeedsUpdateUser',
    method: 'PUT',
    path: '/api/v1.0/user/:id',
    dialect: 'feeds',
    access: 'user',
    summary: 'Replaces the data of a user that exists',
    body: FeedsUserDataBody,
    answer: FeedsUserAnswer,
    handle: async (call) => {
      allow(call.caller, { resource: 'users', action: 'write', owner: feedsId(call.id, 'id') });
      const input = decodeFeedsUserData(call.id, await call.body());
      return oneUser(await upsert(call, { users: [input], existing: 'replace', missing: 'refuse' }));
    },
  },
  {
    operation: 'FeedsDeleteUser',
    method: 'DELETE',
    path: '/api/v1.0/user/:id',
    dialect: 'feeds',
    access: 'user',
    summary: 'Deletes a user for good; references to it read as missing',
    answer: Type.Object({}),
    handle: async (call) => {
      allow(call.caller, { resource: 'users', action: 'delete', owner: feedsId(call.id, 'id') });
      await call.current();
      if (!call.isRepeat() && call.backend.directory.record(call.id) !== undefined) existing(call, call.id);
      const { seq } = await call.submit({ kind: 'delete', ids: [call.id], mode: 'hard', options: HARD_OPTIONS }, 'live');
      return { body: {}, seq };
    },
  },
  {
    operation: 'FeedsCreateUsers',
    method: 'POST',
    path: '/api/v1.0/users',
    dialect: 'feeds',
    access: 'server',
    summary: 'Creates many users; those that exist stay as they are, or are replaced with override',
    body: FeedsUsersBody,
    answer: Type.Object({ created_users: Type.Array(FeedsUserIn) }),
    handle: async (call) => {
      allow(call.caller, { resource: 'users', action: 'write' });
      const { users, override } = decodeFeedsUsers(await call.body());
      const outcome = await upsert(call, { users, existing: override ? 'replace' : 'keep', reuseDeleted: true });
      refuseGone(outcome);
      return { status: 201, body: { created_users: outcome.users.map(({ user }) => renderFeedsUser(user)) }, seq: outcome.seq };
    },
  },
  {
    operation: 'FeedsGetUsers',
    method: 'GET',
    path: '/api/v1.0/users',
    dialect: 'feeds',
    access: 'user',
    summary: 'Users by id; those that do not exist are left out',
    query: FeedsIdsQuery,
    answer: Type.Object({ users: Type.Array(FeedsUserIn) }),
    handle: (call) => {
      allow(call.caller, { resource: 'users', action: 'read' });
      const users = decodeIds(call.query).flatMap((id) => userInSight(call, id) ?? []);
      return { body: { users: users.map(renderFeedsUser) } };
    },
  },
  {
    operation: 'FeedsDeleteUsers',
    method: 'DELETE',
    path: '/api/v1.0/users',
    dialect: 'feeds',
    access: 'server',
    summary: 'Deletes many users for good; ids of none are no error',
    query: FeedsIdsQuery,
    answer: Type.Object({ deleted_user_ids: Type.Array(Type.String()) }),
    handle: async (call) => {
      allow(call.caller, { resource: 'users', action: 'delete' });
      const ids = decodeIds(call.query);
      const { seq } = await call.submit({ kind: 'delete', ids, mode: 'hard', options: HARD_OPTIONS, skipsGone: true }, 'bulk');
      return { body: { deleted_user_ids: ids }, seq };
    },
  },
];

type Variant = Pick<UpsertCommand, 'users' | 'existing' | 'missing' | 'reuseDeleted'>;

function upsert({ submit, caller }: Call, variant: Variant) {
  const command: UpsertCommand = { kind: 'upsert', actor: actorOf(caller), problems: [], ...variant };
  return submit(command, laneOf(caller, variant.users.length));
}

/** A server may reuse the id of a deleted user. A client's token does not restore its own deleted user. */
function mayReuse({ caller }: Call): boolean {
  return caller.kind === 'server';
}

/** Every write answers 201, even if it left the user unchanged. */
function oneUser(outcome: Outcome): EndpointAnswer {
  return { status: 201, body: { ...renderFeedsUser(onlyUser(outcome)) }, seq: outcome.seq };
}

function existing(call: Call, id: string): StoredUser {
  const user = userInSight(call, id);
  if (user === undefined) throw unknownUser(id);
  return user;
}

/** Follow counts of the two feeds that users have by convention: `user` holds their posts, and `timeline` what they read. */
async function followCounts(call: Call, id: string): Promise<Readonly<Record<string, number>>> {
  return {
    followers_count: await countFollows(call, followKeys.to(`user:${id}`), ({ source }) => source),
    following_count: await countFollows(call, followKeys.from(`timeline:${id}`), ({ target }) => target),
  };
}

function countFollows(call: Call, key: string, otherEnd: (follow: Follow) => string): number | Promise<number> {
  const { app, docs } = call.backend.directory;
  if (call.caller.kind !== 'user' || !isMultiTenant(app)) return docs.countUnder('follow', key);
  return inSlices(countIf(docs.under('follow', key), (follow) => isKnownFeed(call, otherEnd(follow))));
}

/**
 * Whether the feed is of a user in the caller's sight, or of no user but with something in it. Anyone may follow any name, so an empty
 * feed of no user counts as little as that of a user behind walls: the difference would tell that there is such a user.
 */
function isKnownFeed(call: Call, feed: string): boolean {
  const { directory } = call.backend;
  const owner = feedOwner(feed);
  if (directory.record(owner) !== undefined) return userInSight(call, owner) !== undefined;
  return directory.docs.newest('activity', feed, { limit: 1 }).length > 0;
}

function* countIf(follows: Iterable<Follow>, isCounted: (follow: Follow) => boolean): Generator<undefined, number> {
  let count = 0;
  let looked = 0;
  for (const follow of follows) {
    if (isCounted(follow)) count++;
    if (++looked % STEP_FOLLOWS === 0) yield;
  }
  return count;
}
