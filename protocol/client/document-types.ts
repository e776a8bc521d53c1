/** Events about a user group, an export or an import. Their times have the connection's format: RFC 3339, or integer nanoseconds. */
import type { JsonObject } from '../base/json.ts';

/** The common part of events about a user group, an export or an import. Sent to servers that subscribe to everything. */
interface AboutNoUser {
  readonly user?: undefined;
  readonly seq: number;
  readonly created_at: string | number;
  readonly sub?: readonly string[];
}

export interface UserGroupEvent extends AboutNoUser {
  readonly type:
    | 'user_group.created'
    | 'user_group.updated'
    | 'user_group.deleted'
    | 'user_group.member_added'
    | 'user_group.member_removed';
  /** Its current state; for a deleted group, its last state. */
  readonly user_group: {
    readonly app_pk: number;
    readonly id: string;
    readonly name: string;
    readonly description?: string;
    readonly team_id?: string;
    readonly created_by?: string;
    readonly created_at: string | number;
    readonly updated_at: string | number;
    readonly members: readonly {
      readonly app_pk: number;
      readonly group_id: string;
      readonly user_id: string;
      readonly is_admin: boolean;
      readonly created_at: string | number;
    }[];
  };
  /** The members that were added or removed. */
  readonly members?: readonly string[];
}

export interface ExportEvent extends AboutNoUser {
  readonly type: 'export.users.success' | 'export.users.error';
  readonly task_id: string;
  /** The URL of the file, valid for a day. */
  readonly url?: string;
  readonly error?: string;
  readonly started_at: string | number;
  readonly finished_at: string | number;
}

export interface ImportEvent extends AboutNoUser {
  readonly type: 'import.updated';
  readonly import_task: {
    readonly id: string;
    readonly path: string;
    readonly mode: string;
    readonly merge_custom?: boolean;
    readonly state: string;
    readonly history: readonly { readonly prev_state: string; readonly next_state: string; readonly created_at: string | number }[];
    readonly size?: number;
    readonly result?: JsonObject;
    readonly created_at: string | number;
    readonly updated_at: string | number;
  };
  /** Counts users; absent until the file was analysed. */
  readonly progress?: { readonly done: number; readonly total: number };
}

export type DocumentEvent = UserGroupEvent | ExportEvent | ImportEvent;
