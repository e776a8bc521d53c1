/** Endpoints that ban and unban users, and list bans. */

import Type from 'typebox';
import { reachOf } from '../../../protocol/access/tenancy.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { BannedPayload, type FoundBan, FuturePayload, parseBanQuery, parseFutureBans } from '../../../protocol/moderation/ban-query.ts';
import {
  BanBodyV1,
  BanBodyV2,
  decodeBan,
  decodeUnban,
  UnbanBodyV2,
  type UnbanCommand,
  UnbanQueryV1,
  UnbanQueryV2,
} from '../../../protocol/moderation/bans.ts';
import { Nothing, timeIn, userIn } from '../../../protocol/users/answers.ts';
import { type Rendered, timeOf } from '../../../protocol/users/render.ts';
import type { Ban, StoredUser } from '../../../protocol/users/user.ts';
import { inSlices, mapInSteps, type Walk } from '../../base/slices.ts';
import { runBanQuery } from '../../core/moderation/ban-query.ts';
import { isAmong } from '../../core/moderation/restrictions.ts';
import { unknownUser } from '../../core/problems.ts';
import { stepped } from '../answers/answer-text.ts';
import { actingUser, actorOf, briefUsers, userInSight } from '../http/acting.ts';
import { parseJson } from '../http/body.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import { namedActor, submitNamed } from './named-users.ts';

function banIn(dialect: Dialect) {
  const time = timeIn(dialect);
  return Type.Object({
    user: userIn(dialect),
    banned_by: Type.Optional(userIn(dialect)),
    reason: Type.Optional(Type.String()),
    created_at: time,
    expires: Type.Optional(time),
    shadow: Type.Boolean(),
    channel: Type.Optional(Type.Object({ cid: Type.String(), type: Type.String(), id: Type.String() })),
  });
}

export const BANS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/moderation/ban', (dialect) => ({
    operation: 'Ban',
    method: 'POST',
    access: 'user',
    summary: 'Bans a user from the application, or from a channel; nobody is told of a shadow ban',
    body: dialect === 'v1' ? BanBodyV1 : BanBodyV2,
    answer: Nothing,
    handle: async (call) => {
      const { by: named, ...said } = decodeBan(dialect, await call.body());
      const by = namedActor(call, named, dialect === 'v1' ? 'user_id' : 'banned_by_id');
      const command = { kind: 'ban', actor: actorOf(call.caller), ...said, ...(by === undefined ? undefined : { by }) } as const;
      const { seq } = await submitNamed(call, command, dialect === 'v1' ? { banned_by_id: 'user_id' } : {});
      return { status: 201, body: {}, seq };
    },
  })),
  {
    operation: 'Unban',
    method: 'DELETE',
    path: '/moderation/ban',
    dialect: 'v1',
    access: 'user',
    summary: 'Lifts a ban',
    query: UnbanQueryV1,
    answer: Nothing,
    handle: (call) => unban(call, 'v1', undefined),
  },
  {
    operation: 'Unban',
    method: 'POST',
    path: '/api/v2/moderation/unban',
    dialect: 'v2',
    access: 'user',
    summary: 'Lifts a ban',
    query: UnbanQueryV2,
    body: UnbanBodyV2,
    answer: Nothing,
    handle: async (call) => unban(call, 'v2', await call.body()),
  },
  ...inBothDialects({ v1: '/query_banned_users', v2: '/chat/query_banned_users' }, (dialect) => ({
    operation: 'QueryBannedUsers',
    method: 'GET',
    access: 'user',
    summary: 'Bans of users, of the application and of channels',
    query: Type.Object({ payload: Type.Optional(BannedPayload) }),
    answer: Type.Object({ bans: Type.Array(banIn(dialect)) }),
    handle: async (call) => {
      const { backend, services } = call;
      const mayShow = sightOf(call);
      const query = parseBanQuery(payloadOf(call));
      const { bans } = await inSlices(runBanQuery(backend.directory, query, services.nowMs() * 1000, mayShow));
      return { body: { bans: await stepped(renderBans(call, bans, dialect), call.caller) } };
    },
  })),
  ...inBothDialects({ v1: '/query_future_channel_bans', v2: '/chat/query_future_channel_bans' }, (dialect) => ({
    operation: 'QueryFutureChannelBans',
    method: 'GET',
    access: 'user',
    summary: 'Bans from the channels that somebody will create',
    query: Type.Object({ payload: Type.Optional(FuturePayload) }),
    answer: Type.Object({ bans: Type.Array(banIn(dialect)), total: Type.Optional(Type.Integer()) }),
    handle: async (call) => {
      const { backend, services } = call;
      const { by: named, includeTotal, query } = parseFutureBans(payloadOf(call));
      const by = namedActor(call, named, 'user_id');
      const tests = by === undefined ? query.tests : [...query.tests, { field: 'banned_by_id' as const, op: '$eq' as const, values: [by] }];
      const mayShow = ({ id }: StoredUser): boolean => userInSight(call, id) !== undefined;
      const { bans, total } = await inSlices(runBanQuery(backend.directory, { ...query, tests }, services.nowMs() * 1000, mayShow));
      const shown = await stepped(renderBans(call, bans, dialect), call.caller);
      return { body: { bans: shown, ...(includeTotal ? { total } : undefined) } };
    },
  })),
];

