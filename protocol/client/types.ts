/** What a client of the live protocol sees. */
import type { UserEventType } from '../event.ts';
import type { JsonObject } from '../json.ts';

/** A user as the live protocol shows it (protocol/render.ts, `renderLive`). */
export interface LiveUser {
  readonly id: string;
  /** Grows with every change: a record is newer exactly when its revision is higher. */
  readonly rev: number;
  readonly role: string;
  readonly teams: readonly string[];
  readonly custom: JsonObject;
  readonly created_at: string | number;
  readonly updated_at: string | number;
  readonly online: boolean;
  readonly name?: string;
  readonly image?: string;
  readonly deleted_at?: string | number;
  readonly deactivated_at?: string | number;
}

export interface UserEvent {
  /** One of the built-in types, all of which have a dot, or the type of a custom event. */
  readonly type: UserEventType | 'user.presence.changed' | (string & {});
  readonly seq: number;
  readonly created_at: string | number;
  readonly user: LiveUser;
  readonly created?: boolean;
  /** Names of the subscriptions that the event is for; absent for the own user. */
  readonly sub?: readonly string[];
  readonly match?: 'enter' | 'stay' | 'leave';
  /** Data of a custom event. */
  readonly custom?: JsonObject;
}

export type ConnectionState =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting'; readonly attempt: number }
  | { readonly kind: 'open'; readonly connectionId: string }
  /** Comes back by itself after `delayMs`. */
  | { readonly kind: 'waiting'; readonly attempt: number; readonly delayMs: number }
  | { readonly kind: 'closed'; readonly code: number; readonly reason: string };
