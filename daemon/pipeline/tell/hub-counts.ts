/** What the hub did so far, in plain numbers, for whoever watches the daemon. */

import { USER_EVENT_TYPES } from '../../../protocol/live/user-events.ts';
import { DocEventType } from '../../../protocol/log/documents.ts';
import { Durations } from '../../base/durations.ts';
import type { Walk } from '../../base/slices.ts';
import type { Interest, Want } from './interest.ts';
import type { Subscriber } from './subscriber.ts';

/** All custom events of the application, whatever it calls them. */
const CUSTOM = 'custom';
const PRESENCE_EVENT = 'user.presence.changed';
/** Subscribers between two yields of a walk over them. */
const LOOKED_AT_ONCE = 256;

export interface HubStats {
  subscribers: number;
  /** Events handed to sockets. */
  deliveries: number;
  writes: number;
  /** Times a subscriber was switched to reading the past because it was too slow. */
  fellBehind: number;
}

/** By what the interest asks for. `watch`: users whose presence a query asked for, without a subscription of its own. */
export type InterestKind = Want['kind'] | 'watch';

export class HubCounts {
  /** Events published, by type: a closed list. */
  readonly events: Map<string, number> = new Map(
    [...USER_EVENT_TYPES, ...DocEventType.anyOf.map((literal) => literal.const), PRESENCE_EVENT, CUSTOM].map((type) => [type, 0]),
  );
  readonly interests: Record<InterestKind, number> = { all: 0, ids: 0, teams: 0, filter: 0, watch: 0 };
  /**
   * From the moment at which an entry was durable and applied until the last receiver of its round was written to, once for each delivery
   * of the round. Receivers that read the past are not in it.
   */
  readonly delays = new Durations();
  readonly #subscribers = new Set<Subscriber>();
  /** Deliveries of rounds that were observed. */
  #observed = 0;

  published(types: Iterable<{ readonly type: string }>): void {
    for (const { type } of types) {
      const key = this.events.has(type) ? type : CUSTOM;
      this.events.set(key, (this.events.get(key) ?? 0) + 1);
    }
  }

  presenceChanged(users: number): void {
    this.events.set(PRESENCE_EVENT, (this.events.get(PRESENCE_EVENT) ?? 0) + users);
  }

  joined(subscriber: Subscriber): void {
    this.#subscribers.add(subscriber);
    this.entered(subscriber, 1);
  }

  left(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    this.entered(subscriber, -1);
  }

  /** Adds the interests of the subscriber, or takes them away: call it on both sides of a change. */
  entered({ interests }: Pick<Subscriber, 'interests'>, by: 1 | -1): void {
    for (const interest of interests.values()) {
      const kind = kindOf(interest);
      if (kind !== undefined) this.interests[kind] += by;
    }
  }

  /** A round was handed out. `sinceMs`: undefined for one that is not about entries. `deliveries`: all so far. */
  handedOut(sinceMs: number | undefined, deliveries: number, nowMs: () => number): void {
    const count = deliveries - this.#observed;
    this.#observed = deliveries;
    if (sinceMs !== undefined && count > 0) this.delays.observe(nowMs() - sinceMs, count);
  }

  /** Bytes that wait for all subscribers together. */
  *outboxBytes(): Walk<number> {
    let [bytes, seen] = [0, 0];
    for (const { outlet } of this.#subscribers) {
      bytes += outlet.queuedBytes;
      if (++seen % LOOKED_AT_ONCE === 0) yield;
    }
    return bytes;
  }
}

/** Undefined for the interest of a user in itself: every session of a user has it. */
function kindOf({ name, want, wantsPresence }: Interest): InterestKind | undefined {
  if (name !== '') return want.kind;
  return wantsPresence ? 'watch' : undefined;
}
