/** Settings of the application that a server changes while the daemon runs (`PATCH /app`). Part of the durable format. */

import Type, { type Static } from 'typebox';
import type { JsonObject } from '../base/json.ts';
import { MicrosField } from '../base/schemas.ts';
import { CustomPermission } from './custom-permissions.ts';

const Names = Type.Array(Type.String());

/** A destination for events beside live connections. Only `webhook` is delivered; other kinds are kept and reported as not delivered. */
export const EventHook = Type.Object({
  id: Type.String(),
  hook_type: Type.Union([Type.Literal('webhook'), Type.Literal('sqs'), Type.Literal('sns'), Type.Literal('pending_message')]),
  enabled: Type.Boolean(),
  /** Empty: all. */
  event_types: Names,
  webhook_url: Type.Optional(Type.String()),
  /** Absent: all. */
  product: Type.Optional(Type.String()),
  /** Time for one delivery; absent: the default. */
  timeout_ms: Type.Optional(Type.Integer({ minimum: 1 })),
  /** The form of the body. */
  dialect: Type.Union([Type.Literal('v1'), Type.Literal('v2')]),
  created_at: MicrosField,
  updated_at: MicrosField,
  /** Fields of the published hook that rosterd only repeats. */
  rest: Type.Optional(Type.Unsafe<JsonObject>(Type.Object({}, { additionalProperties: true }))),
});
export type EventHook = Static<typeof EventHook>;

/** A hook in the form of a request. Its times are set when it is stored; without a dialect it gets that of the request. */
export type HookInput = Omit<EventHook, 'created_at' | 'updated_at' | 'dialect'> & Partial<Pick<EventHook, 'dialect'>>;

const UniqueNames = Type.Union([Type.Literal('no'), Type.Literal('app'), Type.Literal('team')]);

/** Absent means never set: the default of the published API applies. */
export const AppSettings = Type.Object({
  enforce_unique_usernames: UniqueNames,
  revoke_tokens_issued_before: Type.Optional(MicrosField),
  name: Type.Optional(Type.String()),
  organization: Type.Optional(Type.String()),
  /** Clients see only users of their own teams; those without a team see only each other. */
  multi_tenant_enabled: Type.Optional(Type.Boolean()),
  guest_user_creation_disabled: Type.Optional(Type.Boolean()),
  /** Users can connect with development tokens, which are unsigned. */
  disable_auth_checks: Type.Optional(Type.Boolean()),
  /** Clients may also do what their role does not grant. They still cannot change a role. */
  disable_permissions_checks: Type.Optional(Type.Boolean()),
  permission_version: Type.Optional(Type.String()),
  /** Roles whose users do not appear in clients' queries. */
  user_search_disallowed_roles: Type.Optional(Names),
  /** Permissions by role, which replace the built-in ones of that role. */
  grants: Type.Optional(Type.Record(Type.String(), Names)),
  /** Permissions beside the built-in ones, by id. They have endpoints of their own. */
  permissions: Type.Optional(Type.Array(CustomPermission)),
  webhook_url: Type.Optional(Type.String()),
  webhook_events: Type.Optional(Names),
  event_hooks: Type.Optional(Type.Array(EventHook)),
  enable_hook_payload_compression: Type.Optional(Type.Boolean()),
  /** All other settings that a caller set: kept and repeated, but not used. */
  other: Type.Optional(Type.Unsafe<JsonObject>(Type.Object({}, { additionalProperties: true }))),
});
export type AppSettings = Static<typeof AppSettings>;

/** Absent: unchanged. null: back to the default. `event_hooks` replaces all hooks; `grants` and `other` change the keys they name. */
export interface SettingsCommand {
  readonly kind: 'settings';
  readonly set: {
    readonly [Name in Exclude<keyof AppSettings, 'event_hooks' | 'grants' | 'permissions'>]?: AppSettings[Name] | null;
  } & {
    readonly event_hooks?: readonly HookInput[] | null;
    /** null restores the built-in permissions of a role. */
    readonly grants?: Readonly<Record<string, readonly string[] | null>> | null;
  };
  /** `enforce_unique_usernames` in its other spelling, where the request has both with different values: the one that differs from the setting counts. */
  readonly otherUniqueNames?: AppSettings['enforce_unique_usernames'];
  /** The revision that the settings must have to be changed: the seq of their last change, 0 when there was none. */
  readonly ifRev?: number;
  /** The dialect of the request, and of the body of hooks that do not name one. */
  readonly dialect?: EventHook['dialect'];
}
