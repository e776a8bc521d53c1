/** The types that applications of the client see. */

import type { JsonObject } from '../base/json.ts';
import type { Sub } from '../live/client-frames.ts';
import type { UserEventType } from '../live/user-events.ts';
import type { DeleteMode } from '../users/delete-options.ts';
import type { RosterClientError } from './client-error.ts';
import type { ExportEvent, ImportEvent, UserGroupEvent } from './document-types.ts';

/** In the connection's format: RFC 3339, or integer nanoseconds. */
type LiveTime = string | number;

interface Toggle {
  readonly enabled: boolean;
}

export interface UserPrivacy {
  readonly typing_indicators?: Toggle;
  readonly read_receipts?: Toggle;
  readonly delivery_receipts?: Toggle;
}

/** A user as the live protocol shows it (protocol/users/render.ts, `renderLive`): custom data nested. */
export interface LiveUser {
  readonly id: string;
  /** Grows with every change: a record is newer exactly when its revision is higher. */
  readonly rev: number;
  readonly role: string;
  readonly teams: readonly string[];
  readonly custom: JsonObject;
  readonly created_at: LiveTime;
  readonly updated_at: LiveTime;
  readonly online: boolean;
  readonly banned: boolean;
  readonly invisible: boolean;
  readonly name?: string;
  readonly image?: string;
  readonly language?: string;
  /** The role in a single team, by team. */
  readonly teams_role?: Readonly<Record<string, string>>;
  readonly privacy_settings?: UserPrivacy;
  readonly bypass_moderation?: boolean;
  readonly last_active?: LiveTime;
  readonly ban_expires?: LiveTime;
  readonly deleted_at?: LiveTime;
  readonly deactivated_at?: LiveTime;
  /** Tokens that were issued before this time are not valid. */
  readonly revoke_tokens_issued_before?: LiveTime;
}

/** The options of a delete or deactivation for the services that own messages, conversations and calls. */
interface AskedOfOthers {
  readonly delete_user?: DeleteMode;
  readonly delete_messages?: string;
  readonly delete_conversation?: string;
  readonly delete_calls?: string;
  readonly delete_files?: boolean;
  readonly delete_conversation_channels?: boolean;
  readonly hard_delete?: boolean;
  readonly mark_messages_deleted?: boolean;
  readonly mark_channels_deleted?: boolean;
  readonly restore_messages?: boolean;
  readonly restore_channels?: boolean;
  readonly new_channel_owner_id?: string;
  readonly new_call_owner_id?: string;
}

/** The details of a ban, a mute or a report. */
interface Moderated {
  /** The user that did it; also of a deactivation. */
  readonly created_by_id?: string;
  readonly target_ids?: readonly string[];
  readonly reason?: string;
  readonly expiration?: LiveTime;
  readonly shadow?: boolean;
  readonly cid?: string;
  readonly future_channels?: boolean;
  readonly ip_ban?: boolean;
  readonly total_flags?: number;
}

export interface UserEvent extends AskedOfOthers, Moderated {
  /** One of the built-in types, all of which have a dot, or the type of a custom event. */
  readonly type: UserEventType | 'user.presence.changed' | 'user.hidden' | (string & {});
  readonly seq: number;
  readonly created_at: LiveTime;
  /** In `user.hidden` only the id is present. */
  readonly user: LiveUser;
  /** Of `user.updated`: the user is new. */
  readonly created?: true;
  /** Of `user.updated`: a deleted user was restored. */
  readonly restored?: true;
  /** Names of the subscriptions for which the event is; absent for the own user. */
  readonly sub?: readonly string[];
  readonly match?: 'enter' | 'stay' | 'leave';
  /** Data of a custom event. */
  readonly custom?: JsonObject;
}

export type ConnectionState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'open'; readonly connectionId: string }
  /** Reconnects by itself after `delayMs`. */
  | ({ readonly kind: 'waiting'; readonly attempt: number; readonly delayMs: number } & ConnectionEnd)
  /** Does not reconnect. */
  | ({ readonly kind: 'closed' } & ConnectionEnd);

/** The reason why there is no connection. */
export interface ConnectionEnd {
  /** Close code of the connection; 1006 when it broke, or when there was none. */
  readonly code: number;
  readonly reason: string;
  /** The error that the daemon reported. */
  readonly error?: RosterClientError;
}

