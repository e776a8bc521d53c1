/**
 * Commands: decoded requests whose form is checked. Conditions that depend on
 * the directory (does the user exist, is the name free) are checked by `decide`
 * in daemon/core.
 */

import type { GroupCreateCommand, GroupDeleteCommand, GroupMembersCommand, GroupUpdateCommand } from '../access/groups.ts';
import type { RoleCommand } from '../access/roles.ts';
import type { SignInCommand, SignOutCommand } from '../access/sign-ins.ts';
import type { PermissionDeleteCommand, PermissionWriteCommand } from '../app/custom-permissions.ts';
import type { DeviceCommand, DeviceRemoveCommand, PushCommand } from '../app/devices.ts';
import type { SettingsCommand } from '../app/settings.ts';
import type { ActivityAddCommand, ActivityRemoveCommand } from '../feeds/activities.ts';
import type { FollowCommand, UnfollowCommand } from '../feeds/follows.ts';
import type { BanCommand, UnbanCommand } from '../moderation/bans.ts';
import type { BlockCommand } from '../moderation/blocks.ts';
import type { BypassCommand, FlagCommand, UnflagCommand } from '../moderation/flags.ts';
import type { MuteCommand } from '../moderation/mutes.ts';
import type { PlanCommand } from '../transfer/plans.ts';
import type { ActiveCommand, ConnectCommand } from '../users/connect.ts';
import type { CustomEventCommand, GuestCommand } from '../users/guests.ts';
import type { DeactivateCommand, DeleteCommand, ReactivateCommand, RestoreCommand } from '../users/lifecycle.ts';
import type { PatchCommand } from '../users/patch-request.ts';
import type { UpsertCommand } from '../users/upsert.ts';
import type { StoredUser } from '../users/user.ts';
import type { DocChange } from './documents.ts';

/** Ends expired bans and mutes, and drops tasks and receipts after their retention. The daemon itself sends it. */
export interface ExpireCommand {
  readonly kind: 'expire';
}

/** Writes documents as they are, for those without rules, such as the progress of tasks. */
export interface DocsCommand {
  readonly kind: 'docs';
  readonly changes: readonly DocChange[];
  /** The `user_ids` that a request named: it is refused unless all of them are alive. */
  readonly userIds?: readonly string[];
}

/** Lets a session speak for a durable consumer, which is created if it does not exist. The daemon itself sends it. */
export interface ConsumerOpenCommand {
  readonly kind: 'consumer-open';
  readonly name: string;
  /** The connection id of the session; absent where there are no other nodes. */
  readonly holder?: string;
}

/** Positions of the current epoch up to which durable consumers have everything. */
export interface ConsumerAckCommand {
  readonly kind: 'consumer-ack';
  readonly positions: readonly { readonly name: string; readonly seq: number }[];
}

export interface ConsumerRemoveCommand {
  readonly kind: 'consumer-remove';
  readonly name: string;
}

/** Grants the lease of a job to a node that has it in the storage, and ends the one that was granted before. */
export interface LeaseCommand {
  readonly kind: 'lease';
  readonly job: string;
  readonly holder: string;
}

/** A command of a job that only the holder of its lease may do. Refused once another node has the lease, as `unavailable`. */
export interface HeldCommand {
  readonly kind: 'held';
  readonly job: string;
  readonly token: number;
  readonly command: PlainCommand;
}

/**
 * A command that is carried out once, however often it is sent: the entry of its effects also contains its receipt. The same
 * key with another fingerprint is refused as `key_reused`.
 */
export interface OnceCommand {
  readonly kind: 'once';
  readonly key: string;
  readonly fingerprint: string;
  readonly command: PlainCommand;
}

/** A command that stands for itself. */
export type PlainCommand =
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
  | PermissionWriteCommand
  | PermissionDeleteCommand
  | GroupCreateCommand
  | GroupUpdateCommand
  | GroupDeleteCommand
  | GroupMembersCommand
  | SettingsCommand
  | ActivityAddCommand
  | ActivityRemoveCommand
  | FollowCommand
  | UnfollowCommand
  | ConsumerOpenCommand
  | ConsumerAckCommand
  | ConsumerRemoveCommand
  | SignInCommand
  | SignOutCommand
  | PlanCommand
  | DocsCommand;

export type Command = PlainCommand | OnceCommand | HeldCommand | LeaseCommand;

export function isPlainCommand(command: Command): command is PlainCommand {
  return command.kind !== 'once' && command.kind !== 'held' && command.kind !== 'lease';
}

/** The effect of a command on one user. */
export type Change = 'created' | 'updated' | 'reactivated' | 'restored' | 'unchanged';

/** The answer to an accepted command: the users in their current state, in the requested order. */
export interface Outcome {
  readonly users: readonly { readonly user: StoredUser; readonly change: Change }[];
  readonly warnings: readonly string[];
  /** Ids in the command that do not exist, where that is no error. */
  readonly missing?: readonly string[];
  /** Documents in their current state. */
  readonly docs?: readonly DocChange[];
  /** All effects of this command are at or before this position. */
  readonly seq: number;
  /** The command was carried out before, and nothing happened now. Users and documents are in their current state. */
  readonly isReplay?: true;
  /** Of a replay: users that were hard-deleted since then, or by the command. They are not in `users`. */
  readonly gone?: readonly string[];
}
