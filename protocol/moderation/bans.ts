/**
 * Bans: the commands, and the requests that make and lift them. The dialects use different names: in v1 `user_id` is the
 * acting user and a channel is `type` and `id`; v2 has `banned_by_id` and `channel_cid`. Pure; throws RosterError `input`.
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Actor } from '../base/actor.ts';
import type { FieldError } from '../base/errors.ts';
import { says } from '../base/explain.ts';
import { LIMITS } from '../base/limits.ts';
import { QueryFlag, queryReader } from '../base/query-string.ts';
import { bodyObject, checked, type Dialect, presentFields, type QueryFields } from '../base/reading.ts';
import { DeleteMode } from '../users/delete-options.ts';
import { firstOf, Id, idProblem, idProblems, Minutes, minutesOf, NamedUser, ReasonField, refuse, type Said } from './reading.ts';

export interface BanCommand {
  readonly kind: 'ban';
  readonly actor: Actor;
  readonly target: string;
  readonly by?: string;
  readonly reason?: string;
  /** Absent: until it is lifted. */
  readonly minutes?: number;
  readonly shadow?: boolean;
  readonly cid?: string;
  /** Also bans from the channels that `by` will create. Needs `by`. */
  readonly future?: boolean;
  readonly ip?: boolean;
  /** Carried on the event for the service that owns messages. */
  readonly deleteMessages?: DeleteMode;
}

export interface UnbanCommand {
  readonly kind: 'unban';
  readonly actor: Actor;
  readonly target: string;
  /** The user that lifts it. Need not exist. */
  readonly by?: string;
  readonly cid?: string;
  /** Lifts only a shadow ban. */
  readonly shadow?: boolean;
  /** Also lifts bans from future channels: those that `futureOf` made, or all. */
  readonly future?: boolean;
  readonly futureOf?: string;
}

const BanFields = {
  target_user_id: Id,
  banned_by_id: Type.Optional(Id),
  banned_by: Type.Optional(NamedUser),
  reason: Type.Optional(ReasonField),
  timeout: Type.Optional(Minutes),
  shadow: Type.Optional(Type.Boolean()),
  ip_ban: Type.Optional(Type.Boolean()),
  delete_messages: Type.Optional(DeleteMode),
} as const;

export const BanBodyV1 = Type.Object({
  ...BanFields,
  user_id: Type.Optional(Id),
  type: Type.Optional(Type.String()),
  id: Type.Optional(Type.String()),
  ban_from_future_channels: Type.Optional(Type.Boolean()),
});
export const BanBodyV2 = Type.Object({ ...BanFields, channel_cid: Type.Optional(Type.String()) });

/** A missing id gets the error text of an empty one. */
const TargetId = Type.String({ minLength: 1, maxLength: LIMITS.idChars, ...says({ required: 'must not be empty' }) });

export const UnbanQueryV1 = Type.Object({
  target_user_id: TargetId,
  type: Type.Optional(Type.String()),
  id: Type.Optional(Type.String()),
  shadow: QueryFlag,
  remove_future_channels_ban: QueryFlag,
  created_by: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String()),
});
export const UnbanQueryV2 = Type.Object({
  target_user_id: TargetId,
  channel_cid: Type.Optional(Type.String()),
  created_by: Type.Optional(Type.String()),
});
export const UnbanBodyV2 = Type.Object({ unbanned_by_id: Type.Optional(Id), unbanned_by: Type.Optional(NamedUser) });

const banCheckV1 = Compile(BanBodyV1);
const banCheckV2 = Compile(BanBodyV2);
const readUnbanV1 = queryReader(UnbanQueryV1);
const readUnbanV2 = queryReader(UnbanQueryV2);
const unbanCheckV2 = Compile(UnbanBodyV2);

export function decodeBan(dialect: Dialect, body: unknown): Said<BanCommand> {
  const fields = presentFields(bodyObject(body));
  const sent: Static<typeof BanBodyV1> & Partial<Static<typeof BanBodyV2>> =
    dialect === 'v1' ? checked(banCheckV1, fields) : checked(banCheckV2, fields);
  const named = { user_id: sent.user_id, banned_by_id: sent.banned_by_id, 'banned_by.id': sent.banned_by?.id };
  const by = firstOf(named);
  const channel = dialect === 'v1' ? channelOf(sent.type, sent.id) : cidOf(sent.channel_cid, 'channel_cid');
  refuse([idProblem('target_user_id', sent.target_user_id), ...idProblems(named), channel.problem]);
  return {
    target: sent.target_user_id,
    ...(by === undefined ? undefined : { by }),
    ...(sent.reason === undefined ? undefined : { reason: sent.reason }),
    ...minutesOf(sent.timeout),
    ...(sent.shadow === true ? { shadow: true } : undefined),
    ...(channel.cid === undefined ? undefined : { cid: channel.cid }),
    ...(dialect === 'v1' && sent.ban_from_future_channels === true ? { future: true } : undefined),
    ...(sent.ip_ban === true ? { ip: true } : undefined),
    ...(sent.delete_messages === undefined ? undefined : { deleteMessages: sent.delete_messages }),
  };
}

/** A request to lift bans. It names the user that made the ban, for bans from future channels. */
export interface UnbanRequest extends Omit<Said<UnbanCommand>, 'futureOf'> {
  readonly createdBy?: string;
}

/** v1: the query has everything. v2: the query names the ban, and the body the user that lifts it. */
export function decodeUnban(dialect: Dialect, query: QueryFields, body: unknown): UnbanRequest {
  const asked: Static<typeof UnbanQueryV1> & Partial<Static<typeof UnbanQueryV2>> =
    dialect === 'v1' ? readUnbanV1(query) : readUnbanV2(query);
  const { target_user_id: target, created_by: createdBy } = asked;
  const sent = dialect === 'v1' ? {} : checked(unbanCheckV2, presentFields(bodyObject(body)));
  const named =
    dialect === 'v1' ? { user_id: asked.user_id } : { unbanned_by_id: sent.unbanned_by_id, 'unbanned_by.id': sent.unbanned_by?.id };
  const by = firstOf(named);
  const channel = dialect === 'v1' ? channelOf(asked.type, asked.id) : cidOf(asked.channel_cid, 'channel_cid');
  refuse([idProblem('target_user_id', target), idProblem('created_by', createdBy), ...idProblems(named), channel.problem]);
  return {
    target,
    ...(by === undefined ? undefined : { by }),
    ...(createdBy === undefined ? undefined : { createdBy }),
    ...(channel.cid === undefined ? undefined : { cid: channel.cid }),
    ...(asked.shadow === true ? { shadow: true } : undefined),
    ...(asked.remove_future_channels_ban === true ? { future: true } : undefined),
  };
}

interface Channel {
  readonly cid?: string;
  readonly problem?: FieldError;
}

const CID = /^[^\s:]+:[^\s:]+$/;

function cidOf(cid: string | undefined, path: string): Channel {
  if (cid === undefined) return {};
  if (cid.length > LIMITS.cidChars) return { problem: { path, message: `must not be longer than ${LIMITS.cidChars} characters` } };
  return CID.test(cid) ? { cid } : { problem: { path, message: 'must be type:id of a channel' } };
}

function channelOf(type: string | undefined, id: string | undefined): Channel {
  if (type === undefined && id === undefined) return {};
  if (type === undefined) return { problem: { path: 'type', message: 'is required beside id' } };
  if (id === undefined) return { problem: { path: 'id', message: 'is required beside type' } };
  return cidOf(`${type}:${id}`, 'id');
}
