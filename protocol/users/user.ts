/**
 * The user: the one record that is stored, and the fields that a caller may send to change it.
 *
 * A stored record never changes in place; every change makes a new object. A
 * snapshot, a query or a socket's queue that holds one therefore holds a consistent state.
 */

import Type, { type Static } from 'typebox';
import { says } from '../base/explain.ts';
import type { JsonObject } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { MicrosField } from '../base/schemas.ts';

const Toggle = Type.Object({ enabled: Type.Boolean() });

export const PrivacySettings = Type.Object({
  typing_indicators: Type.Optional(Toggle),
  read_receipts: Type.Optional(Toggle),
  delivery_receipts: Type.Optional(Toggle),
});
export type PrivacySettings = Static<typeof PrivacySettings>;

const Custom = Type.Unsafe<JsonObject>(Type.Object({}, { additionalProperties: true }));
const TeamsRole = Type.Record(Type.String(), Type.String());

/**
 * One ban: for the application, for one channel (`cid`), or for the future channels of the user that made it (`future`).
 * An entry of its own removes an expired ban, so that no rendering needs a clock.
 */
export const Ban = Type.Object({
  cid: Type.Optional(Type.String()),
  by: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  created_at: MicrosField,
  expires: Type.Optional(MicrosField),
  /** The user is not informed, and appears not to be banned. */
  shadow: Type.Optional(Type.Boolean()),
  /** Applies only to channels that `by` will create; kept for the service that owns channels. */
  future: Type.Optional(Type.Boolean()),
  ip: Type.Optional(Type.Boolean()),
});
export type Ban = Static<typeof Ban>;

/** A user that this user does not want to hear. */
export const Mute = Type.Object({
  id: Type.String(),
  created_at: MicrosField,
  updated_at: MicrosField,
  expires: Type.Optional(MicrosField),
});
export type Mute = Static<typeof Mute>;

export const Block = Type.Object({ id: Type.String(), created_at: MicrosField });
export type Block = Static<typeof Block>;

/** A report about this user, at most one from each reporter. */
export const Flag = Type.Object({
  item_id: Type.String(),
  by: Type.Optional(Type.String()),
  reason: Type.Optional(Type.String()),
  custom: Type.Optional(Custom),
  created_at: MicrosField,
});
export type Flag = Static<typeof Flag>;

export const Device = Type.Object({
  id: Type.String(),
  push_provider: Type.String(),
  push_provider_name: Type.Optional(Type.String()),
  hardware_id: Type.Optional(Type.String()),
  voip: Type.Optional(Type.Boolean()),
  created_at: MicrosField,
});
export type Device = Static<typeof Device>;

/** Stored for the service that sends notifications; rosterd sends none. */
export const PushPreferences = Type.Object({
  chat_level: Type.Optional(Type.String()),
  call_level: Type.Optional(Type.String()),
  feeds_level: Type.Optional(Type.String()),
  disabled_until: Type.Optional(MicrosField),
  chat_preferences: Type.Optional(Custom),
  feeds_preferences: Type.Optional(Custom),
  /** Preferences for single channels, by cid. */
  channels: Type.Optional(Type.Record(Type.String(), Custom)),
});
export type PushPreferences = Static<typeof PushPreferences>;

/** The record as the log, snapshots and memory hold it. Times are microseconds. Absent means never set. */
export const StoredUser = Type.Object({
  id: Type.String(),
  /** Seq of the fact that last changed the user: grows with every change that causes an event. */
  rev: Type.Integer({ minimum: 1 }),
  name: Type.Optional(Type.String()),
  image: Type.Optional(Type.String()),
  role: Type.String(),
  teams: Type.Array(Type.String()),
  teams_role: Type.Optional(TeamsRole),
  language: Type.Optional(Type.String()),
  invisible: Type.Optional(Type.Boolean()),
  privacy_settings: Type.Optional(PrivacySettings),
  custom: Custom,
  created_at: MicrosField,
  updated_at: MicrosField,
  last_active: Type.Optional(MicrosField),
  deactivated_at: Type.Optional(MicrosField),
  deleted_at: Type.Optional(MicrosField),
  /** The kind of delete. A hard delete leaves no record, only a tombstone. */
  deleted: Type.Optional(Type.Union([Type.Literal('soft'), Type.Literal('pruning')])),
  /** A sync deactivated, or deleted, the user, because its source did not name it. Never shown. Ends with that state. */
  deactivated_by_sync: Type.Optional(Type.Literal(true)),
  deleted_by_sync: Type.Optional(Type.Literal(true)),
  revoke_tokens_issued_before: Type.Optional(MicrosField),
  bans: Type.Optional(Type.Array(Ban)),
  mutes: Type.Optional(Type.Array(Mute)),
  blocks: Type.Optional(Type.Array(Block)),
  flags: Type.Optional(Type.Array(Flag)),
  bypass_moderation: Type.Optional(Type.Boolean()),
  devices: Type.Optional(Type.Array(Device)),
  push: Type.Optional(PushPreferences),
  /** The memory of the stale-reconnect guard: digests of the values that this user's connects have sent. Never shown. */
  sent: Type.Optional(Type.String()),
});
export type StoredUser = Readonly<Static<typeof StoredUser>>;

