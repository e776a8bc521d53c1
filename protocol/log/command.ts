/**
 * Commands: what a request asks for, decoded and checked for form. Whatever
 * needs the directory to be judged (does the user exist, is the name free) is
 * judged by `decide` in daemon/core.
 */

import type { GroupCreateCommand, GroupDeleteCommand, GroupMembersCommand, GroupUpdateCommand } from '../access/groups.ts';
import type { RoleCommand } from '../access/roles.ts';
import type { DeviceCommand, DeviceRemoveCommand, PushCommand } from '../app/devices.ts';
import type { SettingsCommand } from '../app/settings.ts';
import type { ActivityAddCommand, ActivityRemoveCommand } from '../feeds/activities.ts';
import type { BanCommand, UnbanCommand } from '../moderation/bans.ts';
import type { BlockCommand } from '../moderation/blocks.ts';
import type { BypassCommand, FlagCommand, UnflagCommand } from '../moderation/flags.ts';
import type { MuteCommand } from '../moderation/mutes.ts';
import type { ActiveCommand, ConnectCommand } from '../users/connect.ts';
import type { CustomEventCommand, GuestCommand } from '../users/guests.ts';
import type { DeactivateCommand, DeleteCommand, ReactivateCommand, RestoreCommand } from '../users/lifecycle.ts';
import type { PatchCommand } from '../users/patch-request.ts';
import type { UpsertCommand } from '../users/upsert.ts';
import type { StoredUser } from '../users/user.ts';
import type { DocChange } from './documents.ts';

/** Ends bans and mutes whose time is over, and drops tasks and receipts that were kept long enough. Sent by the daemon itself. */
export interface ExpireCommand {
  readonly kind: 'expire';
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
