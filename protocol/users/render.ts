/**
 * Renderings of a stored record. Each function is pure and returns the JSON value
 * that a dialect shows; the edge decides which endpoint uses which.
 */

import type { JsonObject } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import type { Dialect } from '../base/reading.ts';
import { type Micros, toNanos, toRfc3339 } from '../base/time.ts';
import { Embedded } from './short-form.ts';
import { appBan, type Device, KNOWN_FIELDS, type Mute, RESERVED_FIELDS, type StoredUser } from './user.ts';

/** A server, the user itself, or any other client. */
export type Reader = 'server' | 'self' | 'other';

/** The users that the mutes and blocks of a record name, as its reader sees them. */
export interface NamedUsers {
  /** Undefined for a user that was deleted, or that the reader may not see. */
  user(id: string): StoredUser | undefined;
  /** Whether the user has a live connection that others may see. Absent: not needed. */
  readonly online?: (id: string) => boolean;
}

/** What a rendering depends on beside the record. */
export interface UserAside {
  /** At least one live connection, and not invisible. */
  readonly online: boolean;
  readonly reader: Reader;
  /** Absent: devices, mutes and blocks are left out. Never for other clients. */
  readonly named?: NamedUsers;
}

export type Rendered = Record<string, unknown>;
/** Writes a time as a dialect shows it. */
export type Time = (at: Micros) => string | number;

/** The way in which a chat dialect writes times. */
export function timeOf(dialect: Dialect): Time {
  return dialect === 'v1' ? toRfc3339 : toNanos;
}

/**
 * Fields that only servers and the user itself see. Of others, a client sees what it can filter by, and `rev`, `ban_expires` and
 * `deleted_at`, which say how current the record is, and how long a state lasts that it can filter by.
 */
const PRIVATE_FIELDS = ['teams_role', 'privacy_settings', 'bypass_moderation', 'revoke_tokens_issued_before'] as const;

/** Whether other clients see less of the record than servers do. */
export function isPartlyPrivate(user: StoredUser): boolean {
  return PRIVATE_FIELDS.some((field) => user[field] !== undefined);
}

/** Optional fields of the record that every dialect shows under their own name. */
function optionalFields(user: StoredUser, reader: Reader, into: Rendered, time: Time): void {
  if (user.name !== undefined) into.name = user.name;
  if (user.image !== undefined) into.image = user.image;
  if (user.last_active !== undefined) into.last_active = time(user.last_active);
  if (user.deactivated_at !== undefined) into.deactivated_at = time(user.deactivated_at);
  if (user.deleted_at !== undefined) into.deleted_at = time(user.deleted_at);
  if (reader === 'other') return;
  for (const field of PRIVATE_FIELDS) {
    const value = user[field];
    if (value !== undefined) into[field] = typeof value === 'number' ? time(value) : value;
  }
}

interface ShownBan {
  readonly banned: boolean;
  readonly shadow_banned: boolean;
  readonly expires?: Micros | undefined;
}

const NOT_BANNED: ShownBan = { banned: false, shadow_banned: false };

/** Shadow bans are shown to servers only. */
function shownBan(user: StoredUser, reader: Reader): ShownBan {
  const ban = appBan(user);
  if (ban === undefined) return NOT_BANNED;
  const isShadow = ban.shadow === true;
  const isShown = !isShadow || reader === 'server';
  return { banned: !isShadow, shadow_banned: isShadow && isShown, expires: isShown ? ban.expires : undefined };
}

/** Leaves out users that are not there for the reader, as the list of blocks does. */
function blockedIds({ blocks = [] }: StoredUser, { named }: UserAside): string[] {
  return named === undefined ? [] : blocks.flatMap(({ id }) => (named.user(id) === undefined ? [] : [id]));
}

function deviceList({ id, devices = [] }: StoredUser, { named }: UserAside, time: Time): Rendered[] {
  return named === undefined ? [] : devices.map((device) => renderDevice(device, id, time));
}

export function renderDevice(device: Device, userId: string, time: Time): Rendered {
  return { ...device, user_id: userId, created_at: time(device.created_at) };
}

type Render = (user: StoredUser, aside: UserAside) => Rendered;

/** Leaves out mutes of users that are not there for the reader: there is no user to show. */
function muteList(user: StoredUser, { reader, named }: UserAside, time: Time, render: Render): Rendered[] {
  if (named === undefined || user.mutes === undefined) return [];
  const shown = new Embedded((one) => {
    const by = one.id === user.id ? reader : reader === 'server' ? 'server' : 'other';
    return render(one, { online: named.online?.(one.id) ?? false, reader: by });
  }, LIMITS.embeddedInMutesBytes);
  return user.mutes.flatMap((mute) => {
    const target = named.user(mute.id);
    return target === undefined ? [] : [renderMute(mute, shown.show(user), shown.show(target), time)];
  });
}

