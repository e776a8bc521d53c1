/**
 * One receiver of events. The states are a union: a subscriber is `live` (gets every batch as it is published), `behind` (reads the past
 * until it has caught up) or `out`.
 */
import type { CloseReason } from '../../../protocol/live/close-codes.ts';
import type { EventForm } from './event-form.ts';
import type { Interest } from './interest.ts';

/** The socket, as the hub sees it. */
export interface Outlet {
  /** Bytes that were handed over and that the kernel has not taken yet. */
  readonly queuedBytes: number;
  /** Queues prepared frames for writing, in order. `count`: how many there are in the buffer. */
  write(frames: Buffer, count: number): void;
  /**
   * Resolves `true` when the queue is nearly empty, `false` when the socket closed. A peer that takes nothing for the outlet's stall time
   * is closed as slow.
   */
  drained(): Promise<boolean>;
  close(reason: CloseReason): void;
}

export type SubscriberState =
  /** Everything up to the hub's flushed position was handed over. */
  | { readonly kind: 'live' }
  /** Everything up to `position` was handed over; a catch-up is in progress. `onCaughtUp` is called once it is live again. */
  | { readonly kind: 'behind'; position: number; readonly onCaughtUp: (() => void) | undefined }
  /** Not in the hub: not added yet, or removed. */
  | { readonly kind: 'out' };

/** Shared by all, as an object of its own takes 32 bytes for each. */
export const LIVE: SubscriberState = { kind: 'live' };
export const OUT: SubscriberState = { kind: 'out' };

/** The interests of a receiver, by the name that it gave, or by a symbol, which cannot equal a name, where it gave none. */
export type Interests = Map<string | symbol, Interest>;

/** Tells a subscriber that was behind who is online, once it is live again. */
export interface PresenceTeller {
  /** Finds out which users of its subscriptions are online, in slices. Called before `tellPresence`. */
  gatherPresence(): Promise<void>;
  /** Sends the peer which users of its subscriptions are online now. `changed`: users that may have changed since they were gathered. */
  tellPresence(changed: ReadonlySet<string>): void;
}

export class Subscriber {
  readonly outlet: Outlet;
  readonly form: EventForm;
  /** The user of the connection, empty for an anonymous one; undefined for a server. */
  readonly owner: string | undefined;
  readonly interests: Interests = new Map();
  state: SubscriberState = OUT;
  /** The first round that it is still to get; it has all that came before. See round.ts. */
  nextRound = 0;
  /** While it is behind, it needs only the newest state of each user. */
  conflates = false;
  /** Set when presence changed while it was behind. Presence has no past to read, so its current state is sent afterwards. */
  missedPresence = false;
  /** The hub's mark when its teller began to gather for its present interests; undefined when it did not. */
  presenceMark: number | undefined = undefined;
  /** Tells it what it missed of presence; undefined where nobody is told. */
  teller: PresenceTeller | undefined = undefined;

  constructor(outlet: Outlet, form: EventForm, owner?: string) {
    this.outlet = outlet;
    this.form = form;
    this.owner = owner;
  }

  /** Whether it sees all of this user's record: a server always, a client only of its own. */
  isPrivyTo(id: string): boolean {
    return this.owner === undefined || this.owner === id;
  }

  /** Whether it may see only some users. The log does not record which users it saw before, so it is fed from memory alone. */
  get isConfined(): boolean {
    for (const interest of this.interests.values()) if (interest.isConfined) return true;
    return false;
  }

  /** Whether it takes work to find out what concerns it. */
  get hasFilter(): boolean {
    for (const { want } of this.interests.values()) if (want.kind === 'filter') return true;
    return false;
  }

  /** The only interest, when that is "everything": such subscribers share whole batches. */
  get onlyAll(): Interest | undefined {
    let named: Interest | undefined;
    for (const interest of this.interests.values()) {
      // An interest in oneself is part of everything and adds no name. Watched users add presence changes.
      if (interest.name === '' && interest.want.kind === 'ids' && !interest.wantsPresence) continue;
      if (named !== undefined || interest.want.kind !== 'all' || interest.reach !== 'server') return undefined;
      named = interest;
    }
    return named;
  }
}

/** The part of a round that a receiver gets, in one write. */
export interface Share {
  readonly bytes: Buffer;
  /** Events in it. */
  readonly count: number;
  /** Position before everything in the round. */
  readonly from: number;
}