export interface ClientEvents {
  /**
   * Every event about a user, in order. Each is also emitted under its own type; a custom event whose type is a name in this
   * list is only emitted here (see `onCustom`).
   */
  event: (event: UserEvent) => void;
  'user.updated': (event: UserEvent) => void;
  'user.deleted': (event: UserEvent) => void;
  'user.deactivated': (event: UserEvent) => void;
  'user.reactivated': (event: UserEvent) => void;
  'user.banned': (event: UserEvent) => void;
  'user.unbanned': (event: UserEvent) => void;
  'user.muted': (event: UserEvent) => void;
  'user.unmuted': (event: UserEvent) => void;
  'user.flagged': (event: UserEvent) => void;
  'user.unflagged': (event: UserEvent) => void;
  /** The user is no longer visible: the event has only its id, and the user is no longer in the local copy. */
  'user.hidden': (event: UserEvent) => void;
  /** A user went online or offline. Emitted as it happens; one that is missed during a cut is not emitted later. */
  'user.presence.changed': (event: UserEvent) => void;
  'user_group.created': (event: UserGroupEvent) => void;
  'user_group.updated': (event: UserGroupEvent) => void;
  'user_group.deleted': (event: UserGroupEvent) => void;
  'user_group.member_added': (event: UserGroupEvent) => void;
  'user_group.member_removed': (event: UserGroupEvent) => void;
  'export.users.success': (event: ExportEvent) => void;
  'export.users.error': (event: ExportEvent) => void;
  /** The state or the progress of an import changed. */
  'import.updated': (event: ImportEvent) => void;
  /** These users of the local copy changed: new data, added, removed, online or offline. */
  'users.changed': (ids: readonly string[]) => void;
  state: (state: ConnectionState) => void;
  /**
   * The daemon could not resume from the last position, or the subscription began again: events may have been missed. Gives the
   * current users of the subscription, and the ids that left it. Both are empty for a subscription without a snapshot.
   */
  resync: (sub: string, users: readonly LiveUser[], gone: readonly string[]) => void;
  /** A subscription that had to begin again was refused, and has ended. */
  'sub.refused': (sub: string, error: RosterClientError) => void;
  /** The token ends at `exp` (seconds since 1970). The client asks a token provider by itself; otherwise see `refreshToken`. */
  'token.expiring': (exp: number) => void;
}

/** A device as HTTP answers show it. */
export interface AppDevice {
  readonly id: string;
  readonly push_provider: string;
  readonly push_provider_name?: string;
  readonly user_id: string;
  readonly hardware_id?: string;
  readonly voip?: boolean;
  readonly created_at: string;
}

/** A user as HTTP answers show it, in the chat v1 rendering: custom data at the top level, times in RFC 3339. */
export interface AppUser {
  readonly id: string;
  readonly role: string;
  readonly teams: readonly string[];
  readonly language: string;
  readonly created_at: string;
  readonly updated_at: string;
  readonly online: boolean;
  readonly banned: boolean;
  /** Shown to servers alone; false for every other reader. */
  readonly shadow_banned: boolean;
  readonly invisible: boolean;
  /** Shown to servers and the user itself, as devices and mutes are; empty for every other reader. */
  readonly blocked_user_ids: readonly string[];
  readonly devices: readonly AppDevice[];
  readonly mutes: readonly JsonObject[];
  readonly name?: string;
  readonly image?: string;
  readonly teams_role?: Readonly<Record<string, string>>;
  readonly privacy_settings?: UserPrivacy;
  readonly bypass_moderation?: boolean;
  readonly ban_expires?: string;
  readonly last_active?: string;
  readonly deactivated_at?: string;
  readonly deleted_at?: string;
  readonly revoke_tokens_issued_before?: string;
  readonly [key: string]: unknown;
}

/**
 * An object that may have more than its own fields: a literal with custom data, or a value with a type of its own, such as an
 * interface of the application, or a user that this library returned.
 */
export type Open<Known extends object> = Known | (Known & Readonly<Record<string, unknown>>);

/** A user to write. Custom data may be beside the fields, or in `custom`, or both: the nested value counts. */
export type UserData = Open<{
  readonly id: string;
  readonly name?: string;
  readonly image?: string;
  readonly role?: string;
  readonly teams?: readonly string[];
  readonly custom?: object;
}>;

/** A partial update: keys may be dotted paths. */
export interface UserPatch {
  readonly id: string;
  readonly set?: object;
  readonly unset?: readonly string[];
}

/** The own user at its connect. Custom data may be beside the fields or in `custom`; absent fields do not change. */
export type ConnectedUser = Open<{ readonly id: string }>;

/** A requested subscription: exactly one of ids, teams, filter or all. */
export type Subscription = Omit<Sub, 'ids' | 'teams' | 'filter'> & {
  readonly ids?: readonly string[];
  readonly teams?: readonly string[];
  readonly filter?: Filter;
};

/** Conditions by field, in the form of the HTTP API. */
export type Filter = object;

/** One field and its direction, such as `{ name: 1 }`, or the wire form. */
export type SortField = Readonly<Record<string, 1 | -1>> | { readonly field: string; readonly direction?: 1 | -1 };

export interface QueryOptions {
  readonly limit?: number;
  readonly offset?: number;
  readonly id_gt?: string;
  readonly id_gte?: string;
  readonly id_lt?: string;
  readonly id_lte?: string;
  readonly include_deactivated_users?: boolean;
  /** For servers: also users that were deleted, but not hard. */
  readonly include_deleted_users?: boolean;
  /** Also subscribe to the found users and their presence from now on; they join the local copy. */
  readonly presence?: boolean;
}