/** A mute with both of its users, as the dialect shows them to the reader. */
export function renderMute({ created_at, updated_at, expires }: Mute, user: Rendered, target: Rendered, time: Time): Rendered {
  return {
    user,
    target,
    created_at: time(created_at),
    updated_at: time(updated_at),
    ...(expires === undefined ? undefined : { expires: time(expires) }),
  };
}

/** Chat v1: custom data at the top level, RFC 3339 times. A custom key with the name of a field is not shown. */
export function renderV1(user: StoredUser, aside: UserAside): Rendered {
  const { online, reader } = aside;
  const ban = shownBan(user, reader);
  const out: Rendered = {
    id: user.id,
    role: user.role,
    teams: user.teams,
    language: user.language ?? '',
    created_at: toRfc3339(user.created_at),
    updated_at: toRfc3339(user.updated_at),
    banned: ban.banned,
    shadow_banned: ban.shadow_banned,
    online,
    invisible: user.invisible ?? false,
    blocked_user_ids: blockedIds(user, aside),
    devices: deviceList(user, aside, toRfc3339),
    mutes: muteList(user, aside, toRfc3339, renderV1),
  };
  if (ban.expires !== undefined) out.ban_expires = toRfc3339(ban.expires);
  optionalFields(user, reader, out, toRfc3339);
  spreadCustom(user.custom, out);
  return out;
}

function spreadCustom(custom: JsonObject, into: Rendered): void {
  for (const key of Object.keys(custom)) {
    if (!KNOWN_FIELDS.has(key) && !RESERVED_FIELDS.has(key)) into[key] = custom[key];
  }
}

/** `/api/v2` UserResponse: custom data nested, times as integer nanoseconds, with all fields that are published as always present. */
export function renderV2(user: StoredUser, aside: UserAside): Rendered {
  const { online, reader } = aside;
  const ban = shownBan(user, reader);
  const out: Rendered = {
    id: user.id,
    role: user.role,
    language: user.language ?? '',
    banned: ban.banned,
    shadow_banned: ban.shadow_banned,
    invisible: user.invisible ?? false,
    online,
    created_at: toNanos(user.created_at),
    updated_at: toNanos(user.updated_at),
    teams: user.teams,
    blocked_user_ids: blockedIds(user, aside),
    custom: user.custom,
  };
  if (ban.expires !== undefined) out.ban_expires = toNanos(ban.expires);
  optionalFields(user, reader, out, toNanos);
  return out;
}

/** A user as most endpoints of a chat dialect show it. */
export function renderUserIn(dialect: Dialect, user: StoredUser, aside: UserAside): Rendered {
  return dialect === 'v1' ? renderV1(user, aside) : renderV2(user, aside);
}

/** `/api/v2` FullUserResponse: a UserResponse with devices, mutes and the counters, which are zero on a users-only server. */
export function renderV2Full(user: StoredUser, aside: UserAside): Rendered {
  const out = renderV2(user, aside);
  out.devices = deviceList(user, aside, toNanos);
  out.mutes = muteList(user, aside, toNanos, renderV2);
  out.channel_mutes = [];
  out.total_unread_count = 0;
  out.unread_count = 0;
  out.unread_channels = 0;
  out.unread_threads = 0;
  return out;
}

export type DateStyle = 'rfc3339' | 'ns';

/** The live protocol: the full public record with nested custom data and its revision. */
export function renderLive(user: StoredUser, { online, reader }: UserAside, dates: DateStyle = 'rfc3339'): Rendered {
  const time = dates === 'ns' ? toNanos : toRfc3339;
  const ban = appBan(user);
  const isBanned = ban !== undefined && ban.shadow !== true;
  const out: Rendered = {
    id: user.id,
    rev: user.rev,
    role: user.role,
    teams: user.teams,
    custom: user.custom,
    created_at: time(user.created_at),
    updated_at: time(user.updated_at),
    online,
    banned: isBanned,
    invisible: user.invisible ?? false,
  };
  if (user.language !== undefined) out.language = user.language;
  if (isBanned && ban.expires !== undefined) out.ban_expires = time(ban.expires);
  optionalFields(user, reader, out, time);
  return out;
}
