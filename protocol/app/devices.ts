/** Reads requests about devices and push preferences, and renders preferences. The same in both dialects. Pure; throws RosterError. */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Actor } from '../base/actor.ts';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { itemPath } from '../base/field-path.ts';
import { userIdProblem } from '../base/ids.ts';
import { type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { queryReader } from '../base/query-string.ts';
import { bodyObject, checked, type Dialect, isEmptyList, isJsonObject, jsonProblem, presentFields } from '../base/reading.ts';
import { parseTime, toNanos, toRfc3339 } from '../base/time.ts';
import type { Rendered } from '../users/render.ts';
import type { Device, PushPreferences } from '../users/user.ts';

export interface DeviceCommand {
  readonly kind: 'device-add';
  readonly by: string;
  /** A device from an import keeps its time. */
  readonly device: Omit<Device, 'created_at'> & Partial<Pick<Device, 'created_at'>>;
}

export interface DeviceRemoveCommand {
  readonly kind: 'device-remove';
  readonly by: string;
  readonly deviceId: string;
}

/** `set` replaces the named preferences; null clears one. */
export interface PushCommand {
  readonly kind: 'push';
  readonly changes: readonly {
    readonly id: string;
    readonly cid?: string;
    readonly set: { readonly [Name in keyof PushPreferences]?: PushPreferences[Name] | null };
  }[];
}

const PushProvider = Type.Union([Type.Literal('firebase'), Type.Literal('apn'), Type.Literal('huawei'), Type.Literal('xiaomi')]);
const DeviceText = Type.Optional(Type.String({ maxLength: LIMITS.deviceTextChars }));

export const CreateDeviceBody = Type.Object({
  id: Type.String({ maxLength: LIMITS.deviceIdChars }),
  push_provider: PushProvider,
  push_provider_name: DeviceText,
  hardware_id: DeviceText,
  voip_token: Type.Optional(Type.Boolean()),
  user_id: Type.Optional(Type.String()),
  /** An alternative to `user_id`. */
  user: Type.Optional(Type.Object({ id: Type.Optional(Type.String()) })),
});

export const ListDevicesQuery = Type.Object({ user_id: Type.Optional(Type.String()) });
export const DeleteDeviceQuery = Type.Object({
  id: Type.String({ maxLength: LIMITS.deviceIdChars }),
  user_id: Type.Optional(Type.String()),
});

/** `GET /devices`: the owner of the devices. */
export const readListDevices = queryReader(ListDevicesQuery);

/** `DELETE /devices`: the id of the device, and its owner. */
export const readDeleteDevice = queryReader(DeleteDeviceQuery);

const Level = Type.Union([Type.Literal('all'), Type.Literal('none'), Type.Literal('default')]);
const ChatLevel = Type.Union([
  Type.Literal('all'),
  Type.Literal('mentions'),
  Type.Literal('direct_mentions'),
  Type.Literal('all_mentions'),
  Type.Literal('none'),
  Type.Literal('default'),
]);
const Details = Type.Object({}, { additionalProperties: true });

const PushItem = Type.Object({
  user_id: Type.Optional(Type.String()),
  /** For this channel instead of all. */
  channel_cid: Type.Optional(Type.String()),
  chat_level: Type.Optional(ChatLevel),
  call_level: Type.Optional(Level),
  feeds_level: Type.Optional(Level),
  /** RFC 3339, or integer nanoseconds. */
  disabled_until: Type.Optional(Type.Union([Type.String(), Type.Integer()])),
  /** Clears `disabled_until`. */
  remove_disable: Type.Optional(Type.Boolean()),
  chat_preferences: Type.Optional(Details),
  feeds_preferences: Type.Optional(Details),
});
type PushItem = Static<typeof PushItem>;

export const PushBody = Type.Object({ preferences: Type.Array(PushItem, { minItems: 1, maxItems: LIMITS.pushPerRequest }) });

const createDeviceCheck = Compile(CreateDeviceBody);
const pushCheck = Compile(PushBody);

/** `POST /devices`: the device, and the user that the caller named. */
export function decodeDevice(body: unknown): { readonly device: DeviceCommand['device']; readonly named: string | undefined } {
  const sent = presentFields(bodyObject(body));
  const user = isEmptyList(sent.user) ? {} : sent.user;
  const { user: within, user_id, voip_token, ...rest } = checked(createDeviceCheck, user === undefined ? sent : { ...sent, user });
  const { id, push_provider, push_provider_name, hardware_id } = rest;
  const device = {
    id,
    push_provider,
    ...(push_provider_name === undefined ? undefined : { push_provider_name }),
    ...(hardware_id === undefined ? undefined : { hardware_id }),
    ...(voip_token === undefined ? undefined : { voip: voip_token }),
  };
  if (user_id !== undefined && within?.id && within.id !== user_id)
    throw fieldErrors('input', [{ path: 'user.id', message: 'must name the same user as user_id' }]);
  return { device, named: user_id ?? within?.id };
}

/** `POST /push_preferences`. A server names the users; a client may name itself only. */
export function decodePush(body: unknown, actor: Actor): PushCommand {
  const sent = presentFields(bodyObject(body));
  const { preferences } = sent;
  const cleaned = Array.isArray(preferences) ? { ...sent, preferences: preferences.map(presentItem) } : sent;
  const items = checked(pushCheck, cleaned).preferences;
  const foreign: FieldError[] = [];
  const problems: FieldError[] = [];
  const changes: PushCommand['changes'][number][] = [];
  for (const [index, item] of items.entries()) {
    const path = itemPath('preferences', index);
    const id = userOf(item, actor, path, problems, foreign);
    checkItem(item, path, problems);
    const { channel_cid: cid } = item;
    changes.push({ id, ...(cid === undefined ? undefined : { cid }), set: setOf(item, path, problems) });
  }
  if (foreign.length > 0) throw fieldErrors('not_allowed', foreign);
  if (problems.length > 0) throw fieldErrors('input', problems);
  return { kind: 'push', changes };
}

function presentItem(item: unknown): unknown {
  if (!isJsonObject(item)) return item;
  const present = presentFields(item);
  for (const name of ['chat_preferences', 'feeds_preferences']) if (isEmptyList(present[name])) present[name] = {};
  return present;
}

/** The user that the item means; an empty text when that is unclear, with the reason among the problems. */
function userOf({ user_id }: PushItem, actor: Actor, path: string, problems: FieldError[], foreign: FieldError[]): string {
  if (actor.kind === 'user') {
    if (user_id !== undefined && user_id !== actor.id) {
      foreign.push({ path: `${path}.user_id`, message: `must be "${actor.id}", the user of the token` });
    }
    return actor.id;
  }
  const problem = user_id === undefined ? 'is required with a server token' : userIdProblem(user_id);
  if (problem !== undefined) problems.push({ path: `${path}.user_id`, message: problem });
  return user_id ?? '';
}

const CID = /^[\w-]+:[!\w-]+$/;

function checkItem(item: PushItem, path: string, problems: FieldError[]): void {
  const { channel_cid, disabled_until, remove_disable } = item;
  if (disabled_until !== undefined && remove_disable === true) {
    problems.push({ path: `${path}.remove_disable`, message: 'cannot be together with disabled_until' });
  }
  for (const name of ['chat_preferences', 'feeds_preferences'] as const) {
    const problem = detailsProblem(item[name]);
    if (problem !== undefined) problems.push({ path: `${path}.${name}${problem.path}`, message: problem.message });
  }
  if (channel_cid === undefined) return;
  if (channel_cid.length > LIMITS.cidChars || !CID.test(channel_cid)) {
    problems.push({ path: `${path}.channel_cid`, message: `must be type:id, at most ${LIMITS.cidChars} characters` });
  }
  for (const name of ['call_level', 'feeds_level', 'feeds_preferences'] as const) {
    if (item[name] !== undefined) problems.push({ path: `${path}.${name}`, message: 'cannot be set for a single channel' });
  }
}

function detailsProblem(details: object | undefined): FieldError | undefined {
  if (details === undefined || !isJsonObject(details)) return undefined;
  const bytes = utf8Bytes(JSON.stringify(details));
  if (bytes > LIMITS.pushPreferenceBytes)
    return { path: '', message: `has ${bytes} bytes; at most ${LIMITS.pushPreferenceBytes} are allowed` };
  return jsonProblem(details, 1);
}

type PushSet = PushCommand['changes'][number]['set'];

function setOf(item: PushItem, path: string, problems: FieldError[]): PushSet {
  const { chat_level, call_level, feeds_level, disabled_until, remove_disable, chat_preferences, feeds_preferences } = item;
  const until = disabled_until === undefined ? undefined : parseTime(disabled_until);
  if (disabled_until !== undefined && until === undefined) {
    problems.push({ path: `${path}.disabled_until`, message: 'must be a time in RFC 3339, or integer nanoseconds' });
  } else if (until !== undefined && until > Number.MAX_SAFE_INTEGER) {
    problems.push({ path: `${path}.disabled_until`, message: 'must be before the year 2255' });
  }
  return {
    ...(chat_level === undefined ? undefined : { chat_level }),
    ...(call_level === undefined ? undefined : { call_level }),
    ...(feeds_level === undefined ? undefined : { feeds_level }),
    // Go writes the zero time for "not given".
    ...(until === undefined || until < 0 ? undefined : { disabled_until: until }),
    ...(remove_disable === true ? { disabled_until: null } : undefined),
    ...(chat_preferences !== undefined && isJsonObject(chat_preferences) ? { chat_preferences } : undefined),
    ...(feeds_preferences !== undefined && isJsonObject(feeds_preferences) ? { feeds_preferences } : undefined),
  };
}

/** Preferences of a user for all channels without preferences of their own. */
export function renderPush({ channels: _, ...push }: PushPreferences, dialect: Dialect): Rendered {
  return withTime(push, dialect);
}

/** Preferences of a user for one channel. */
export function renderChannelPush(push: JsonObject, dialect: Dialect): Rendered {
  return withTime(push, dialect);
}

function withTime(push: Rendered, dialect: Dialect): Rendered {
  const { disabled_until } = push;
  if (typeof disabled_until !== 'number') return { ...push };
  return { ...push, disabled_until: dialect === 'v1' ? toRfc3339(disabled_until) : toNanos(disabled_until) };
}
