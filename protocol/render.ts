/**
 * One stored record, several renderings. Each function here is pure and gives
 * the JSON value that a dialect shows; which endpoint uses which is decided at the edge.
 */
import type { JsonObject } from './json.ts';
import { type Micros, toNanos, toRfc3339 } from './time.ts';
import { KNOWN_FIELDS, RESERVED_FIELDS, type StoredUser } from './user.ts';

/** What is known of a user beside its record. */
export interface Aside {
  /** At least one live connection, and not invisible. */
  readonly online: boolean;
}

type Rendered = Record<string, unknown>;

/** Optional fields of the record that every dialect shows under their own name. */
function optionalFields(user: StoredUser, into: Rendered, time: (at: Micros) => string | number): void {
  if (user.name !== undefined) into.name = user.name;
  if (user.image !== undefined) into.image = user.image;
  if (user.teams_role !== undefined) into.teams_role = user.teams_role;
  if (user.privacy_settings !== undefined) into.privacy_settings = user.privacy_settings;
  if (user.last_active !== undefined) into.last_active = time(user.last_active);
  if (user.deactivated_at !== undefined) into.deactivated_at = time(user.deactivated_at);
  if (user.deleted_at !== undefined) into.deleted_at = time(user.deleted_at);
  if (user.revoke_tokens_issued_before !== undefined) into.revoke_tokens_issued_before = time(user.revoke_tokens_issued_before);
}

/** Chat v1: custom data at the top level, RFC 3339 times. A custom key equal to a field's name is not shown. */
export function renderV1(user: StoredUser, { online }: Aside): Rendered {
  const out: Rendered = {
    id: user.id,
    role: user.role,
    teams: user.teams,
    language: user.language ?? '',
    created_at: toRfc3339(user.created_at),
    updated_at: toRfc3339(user.updated_at),
    banned: false,
    shadow_banned: false,
    online,
    invisible: user.invisible ?? false,
    blocked_user_ids: [],
    devices: [],
    mutes: [],
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

/** `/api/v2` UserResponse: custom data nested, times as integer nanoseconds, the published always-present fields always there. */
export function renderV2(user: StoredUser, { online }: Aside): Rendered {
  const out: Rendered = {
    id: user.id,
    role: user.role,
    language: user.language ?? '',
    banned: false,
    shadow_banned: false,
    invisible: user.invisible ?? false,
    online,
    created_at: toNanos(user.created_at),
    updated_at: toNanos(user.updated_at),
    teams: user.teams,
    blocked_user_ids: [],
    custom: user.custom,
  };
  optionalFields(user, out, toNanos);
  return out;
}

/** `/api/v2` FullUserResponse: a UserResponse with devices, mutes and the counters, which a users-only server has at zero. */
export function renderV2Full(user: StoredUser, aside: Aside): Rendered {
  const out = renderV2(user, aside);
  out.devices = [];
  out.mutes = [];
  out.channel_mutes = [];
  out.total_unread_count = 0;
  out.unread_count = 0;
  out.unread_channels = 0;
  out.unread_threads = 0;
  return out;
}

export type DateStyle = 'rfc3339' | 'ns';

/** The live protocol: the full public record with custom nested and its revision. */
export function renderLive(user: StoredUser, { online }: Aside, dates: DateStyle = 'rfc3339'): Rendered {
  const time = dates === 'ns' ? toNanos : toRfc3339;
  const out: Rendered = {
    id: user.id,
    rev: user.rev,
    role: user.role,
    teams: user.teams,
    custom: user.custom,
    created_at: time(user.created_at),
    updated_at: time(user.updated_at),
    online,
    banned: false,
    invisible: user.invisible ?? false,
  };
  if (user.language !== undefined) out.language = user.language;
  optionalFields(user, out, time);
  return out;
}
