/**
 * The facts that decide who receives an event. Interests, the router and the events share them, so that none of these modules depends on
 * another for the definition of an event.
 */
import type { Audience } from '../../../protocol/live/user-events.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

/** The user that an event or a presence change is about. Without `after`, it is about no user. */
export interface Concerned {
  readonly id: string;
  readonly after: StoredUser | undefined;
  readonly before: StoredUser | undefined;
}

/** The facts that decide who receives an event about a user. */
export interface ToldOfUser extends Concerned {
  readonly seq: number;
  readonly type: string;
  readonly audience: Audience;
  readonly after: StoredUser;
  /** The living user before; undefined when there was none. */
  readonly before: StoredUser | undefined;
  /** False for an event that is read back from the log, where the state before is not known. */
  readonly knowsBefore: boolean;
  readonly online: boolean;
}

/** Like `ToldOfUser`, for an event that is about no user: it goes to servers that subscribe to everything. */
export interface Notice {
  readonly seq: number;
  readonly type: string;
  readonly audience: 'server';
  readonly after: undefined;
}

export type Told = ToldOfUser | Notice;

/** Sent instead of the event when the event takes a user out of the receiver's sight. */
export const HIDDEN = 'hidden';