/**
 * One user of a server's upsert, decoded from either dialect: custom data nested, reserved keys removed.
 * Absent name, image and custom mean "remove"; the other absent fields mean "keep" (US1).
 */
export interface UserInput {
  readonly id: string;
  readonly name?: string;
  readonly image?: string;
  readonly custom: JsonObject;
  readonly role?: string;
  readonly teams?: readonly string[];
  readonly teams_role?: Readonly<Record<string, string>>;
  readonly language?: string;
  readonly invisible?: boolean;
  readonly privacy_settings?: PrivacySettings;
}

export const TEAMS_BOUND = `must not hold more than ${LIMITS.teamsPerUser} teams`;

/**
 * A user as a caller sends it, in either dialect. In v1 all other keys are custom data; in v2 custom data may also be in `custom`.
 * A user under its id in a map may repeat the id.
 */
export const UserRequest = Type.Object(
  {
    id: Type.Optional(Type.Union([Type.String({ maxLength: LIMITS.idChars }), Type.Null()])),
    name: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    image: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    role: Type.Optional(Type.Union([Type.String({ maxLength: LIMITS.roleChars }), Type.Null()])),
    teams: Type.Optional(
      Type.Union([Type.Array(Type.String(), { maxItems: LIMITS.teamsPerUser, ...says({ maxItems: TEAMS_BOUND }) }), Type.Null()]),
    ),
    teams_role: Type.Optional(
      Type.Union([
        Type.Record(Type.String(), Type.String(), { maxProperties: LIMITS.teamsPerUser, ...says({ maxProperties: TEAMS_BOUND }) }),
        Type.Null(),
      ]),
    ),
    language: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    invisible: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
    privacy_settings: Type.Optional(Type.Union([PrivacySettings, Type.Null()])),
    custom: Type.Optional(Type.Union([Custom, Type.Null()])),
  },
  { additionalProperties: true, title: 'UserRequest' },
);
export type UserRequest = Static<typeof UserRequest>;

/** Fields that only the server sets. When a caller sends them, they are ignored: not stored, not an error. */
export const RESERVED_FIELDS: ReadonlySet<string> = new Set([
  'created_at',
  'updated_at',
  'last_active',
  'online',
  'banned',
  'ban_expires',
  'shadow_banned',
  'deactivated_at',
  'deleted_at',
  'mutes',
  'channel_mutes',
  'devices',
  'blocked_user_ids',
  'unread_count',
  'unread_channels',
  'unread_threads',
  'total_unread_count',
  'total_unread_count_by_team',
  'latest_hidden_channels',
  'push_notifications',
  'push_preferences',
  'avg_response_time',
  'bypass_moderation',
  'rev',
]);

/** Fields with a place in the record; every other key that a caller sends is custom data. */
export const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  'id',
  'name',
  'image',
  'role',
  'teams',
  'teams_role',
  'language',
  'invisible',
  'privacy_settings',
  'custom',
  'revoke_tokens_issued_before',
]);

/** Roles that exist without being created. */
export const BUILT_IN_ROLES: ReadonlySet<string> = new Set([
  'user',
  'guest',
  'anonymous',
  'admin',
  'moderator',
  'global_moderator',
  'global_admin',
  'channel_member',
  'channel_moderator',
]);

export const DEFAULT_ROLE = 'user';

/** Fields of the record that an upsert keeps: other operations write them. */
export const SERVER_FIELDS = [
  'last_active',
  'deactivated_at',
  'deactivated_by_sync',
  'revoke_tokens_issued_before',
  'bans',
  'mutes',
  'blocks',
  'flags',
  'bypass_moderation',
  'devices',
  'push',
  'sent',
] as const satisfies readonly (keyof StoredUser)[];

/** The ban for the whole application that is in force, shadow bans included. */
export function appBan(user: StoredUser): Ban | undefined {
  return user.bans?.find(({ cid, future }) => cid === undefined && future !== true);
}

/** True when the user may be shown and used: not deleted. */
export function isAlive(user: StoredUser): boolean {
  return user.deleted_at === undefined;
}
