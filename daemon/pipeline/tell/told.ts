/**
 * What decides who is told of something: the facts that interests, the router and the events share, so that none of them
 * needs another to say what an event is.
 */
import type { Audience } from '../../../protocol/live/user-events.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

/** Whom something is about: an event, or someone who came or went. Without `after`, it is about no user. */
export interface Concerned {
  readonly id: string;
  readonly after: StoredUser | undefined;
  readonly before: StoredUser | undefined;
}

/** Of an event about a user, what decides who is told of it. */
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

/** The same of an event that is about no user: servers are told of it that want everything. */
export interface Notice {
  readonly seq: number;
  readonly type: string;
  readonly audience: 'server';
  readonly after: undefined;
}

export type Told = ToldOfUser | Notice;

/** What a receiver is told of an event that takes a user out of its sight, in place of the event. */
export const HIDDEN = 'hidden';