async function unban(call: Call, dialect: Dialect, body: unknown): Promise<EndpointAnswer> {
  const { by: named, createdBy, ...said } = decodeUnban(dialect, call.query, body);
  const { caller, submit } = call;
  const isServer = caller.kind === 'server';
  const by = isServer ? (named ?? createdBy) : actingUser(caller, named, dialect === 'v1' ? 'user_id' : 'unbanned_by_id');
  // A client lifts its own bans from future channels; a server those of the user it names.
  const futureOf = isServer ? createdBy : by;
  const command: UnbanCommand = {
    kind: 'unban',
    actor: actorOf(caller),
    ...said,
    ...(by === undefined ? undefined : { by }),
    ...(futureOf === undefined ? undefined : { futureOf }),
  };
  const { seq } = await submit(command, 'live');
  return { body: {}, seq };
}

function payloadOf({ query }: Call): unknown {
  return query.payload ? parseJson(query.payload, 'payload') : {};
}

/** The users whose bans the caller may list: for a server everyone, for a client those that it may ban and could find by a query. */
function sightOf({ backend, caller }: Call): (user: StoredUser, ban: Ban) => boolean {
  if (caller.kind === 'server') return () => true;
  const id = actingUser(caller, undefined);
  const own = backend.directory.user(id);
  if (own === undefined) throw unknownUser(id);
  const reach = reachOf(backend.directory.app, own, 'ban-user');
  if (reach === 'nowhere') {
    throw new RosterError('not_allowed', `User '${id}' with role '${own.role}' is not allowed to perform action QueryBannedUsers`);
  }
  const hidden = new Set(backend.directory.app.user_search_disallowed_roles);
  return (user, { shadow }) => {
    // Nobody learns of a shadow ban of its own.
    if (shadow === true && user.id === id) return false;
    return !hidden.has(user.role) && (reach === undefined || isAmong(user.teams, reach));
  };
}

/** Omits users that were deleted or went out of sight while the list was made. */
function renderBans(call: Call, bans: readonly FoundBan[], dialect: Dialect): Walk<readonly Rendered[]> {
  const time = timeOf(dialect);
  const shown = briefUsers(call, dialect);
  return mapInSteps(bans, ({ userId, ban }): Rendered | undefined => {
    const user = userInSight(call, userId);
    const by = ban.by === undefined ? undefined : userInSight(call, ban.by);
    if (user === undefined) return undefined;
    return {
      user: shown.show(user),
      ...(by === undefined ? undefined : { banned_by: shown.show(by) }),
      ...(ban.reason === undefined ? undefined : { reason: ban.reason }),
      created_at: time(ban.created_at),
      ...(ban.expires === undefined ? undefined : { expires: time(ban.expires) }),
      shadow: ban.shadow === true,
      ...(ban.cid === undefined ? undefined : { channel: channelOf(ban.cid) }),
    };
  });
}

/** The known parts of a channel. */
function channelOf(cid: string): Rendered {
  const at = cid.indexOf(':');
  return { cid, type: cid.slice(0, at), id: cid.slice(at + 1) };
}
