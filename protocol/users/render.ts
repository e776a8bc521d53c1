/**
 * Renderings of a stored record. Each function is pure and returns the JSON value
 * that a dialect shows; the edge decides which endpoint uses which.
 */

import type { JsonObject } from '../base/json.ts';
import type { Dialect } from '../base/reading.ts';
import { type Micros, toNanos, toRfc3339 } from '../base/time.ts';
import { appBan, type Device, KNOWN_FIELDS, type Mute, RESERVED_FIELDS, type StoredUser } from './user.ts';

/** The reader, when it is a server or the user itself: they see devices, mutes and blocks, and the users that these name. */
export interface Viewer {
  readonly isServer: boolean;
  user(id: string): StoredUser | undefined;
  /** Whether the user has a live connection that others may see. Absent: not needed. */
  readonly online?: (id: string) => boolean;
}

/** Facts about a user that are not in its record. */
export interface UserAside {
  /** At least one live connection, and not invisible. */
  readonly online: boolean;
  /** Absent for every other reader. */
  readonly viewer?: Viewer | undefined;
}

export type Rendered = Record<string, unknown>;
/** Writes a time as a dialect shows it. */
export type Time = (at: Micros) => string | number;

/** The way in which a chat dialect writes times. */
export function timeOf(dialect: Dialect): Time {
  return dialect === 'v1' ? toRfc3339 : toNanos;
}

/** Optional fields of the record that every dialect shows under their own name. */
function optionalFields(user: StoredUser, into: Rendered, time: Time): void {
  if (user.name !== undefined) into.name = user.name;
  if (user.image !== undefined) into.image = user.image;
  if (user.teams_role !== undefined) into.teams_role = user.teams_role;
  if (user.privacy_settings !== undefined) into.privacy_settings = user.privacy_settings;
  if (user.last_active !== undefined) into.last_active = time(user.last_active);
  if (user.bypass_moderation !== undefined) into.bypass_moderation = user.bypass_moderation;
  if (user.deactivated_at !== undefined) into.deactivated_at = time(user.deactivated_at);
  if (user.deleted_at !== undefined) into.deleted_at = time(user.deleted_at);
  if (user.revoke_tokens_issued_before !== undefined) into.revoke_tokens_issued_before = time(user.revoke_tokens_issued_before);
}

/** Shadow bans are shown to servers only. */
function banFields(user: StoredUser, viewer: Viewer | undefined, time: Time): Rendered {
  const ban = appBan(user);
  if (ban === undefined) return { banned: false, shadow_banned: false };
  const isShadow = ban.shadow === true;
  const isShown = !isShadow || viewer?.isServer === true;
  return {
    banned: !isShadow,
    shadow_banned: isShadow && isShown,
    ...(ban.expires === undefined || !isShown ? undefined : { ban_expires: time(ban.expires) }),
  };
}

/** Leaves out users that were deleted meanwhile, as the list of blocks does. */
function blockedIds(user: StoredUser, viewer: Viewer | undefined): string[] {
  if (viewer === undefined || user.blocks === undefined) return [];
  return user.blocks.flatMap(({ id }) => (viewer.user(id) === undefined ? [] : [id]));
}

function deviceList(user: StoredUser, viewer: Viewer | undefined, time: Time): Rendered[] {
  return viewer === undefined ? [] : (user.devices ?? []).map((device) => renderDevice(device, user.id, time));
}

export function renderDevice(device: Device, userId: string, time: Time): Rendered {
  return { ...device, user_id: userId, created_at: time(device.created_at) };
}

type Render = (user: StoredUser, aside: UserAside) => Rendered;

/** Leaves out mutes of users that were deleted meanwhile: there is no user to show. */
function muteList(user: StoredUser, viewer: Viewer | undefined, time: Time, render: Render): Rendered[] {
  if (viewer === undefined || user.mutes === undefined) return [];
  const own = render(user, { online: viewer.online?.(user.id) ?? false });
  return user.mutes.flatMap((mute) => {
    const target = viewer.user(mute.id);
    return target === undefined ? [] : [renderMute(mute, own, render(target, { online: viewer.online?.(target.id) ?? false }), time)];
  });
}

/** A mute with both of its users, as the dialect shows them to others. */
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
export function renderV1(user: StoredUser, { online, viewer }: UserAside): Rendered {
  const out: Rendered = {
    id: user.id,
    role: user.role,
    teams: user.teams,
    language: user.language ?? '',
    created_at: toRfc3339(user.created_at),
    updated_at: toRfc3339(user.updated_at),
    ...banFields(user, viewer, toRfc3339),
    online,
    invisible: user.invisible ?? false,
    blocked_user_ids: blockedIds(user, viewer),
    devices: deviceList(user, viewer, toRfc3339),
    mutes: muteList(user, viewer, toRfc3339, renderV1),
  };
  optionalFields(user, out, toRfc3339);
  spreadCustom(user.custom, out);
  return out;
}

function spreadCustom(custom: JsonObject, into: Rendered): void {
  for (const key of Object.keys(custom)) {
    if (!KNOWN_FIELDS.has(key) && !RESERVED_FIELDS.has(key)) into[key] = custom[key];
  }
}

/** `/api/v2` UserResponse: custom data nested, times as integer nanoseconds, with all fields that are published as always present. */
export function renderV2(user: StoredUser, { online, viewer }: UserAside): Rendered {
  const out: Rendered = {
    id: user.id,
    role: user.role,
    language: user.language ?? '',
    ...banFields(user, viewer, toNanos),
    invisible: user.invisible ?? false,
    online,
    created_at: toNanos(user.created_at),
    updated_at: toNanos(user.updated_at),
    teams: user.teams,
    blocked_user_ids: blockedIds(user, viewer),
    custom: user.custom,
  };
  optionalFields(user, out, toNanos);
  return out;
}

/** A user as most endpoints of a chat dialect show it. */
export function renderUserIn(dialect: Dialect, user: StoredUser, aside: UserAside): Rendered {
  return dialect === 'v1' ? renderV1(user, aside) : renderV2(user, aside);
}

/** `/api/v2` FullUserResponse: a UserResponse with devices, mutes and the counters, which are zero on a users-only server. */
export function renderV2Full(user: StoredUser, aside: UserAside): Rendered {
  const out = renderV2(user, aside);
  out.devices = deviceList(user, aside.viewer, toNanos);
  out.mutes = muteList(user, aside.viewer, toNanos, renderV2);
  out.channel_mutes = [];
  out.total_unread_count = 0;
  out.unread_count = 0;
  out.unread_channels = 0;
  out.unread_threads = 0;
  return out;
}

export type DateStyle = 'rfc3339' | 'ns';

/** The live protocol: the full public record with nested custom data and its revision. */
export function renderLive(user: StoredUser, { online }: UserAside, dates: DateStyle = 'rfc3339'): Rendered {
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
  optionalFields(user, out, time);
  return out;
}
