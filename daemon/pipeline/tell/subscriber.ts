/**
 * One receiver of events. The states are a union: a subscriber is `live` (gets
 * every batch as it is published), `behind` (reads the past until it has caught up) or `out`. What is on its way to it is kept
 * with it.
 */
import type { CloseReason } from '../../../protocol/live/close-codes.ts';
import type { EventForm } from './event-form.ts';
import type { Interest } from './interest.ts';

/** The socket, as the hub sees it. */
export interface Outlet {
  /** Bytes handed over that the kernel has not taken yet. */
  readonly queuedBytes: number;
  /** Queues prepared frames for writing, in order. */
  write(frames: Buffer): void;
  /**
   * Resolves `true` when the queue is nearly empty, `false` when the socket closed.
   * A peer that takes nothing for the outlet's stall time is closed as slow.
   */
  drained(): Promise<boolean>;
  close(reason: CloseReason): void;
}

export type SubscriberState =
  /** Everything up to the hub's flushed position was handed over. */
  | { readonly kind: 'live' }
  /** Everything up to `position` was handed over; a catch-up is on its way. `onCaughtUp` is told once it is live again. */
  | { readonly kind: 'behind'; position: number; readonly onCaughtUp: (() => void) | undefined }
  /** Not in the hub: not yet, or no longer. */
  | { readonly kind: 'out' };

/** What a receiver wants to hear about: under the name it gave, or under a symbol, which no name can be, where it gave none. */
export type Interests = Map<string | symbol, Interest>;

export class Subscriber {
  readonly outlet: Outlet;
  readonly form: EventForm;
  readonly interests: Interests = new Map();
  state: SubscriberState = { kind: 'out' };
  /** What the hand-out holds for it, while there is something on its way to it. */
  due: Due | undefined = undefined;
  /** While it is behind, the newest state of each user is enough for it. */
  conflates = false;
  /** Set while it is behind and someone came or went: presence has no past to read, so its state is told anew afterwards. */
  missedPresence = false;
  /** Tells the peer who of its subscriptions is online now. */
  tellPresence: () => void = () => {};

  constructor(outlet: Outlet, form: EventForm) {
    this.outlet = outlet;
    this.form = form;
  }

  /** Whether it may know of some users only. The log does not say whom it knew of before, so it is fed from memory alone. */
  get isConfined(): boolean {
    for (const interest of this.interests.values()) if (interest.isConfined) return true;
    return false;
  }

  /** The only interest there is, when it is "everything": such subscribers share whole batches. */
  get onlyAll(): Interest | undefined {
    let named: Interest | undefined;
    for (const interest of this.interests.values()) {
      // Interest in oneself is part of everything and adds no name. What is watched adds who comes and goes.
      if (interest.name === '' && interest.want.kind === 'ids' && !interest.wantsPresence) continue;
      if (named !== undefined || interest.want.kind !== 'all' || interest.reach !== 'server') return undefined;
      named = interest;
    }
    return named;
  }
}

/** What some receivers get of a round: the same bytes, in one write each. */
export interface Share {
  readonly receivers: Iterable<Subscriber>;
  readonly bytes: Buffer;
  /** Events in it. */
  readonly count: number;
  /** Position before everything in the round. */
  readonly from: number;
}

/** Receivers of a round that wait for their turn, and how far it has come. */
export interface Round {
  readonly receivers: Subscriber[];
  next: number;
}

/**
 * What waits for a receiver, oldest first. Kept with the receiver, so that it is found at once and costs nothing to who awaits
 * nothing. Never changed: all who await the same share and nothing else have the same one.
 */
export interface Due {
  readonly share: Share;
  readonly round: Round;
  readonly next: Due | undefined;
}
