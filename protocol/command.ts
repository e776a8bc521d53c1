/**
 * Commands: what a request asks for, decoded and checked for form. Whatever
 * needs the directory to be judged (does the user exist, is the name free) is
 * judged by `decide` in daemon/core.
 */
import type { DeactivateOptions, DeleteMode, DeleteOptions } from './delete-options.ts';
import type { AppSettings } from './entry.ts';
import type { FieldError } from './errors.ts';
import type { JsonObject } from './json.ts';
import type { Patch } from './patch.ts';
import type { PrivacySettings, StoredUser, UserInput } from './user.ts';

/** Who asks. A server may act for anyone; a user only for itself. */
export type Actor = { readonly kind: 'server' } | { readonly kind: 'user'; readonly id: string };

export interface UpsertCommand {
  readonly kind: 'upsert';
  readonly actor: Actor;
  readonly users: readonly UserInput[];
  /** What decoding found wrong with other users of the same batch: it fails as a whole, and every error is listed. */
  readonly problems: readonly FieldError[];
}

export interface PatchCommand {
  readonly kind: 'patch';
  readonly actor: Actor;
  readonly patches: readonly { readonly id: string; readonly patch: Patch }[];
  readonly problems: readonly FieldError[];
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

/** With `task`, each user succeeds or fails alone and the task carries the results; without, the first problem is the answer. */
export interface DeleteCommand {
  readonly kind: 'delete';
  readonly ids: readonly string[];
  readonly mode: DeleteMode;
  readonly options: DeleteOptions;
  readonly task?: string;
}

export interface DeactivateCommand {
  readonly kind: 'deactivate';
  readonly ids: readonly string[];
  readonly options: DeactivateOptions;
  readonly task?: string;
}

export interface ReactivateCommand {
  readonly kind: 'reactivate';
  readonly ids: readonly string[];
  readonly name?: string;
  readonly options: DeactivateOptions;
  readonly task?: string;
}

export interface SettingsCommand {
  readonly kind: 'settings';
  readonly enforce_unique_usernames?: AppSettings['enforce_unique_usernames'];
  /** null clears the stamp. */
  readonly revoke_tokens_issued_before?: number | null;
}

export type Command =
  | UpsertCommand
  | PatchCommand
  | ConnectCommand
  | DeleteCommand
  | DeactivateCommand
  | ReactivateCommand
  | SettingsCommand;

/** What became of each user of a command. */
export type Change = 'created' | 'updated' | 'unchanged';

/** The answer to a command that was accepted: the users as they are now, in the order asked for. */
export interface Outcome {
  readonly users: readonly { readonly user: StoredUser; readonly change: Change }[];
  readonly warnings: readonly string[];
  /** Everything this command did is at or before this position. */
  readonly seq: number;
}
