/** A user as `/api/v2` shows it. Times are nanoseconds since 1970. */
import type { JsonRecord } from './api-call.ts';

export interface UserRecord {
  readonly id: string;
  readonly name?: string;
  readonly image?: string;
  readonly role: string;
  readonly language: string;
  readonly teams: readonly string[];
  readonly teams_role?: Readonly<Record<string, string>>;
  readonly banned: boolean;
  readonly shadow_banned: boolean;
  readonly ban_expires?: number;
  readonly online: boolean;
  readonly invisible: boolean;
  readonly blocked_user_ids: readonly string[];
  readonly privacy_settings?: JsonRecord;
  readonly created_at: number;
  readonly updated_at: number;
  readonly last_active?: number;
  readonly deactivated_at?: number;
  readonly deleted_at?: number;
  readonly revoke_tokens_issued_before?: number;
  readonly custom: JsonRecord;
  readonly devices?: readonly JsonRecord[];
  readonly mutes?: readonly { readonly target: { readonly id: string }; readonly expires?: number }[];
}

/** The users of an answer of QueryUsers. */
export function usersOf({ users }: JsonRecord): readonly UserRecord[] {
  return Array.isArray(users) ? users : [];
}

/** Words for what sets a user apart, the gravest first. */
export function statesOf({ deleted_at, deactivated_at, banned, shadow_banned, online }: UserRecord): readonly string[] {
  return [
    ...(deleted_at === undefined ? [] : ['deleted']),
    ...(deactivated_at === undefined ? [] : ['deactivated']),
    ...(banned ? ['banned'] : []),
    ...(shadow_banned ? ['shadow-banned'] : []),
    ...(online ? ['online'] : []),
  ];
}
