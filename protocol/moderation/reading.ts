/**
 * Reads requests that ban, mute, report and block users. The dialects name things differently: in v1 `user_id` is
 * whoever acts and a channel is `type` and `id`; in v2 there is `banned_by_id` and `channel_cid`. Pure; throws RosterError `input`.
 *
 * Whom a request acts for is only repeated here (`by`): what the token allows is judged at the edge.
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { itemPath } from '../base/explain.ts';
import { userIdProblem } from '../base/ids.ts';
import { type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import type { BanCommand, BypassCommand, FlagCommand, MuteCommand, UnbanCommand } from '../log/command.ts';
import { type Dialect, isEmptyList, jsonProblem } from '../users/decode.ts';
import { DeleteMode } from '../users/delete-options.ts';
import { type QueryFields, queryFlag } from '../users/lifecycle.ts';
import { bodyObject, checked, presentFields } from '../users/upsert.ts';

const Id = Type.String({ minLength: 1, maxLength: LIMITS.idChars });
/** A whole user where one is named. Only its id counts. */
const NamedUser = Type.Object({ id: Type.String() });
const Reason = Type.String({ maxLength: LIMITS.reasonChars });
/** 0 is how Go writes "not given". */
const Minutes = Type.Integer({ minimum: 0, maximum: LIMITS.timeoutMinutes });
const Custom = Type.Unsafe<JsonObject>(Type.Object({}, { additionalProperties: true }));

