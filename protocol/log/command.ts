/**
 * Commands: what a request asks for, decoded and checked for form. Whatever
 * needs the directory to be judged (does the user exist, is the name free) is
 * judged by `decide` in daemon/core.
 */
import type { AppSettings, EventHook, HookInput } from '../app/settings.ts';
import type { FieldError } from '../base/errors.ts';
import type { JsonObject } from '../base/json.ts';
import type { DeactivateOptions, DeleteMode, DeleteOptions } from '../users/delete-options.ts';
import type { Patch } from '../users/patch.ts';
import type { Device, PrivacySettings, PushPreferences, StoredUser, UserInput } from '../users/user.ts';
import type { Activity, DocChange } from './documents.ts';

/** Who asks. A server may act for anyone; a user only for itself. */
export type Actor = { readonly kind: 'server' } | { readonly kind: 'user'; readonly id: string };

/**
 * Revisions that users must have for the command to change them; 0: there must be no such user; `*`: there must be one. Who has
 * another one is a problem of kind `precondition`. A user that would not change anyway is none: what was asked for is already so.
 */
export type Conditions = ReadonlyMap<string, number | '*'>;

export interface UpsertCommand {
  readonly kind: 'upsert';
  readonly actor: Actor;
  readonly users: readonly UserInput[];
  /** What decoding found wrong with other users of the same batch: it fails as a whole, and every error is listed. */
  readonly problems: readonly FieldError[];
  /** What to do with a user that exists: replace it (default), refuse it (`conflict`), or keep it as it is. */
  readonly existing?: 'replace' | 'refuse' | 'keep';
  /** What to do with a user that does not: create it (default), or refuse it (`not_found`). */
  readonly missing?: 'create' | 'refuse';
  /** Custom data that is not sent stays. */
  readonly mergeCustom?: boolean;
  /** The id of a deleted user may be created anew. */
  readonly reuseDeleted?: boolean;
  readonly ifRev?: Conditions;
}

export interface PatchCommand {
  readonly kind: 'patch';
  readonly actor: Actor;
  readonly patches: readonly { readonly id: string; readonly patch: Patch }[];
  readonly problems: readonly FieldError[];
  readonly ifRev?: Conditions;
}

/** The keys a client sent with its connect; absent keys are left alone. */
export interface ConnectDetails {
  readonly name?: string;
  readonly image?: string;
  readonly language?: string;
  readonly invisible?: boolean;
  readonly privacy_settings?: PrivacySettings;
  readonly custom: JsonObject;
  /** Server fields: they may be repeated, not changed. */
  readonly role?: string;
  readonly teams?: readonly string[];
  readonly teams_role?: Readonly<Record<string, string>>;
}

export interface ConnectCommand {
  readonly kind: 'connect';
  readonly id: string;
  readonly details: ConnectDetails;
}

/** Users whose live connections are still open. Who is no living user is passed over. Sent by the daemon itself. */
export interface ActiveCommand {
  readonly kind: 'active';
  readonly ids: readonly string[];
}

/** With `task`, each user succeeds or fails alone and the task carries the results; without, the first problem is the answer. */
export interface DeleteCommand {
  readonly kind: 'delete';
  readonly ids: readonly string[];
  readonly mode: DeleteMode;
  readonly options: DeleteOptions;
  readonly task?: string;
  readonly ifRev?: Conditions;
  /** Users that are not there, or not any more, are passed over. */
  readonly skipsGone?: boolean;
}

export interface DeactivateCommand {
  readonly kind: 'deactivate';
  readonly ids: readonly string[];
  readonly options: DeactivateOptions;
  readonly task?: string;
  readonly ifRev?: Conditions;
}

export interface ReactivateCommand {
  readonly kind: 'reactivate';
  readonly ids: readonly string[];
  readonly name?: string;
  readonly options: DeactivateOptions;
  readonly task?: string;
  readonly ifRev?: Conditions;
}

/** All or nothing: one that cannot be restored refuses the command. */
export interface RestoreCommand {
  readonly kind: 'restore';
  readonly ids: readonly string[];
}

/** Creates a guest. `fallbackId` is used when `input.id` is taken. */
export interface GuestCommand {
  readonly kind: 'guest';
  readonly input: UserInput;
  readonly fallbackId?: string;
}

/** An event of the application's own to the clients of a user. */
export interface CustomEventCommand {
  readonly kind: 'custom-event';
  readonly id: string;
  readonly type: string;
  readonly custom: JsonObject;
}

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
  /** Beside it, a ban from the channels that `by` will create. Needs `by`. */
  readonly future?: boolean;
  readonly ip?: boolean;
  /** Carried on the event for the service that owns messages. */
  readonly deleteMessages?: DeleteMode;
}

export interface UnbanCommand {
  readonly kind: 'unban';
  readonly actor: Actor;
  readonly target: string;
  /** Who lifts it. Need not exist. */
  readonly by?: string;
  readonly cid?: string;
  /** Only a shadow ban is lifted. */
  readonly shadow?: boolean;
  /** Beside it, bans from future channels are lifted: those that `futureOf` made, or all. */
  readonly future?: boolean;
  readonly futureOf?: string;
}

/** The outcome names targets that do not exist in `missing`; when none exists, the command is refused. */
export interface MuteCommand {
  readonly kind: 'mute' | 'unmute';
  readonly actor: Actor;
  /** Who does not want to hear. */
  readonly by: string;
  readonly targets: readonly string[];
  readonly minutes?: number;
}