const BanFields = {
  target_user_id: Id,
  banned_by_id: Type.Optional(Id),
  banned_by: Type.Optional(NamedUser),
  reason: Type.Optional(Reason),
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

export const UnbanQueryV1 = Type.Object({
  target_user_id: Id,
  type: Type.Optional(Type.String()),
  id: Type.Optional(Type.String()),
  shadow: Type.Optional(Type.Boolean()),
  remove_future_channels_ban: Type.Optional(Type.Boolean()),
  created_by: Type.Optional(Type.String()),
  user_id: Type.Optional(Type.String()),
});
export const UnbanQueryV2 = Type.Object({
  target_user_id: Id,
  channel_cid: Type.Optional(Type.String()),
  created_by: Type.Optional(Type.String()),
});
export const UnbanBodyV2 = Type.Object({ unbanned_by_id: Type.Optional(Id), unbanned_by: Type.Optional(NamedUser) });

const MuteFields = {
  target_ids: Type.Optional(Type.Array(Type.String(), { maxItems: LIMITS.batchUsers })),
  user_id: Type.Optional(Id),
  user: Type.Optional(NamedUser),
} as const;

export const MuteBodyV2 = Type.Object({ ...MuteFields, timeout: Type.Optional(Minutes) });
export const MuteBodyV1 = Type.Object({ ...MuteBodyV2.properties, target_id: Type.Optional(Id) });
export const UnmuteBodyV2 = Type.Object(MuteFields);
export const UnmuteBodyV1 = Type.Object({ ...MuteFields, target_id: Type.Optional(Id) });

export const FlagBodyV1 = Type.Object({
  target_user_id: Type.Optional(Id),
  target_message_id: Type.Optional(Type.String()),
  user_id: Type.Optional(Id),
  user: Type.Optional(NamedUser),
  reason: Type.Optional(Reason),
  custom: Type.Optional(Custom),
});
export const FlagBodyV2 = Type.Object({
  entity_type: Type.String({ description: 'stream:user: rosterd knows users only' }),
  entity_id: Type.String({ minLength: 1 }),
  entity_creator_id: Type.Optional(Type.String()),
  user_id: Type.Optional(Id),
  user: Type.Optional(NamedUser),
  reason: Type.Optional(Reason),
  custom: Type.Optional(Custom),
});
export const FlagCountBody = Type.Object({ entity_creator_id: Id });
export const BypassBody = Type.Object({ target_user_id: Id, enabled: Type.Boolean() });

export const BlockBody = Type.Object({ blocked_user_id: Id, user_id: Type.Optional(Id), user: Type.Optional(NamedUser) });
export const BlocksQuery = Type.Object({ user_id: Type.Optional(Id) });

const checks = {
  banV1: Compile(BanBodyV1),
  banV2: Compile(BanBodyV2),
  unbanV2: Compile(UnbanBodyV2),
  mute: Compile(MuteBodyV1),
  unmute: Compile(UnmuteBodyV1),
  flagV1: Compile(FlagBodyV1),
  flagV2: Compile(FlagBodyV2),
  flagCount: Compile(FlagCountBody),
  bypass: Compile(BypassBody),
  block: Compile(BlockBody),
};

/** The only kind of thing that can be reported here. */
const USER_ENTITY = 'stream:user';
const USERS_ONLY = 'rosterd knows users only';

/** What a command says beside who sends it. */
type Said<Command> = Omit<Command, 'kind' | 'actor'>;

export function decodeBan(dialect: Dialect, body: unknown): Said<BanCommand> {
  const fields = presentFields(bodyObject(body));
  const sent: Static<typeof BanBodyV1> & Partial<Static<typeof BanBodyV2>> =
    dialect === 'v1' ? checked(checks.banV1, fields) : checked(checks.banV2, fields);
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

/** What a request to lift bans says. Who made the ban is named for the sake of bans from future channels. */
export interface UnbanRequest extends Omit<Said<UnbanCommand>, 'futureOf'> {
  readonly createdBy?: string;
}

/** v1: everything is in the query. v2: what is lifted is in the query, who lifts it in the body. */
export function decodeUnban(dialect: Dialect, query: QueryFields, body: unknown): UnbanRequest {
  const target = query.target_user_id ?? '';
  const createdBy = query.created_by || undefined;
  const sent = dialect === 'v1' ? {} : checked(checks.unbanV2, presentFields(bodyObject(body)));
  const named =
    dialect === 'v1'
      ? { user_id: query.user_id || undefined }
      : { unbanned_by_id: sent.unbanned_by_id, 'unbanned_by.id': sent.unbanned_by?.id };
  const by = firstOf(named);
  const channel =
    dialect === 'v1' ? channelOf(query.type || undefined, query.id || undefined) : cidOf(query.channel_cid || undefined, 'channel_cid');
  refuse([idProblem('target_user_id', target), idProblem('created_by', createdBy), ...idProblems(named), channel.problem]);
  const isFuture = dialect === 'v1' && queryFlag(query, 'remove_future_channels_ban') === true;
  return {
    target,
    ...(by === undefined ? undefined : { by }),
    ...(createdBy === undefined ? undefined : { createdBy }),
    ...(channel.cid === undefined ? undefined : { cid: channel.cid }),
    ...(dialect === 'v1' && queryFlag(query, 'shadow') === true ? { shadow: true } : undefined),
    ...(isFuture ? { future: true } : undefined),
  };
}

export interface MuteRequest extends Omit<Said<MuteCommand>, 'by'> {
  /** Who mutes, when that is said. */
  readonly by?: string;
  /** The target that was named in a field of its own. */
  readonly single?: string;
}

/** v1 may name a target in a field of its own, `target_id`. */
export function decodeMute(kind: MuteCommand['kind'], dialect: Dialect, body: unknown): MuteRequest {
  const fields = presentFields(bodyObject(body));
  const sent: Static<typeof MuteBodyV1> = checked(kind === 'mute' ? checks.mute : checks.unmute, fields);
  const single = dialect === 'v1' ? sent.target_id : undefined;
  const ids = sent.target_ids ?? [];
  const problems = [
    ...ids.map((id, index) => idProblem(itemPath('target_ids', index), id)),
    idProblem('target_id', single),
    ...idsOf(sent),
  ];
  const targets = single === undefined ? ids : [single, ...ids];
  if (targets.length === 0) problems.push({ path: 'target_ids', message: 'must not be empty' });
  refuse(problems);
  return {
    targets,
    ...(single === undefined ? undefined : { single }),
    ...byOf(sent),
    ...(kind === 'mute' ? minutesOf(sent.timeout) : undefined),
  };
}

/** In v1 the target stands in a field of its own, in v2 it is an entity among others. */
export function decodeFlag(dialect: Dialect, body: unknown): Omit<Said<FlagCommand>, 'itemId'> {
  const fields = presentFields(bodyObject(body));
  // PHP writes an empty map as a list.
  if (isEmptyList(fields.custom)) delete fields.custom;
  const sent = dialect === 'v1' ? flaggedV1(fields) : flaggedV2(fields);
  const { custom, reason } = sent;
  refuse([idProblem(sent.path, sent.target), ...idsOf(sent), custom === undefined ? undefined : customProblem(custom)]);
  return {
    target: sent.target,
    ...byOf(sent),
    ...(reason === undefined ? undefined : { reason }),
    ...(custom === undefined || Object.keys(custom).length === 0 ? undefined : { custom }),
  };
}

function flaggedV1(fields: JsonObject) {
  const sent = checked(checks.flagV1, fields);
  if (sent.target_user_id === undefined) {
    const isMessage = sent.target_message_id !== undefined;
    throw fieldErrors('input', [
      isMessage
        ? { path: 'target_message_id', message: `cannot be flagged: ${USERS_ONLY}` }
        : { path: 'target_user_id', message: 'is required' },
    ]);
  }
  return { ...sent, target: sent.target_user_id, path: 'target_user_id' };
}

function flaggedV2(fields: JsonObject) {
  const sent = checked(checks.flagV2, fields);
  if (sent.entity_type !== USER_ENTITY) {
    throw fieldErrors('input', [{ path: 'entity_type', message: `must be "${USER_ENTITY}": ${USERS_ONLY}` }]);
  }
  return { ...sent, target: sent.entity_id, path: 'entity_id' };
}

/** The user whose reports are counted. */
export function decodeFlagCount(body: unknown): string {
  const { entity_creator_id: id } = checked(checks.flagCount, presentFields(bodyObject(body)));
  refuse([idProblem('entity_creator_id', id)]);
  return id;
}

export function decodeBypass(body: unknown): BypassCommand {
  const { target_user_id: target, enabled } = checked(checks.bypass, presentFields(bodyObject(body)));
  refuse([idProblem('target_user_id', target)]);
  return { kind: 'bypass', target, enabled };
}

export function decodeBlock(body: unknown): { readonly target: string; readonly by?: string } {
  const sent = checked(checks.block, presentFields(bodyObject(body)));
  refuse([idProblem('blocked_user_id', sent.blocked_user_id), ...idsOf(sent)]);
  return { target: sent.blocked_user_id, ...byOf(sent) };
}

type Acting = { readonly user_id?: string; readonly user?: { readonly id: string } };

function byOf({ user_id, user }: Acting): { readonly by?: string } {
  const by = user_id ?? user?.id;
  return by === undefined ? {} : { by };
}

function idsOf({ user_id, user }: Acting): readonly (FieldError | undefined)[] {
  return idProblems({ user_id, 'user.id': user?.id });
}

type NamedIds = Readonly<Record<string, string | undefined>>;

function firstOf(named: NamedIds): string | undefined {
  return Object.values(named).find((id) => id !== undefined);
}

function idProblems(named: NamedIds): readonly (FieldError | undefined)[] {
  return Object.entries(named).map(([path, id]) => idProblem(path, id));
}

function minutesOf(minutes: number | undefined): { readonly minutes?: number } {
  return minutes === undefined || minutes === 0 ? {} : { minutes };
}

function idProblem(path: string, id: string | undefined): FieldError | undefined {
  const message = id === undefined ? undefined : userIdProblem(id);
  return message === undefined ? undefined : { path, message };
}

function refuse(found: readonly (FieldError | undefined)[]): void {
  const problems = found.filter((problem) => problem !== undefined);
  if (problems.length > 0) throw fieldErrors('input', problems);
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

function customProblem(custom: JsonObject): FieldError | undefined {
  const problem = jsonProblem(custom, 1);
  if (problem !== undefined) return { path: `custom${problem.path}`, message: problem.message };
  const bytes = utf8Bytes(JSON.stringify(custom));
  return bytes <= LIMITS.flagCustomBytes
    ? undefined
    : { path: 'custom', message: `is ${bytes} bytes; at most ${LIMITS.flagCustomBytes} are allowed` };
}