export interface FlagCommand {
  readonly kind: 'flag';
  readonly actor: Actor;
  readonly target: string;
  readonly by?: string;
  readonly reason?: string;
  readonly custom?: JsonObject;
  /** Id of the report, made by the caller of decide. */
  readonly itemId: string;
}

export interface UnflagCommand {
  readonly kind: 'unflag';
  readonly actor: Actor;
  readonly target: string;
  readonly by?: string;
}

export interface BypassCommand {
  readonly kind: 'bypass';
  readonly target: string;
  readonly enabled: boolean;
}

export interface BlockCommand {
  readonly kind: 'block' | 'unblock';
  readonly actor: Actor;
  readonly by: string;
  readonly target: string;
}

/** Ends bans and mutes whose time is over, and drops tasks and receipts that were kept long enough. Sent by the daemon itself. */
export interface ExpireCommand {
  readonly kind: 'expire';
}

export interface DeviceCommand {
  readonly kind: 'device-add';
  readonly by: string;
  readonly device: Omit<Device, 'created_at'>;
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

export interface RoleCommand {
  readonly kind: 'role-create' | 'role-delete';
  readonly name: string;
}

export interface GroupCreateCommand {
  readonly kind: 'group-create';
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly team_id?: string;
  readonly created_by?: string;
  readonly memberIds: readonly string[];
}

export interface GroupUpdateCommand {
  readonly kind: 'group-update';
  readonly id: string;
  readonly name?: string;
  readonly description?: string;
  readonly team_id?: string;
}

export interface GroupDeleteCommand {
  readonly kind: 'group-delete';
  readonly id: string;
  readonly team_id?: string;
}

export interface GroupMembersCommand {
  readonly kind: 'group-add' | 'group-remove';
  readonly id: string;
  readonly team_id?: string;
  readonly memberIds: readonly string[];
  readonly asAdmin?: boolean;
}

/** Absent: left alone. null: back to the default. `event_hooks` replaces all hooks; `grants` and `other` change what they name. */
export interface SettingsCommand {
  readonly kind: 'settings';
  readonly set: {
    readonly [Name in Exclude<keyof AppSettings, 'event_hooks' | 'grants'>]?: AppSettings[Name] | null;
  } & {
    readonly event_hooks?: readonly HookInput[] | null;
    /** A role with null has its built-in permissions again. */
    readonly grants?: Readonly<Record<string, readonly string[] | null>> | null;
  };
  /** Of the request: hooks that do not say how their body is written have it. */
  readonly dialect?: EventHook['dialect'];
}

/** Adds activities to the feeds they name; one whose id is there already is replaced, and is in the feeds of both. */
export interface ActivityAddCommand {
  readonly kind: 'activity-add';
  readonly activities: readonly Activity[];
  /** A client's own reference: it replaces activities of no other actor. */
  readonly actor?: string;
}

/** Takes activities out of a feed; out of the feed that one was added to first, it is gone. None there is no error. */
export interface ActivityRemoveCommand {
  readonly kind: 'activity-remove';
  readonly feed: string;
  /** One id, or a foreign id that any number of activities may have: at most `LIMITS.activitiesPerRequest` go at once. */
  readonly by: { readonly id: string } | { readonly foreignId: string };
}

/** Writes documents as they are. For what has no rules of its own: the progress of tasks, and who follows whom. */
export interface DocsCommand {
  readonly kind: 'docs';
  readonly changes: readonly DocChange[];
}

/**
 * A command that is carried out once, whatever number of times it is sent: the receipt of the first time lies in the entry
 * of its effects. The same key with another fingerprint is refused as `key_reused`.
 */
export interface OnceCommand {
  readonly kind: 'once';
  readonly key: string;
  readonly fingerprint: string;
  readonly command: Exclude<Command, OnceCommand>;
}

export type Command =
  | OnceCommand
  | UpsertCommand
  | PatchCommand
  | ConnectCommand
  | ActiveCommand
  | DeleteCommand
  | DeactivateCommand
  | ReactivateCommand
  | RestoreCommand
  | GuestCommand
  | CustomEventCommand
  | BanCommand
  | UnbanCommand
  | MuteCommand
  | FlagCommand
  | UnflagCommand
  | BypassCommand
  | BlockCommand
  | ExpireCommand
  | DeviceCommand
  | DeviceRemoveCommand
  | PushCommand
  | RoleCommand
  | GroupCreateCommand
  | GroupUpdateCommand
  | GroupDeleteCommand
  | GroupMembersCommand
  | SettingsCommand
  | ActivityAddCommand
  | ActivityRemoveCommand
  | DocsCommand;

/** What became of each user of a command. */
export type Change = 'created' | 'updated' | 'unchanged';

/** The answer to a command that was accepted: the users as they are now, in the order asked for. */
export interface Outcome {
  readonly users: readonly { readonly user: StoredUser; readonly change: Change }[];
  readonly warnings: readonly string[];
  /** Ids that the command named and that do not exist, where that is no error. */
  readonly missing?: readonly string[];
  /** Documents as they are now. */
  readonly docs?: readonly DocChange[];
  /** Everything this command did is at or before this position. */
  readonly seq: number;
  /** It was carried out before; nothing was done now. Users and documents are as they are now. */
  readonly isReplay?: true;
  /** Of a replay: users that were hard-deleted since, or by it. They are not in `users`. */
  readonly gone?: readonly string[];
}
