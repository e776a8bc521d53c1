/**
 * The hub decides who receives what. It gets each entry after it is durable and applied, and hands every subscriber its events in order,
 * once.
 *
 * It keeps HB1–HB5 and HB8 (daemon/RULES.md).
 */

import { ChangeTrail } from './change-trail.ts';
import { framesOf, type Tellable } from './frames-of.ts';
import { HandOut, type Served } from './hand-out.ts';
import { HubCounts, type HubStats } from './hub-counts.ts';
import { decoration, presenceDecoration } from './interest.ts';
import type { PresenceChange } from './presence-change.ts';
import { Round, type RoundKind } from './round.ts';
import { Router } from './router.ts';
import { type Interests, LIVE, OUT, type Share, type Subscriber } from './subscriber.ts';
import type { Concerned } from './told.ts';
import type { AnyEvent, EventBatch } from './user-event.ts';

/**
 * Batches of this size in memory go out at once, so that the memory for gathered batches is bounded. On the wire they are about a quarter
 * of it.
 */
const GATHERED_BYTES_MAX = 1024 * 1024;

/**
 * A write costs about as much as copying 30 kB. Batches that are much longer than that on the wire, such as a bulk request of 100 users,
 * gain little by waiting for more. Size in memory, as above.
 */
const LONG_BYTES = 256 * 1024;

/** Events wait no longer than this for others, however long a flush takes. */
const GATHER_MS_MAX = 30;

export interface HubOptions {
  /** Position of the directory when the hub starts. */
  readonly seq: number;
  /** Bytes that may be queued for a socket; beyond that it is no longer fed from memory. */
  readonly outboxBytesMax: number;
  /** How long events in close succession wait for others to share their write. */
  readonly gatherMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Called for a subscriber that is behind; brings it up to date and calls `rejoin`. */
  readonly catchUp: (subscriber: Subscriber) => void;
}

export class Hub {
  readonly #options: HubOptions;
  readonly #router = new Router();
  readonly stats: HubStats = { subscribers: 0, deliveries: 0, writes: 0, fellBehind: 0 };
  readonly counts = new HubCounts();
  /** Batches that were published and not yet handed to sockets. */
  #pending: EventBatch[] = [];
  #pendingSinceMs = 0;
  #pendingBytes = 0;
  /** Subscribers that read the past. */
  readonly #behind = new Set<Subscriber>();
  /** What changed while somebody was behind. */
  readonly #touched = new ChangeTrail();
  #timer: NodeJS.Timeout | undefined;
  #flushedAtMs = Number.NEGATIVE_INFINITY;
  #gatherMs = 0;
  #flushedSeq: number;
  readonly #handOut: HandOut;
  #nextRound = 0;
  readonly #events: RoundKind<AnyEvent>;
  readonly #presence: RoundKind<PresenceChange>;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#flushedSeq = options.seq;
    const { nowMs } = options;
    const onServed = ({ sinceMs }: Served) => this.counts.handedOut(sinceMs, this.stats.deliveries, nowMs);
    this.#handOut = new HandOut({ nowMs, onIdle: (tookMs) => this.#onIdle(tookMs), onServed });
    const common: Pick<RoundKind<never>, 'router' | 'hand' | 'isPressed' | 'onLate'> = {
      router: this.#router,
      hand: (receiver, share) => this.#hand(receiver, share),
      isPressed: () => this.#handOut.isPressed,
      onLate: (receiver, from) => this.#fallBehind(receiver, from),
    };
    this.#events = {
      ...common,
      isFor: () => true,
      decorate: ({ interests }, event) => decoration(interests.values(), event),
    };
    this.#presence = {
      ...common,
      isFor: ({ wantsPresence }) => wantsPresence,
      decorate: ({ interests }, { after, online }) => presenceDecoration(interests.values(), after, online),
    };
  }

  /** Everything up to this position was handed to every live subscriber, or is on its way to it. */
  get flushedSeq(): number {
    return this.#flushedSeq;
  }

  publish(batch: EventBatch): void {
    this.counts.published(batch.events);
    if (this.#pending.push(batch) === 1) this.#pendingSinceMs = this.#options.nowMs();
    this.#pendingBytes += batch.bytes;
    const isWaiting = this.#timer !== undefined;
    if (this.#pendingBytes >= (isWaiting ? LONG_BYTES : GATHERED_BYTES_MAX)) this.flush();
    this.#gather();
  }

  /**
   * Makes sure that published events go out, at once or together with later ones. While a hand-out is in progress, they wait for its end.
   */
  #gather(): void {
    if (this.#timer !== undefined || this.#pending.length === 0 || this.#handOut.isBusy) return;
    const waitMs = this.#flushedAtMs + this.#gatherMs - this.#options.nowMs();
    if (waitMs <= 0) this.flush();
    else this.#timer = setTimeout(() => this.flush(), waitMs);
  }

  /** Routes everything published so far to the current receivers. Called before every change to the receivers or to what they receive. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const batches = this.#pending;
    const last = batches.at(-1);
    if (last === undefined) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    const from = this.#flushedSeq;
    this.#flushedSeq = last.last;
    const events = batches.length === 1 ? last.events : batches.flatMap((batch) => batch.events);
    this.#tell(this.#events, events, from, this.#pendingSinceMs);
    this.#touch(events);
  }

  #touch(changes: readonly Partial<Concerned>[]): void {
    if (this.#behind.size === 0) this.#touched.clear();
    else for (const { id } of changes) if (id !== undefined) this.#touched.add(id);
  }

  /** Hands everything published so far to this receiver. Called before a write to it that must not overtake those events. */
  settle(subscriber: Subscriber): void {
    this.flush();
    this.#handOut.settle(subscriber);
  }

  #onIdle(tookMs: number): void {
    this.#flushedAtMs = this.#options.nowMs();
    // A single event would have no other to share its write with.
    const events = this.#pending.reduce((sum, batch) => sum + batch.events.length, 0);
    const isPressed = events > 1 && this.#pendingBytes < LONG_BYTES;
    this.#gatherMs = isPressed ? Math.max(this.#options.gatherMs, Math.min(2 * tookMs, GATHER_MS_MAX)) : this.#options.gatherMs;
    this.#gather();
  }

  /** Hands it out to the present receivers. Filters are judged now, as far as there is time. `from`: the position before it. */
  #tell<T extends Tellable>(kind: RoundKind<T>, told: readonly T[], from: number, sinceMs?: number): void {
    const { nowMs } = this.#options;
    const startedMs = nowMs();
    const { frames: judged, late } = framesOf(told, this.#router.judged, kind.decorate, nowMs);
    for (const subscriber of late) this.#readLater(subscriber, from);
    this.#handOut.start(new Round(this.#nextRound++, kind, { told, from, judged, sinceMs }), startedMs);
  }

  /** Lets a subscriber read what it was not judged for, after everything that it was already to get. */
  #readLater(subscriber: Subscriber, from: number): void {
    this.#handOut.settle(subscriber);
    this.rewind(subscriber, from);
  }

  /**
   * Publishes presence changes. They are not part of the log: a subscriber that is behind receives the current state once it has caught up.
   */
  publishPresence(changes: readonly PresenceChange[]): void {
    this.counts.presenceChanged(changes.length);
    this.flush();
    this.#tell(this.#presence, changes, this.#flushedSeq);
    this.#touch(changes);
    for (const subscriber of this.#behind) subscriber.missedPresence = true;
  }

  #hand(subscriber: Subscriber, { bytes, count, from }: Share): void {
    const { outlet } = subscriber;
    const { queuedBytes } = outlet;
    // A single write may have any length when nothing waits before it; otherwise long writes could never be sent.
    if (queuedBytes > 0 && queuedBytes + bytes.length > this.#options.outboxBytesMax) {
      this.#fallBehind(subscriber, from);
      return;
    }
    outlet.write(bytes, count);
    this.stats.writes++;
    this.stats.deliveries += count;
  }

  #fallBehind(subscriber: Subscriber, from: number): void {
    this.stats.fellBehind++;
    this.rewind(subscriber, from);
    subscriber.missedPresence = true;
  }

  /** Adds a subscriber that has everything up to now. */
  join(subscriber: Subscriber): void {
    this.flush();
    this.#enter(subscriber);
    this.#goLive(subscriber);
    this.#router.add(subscriber);
  }

  #enter(subscriber: Subscriber): void {
    this.stats.subscribers++;
    this.counts.joined(subscriber);
  }

  /** From now on, it gets what is published. */
  #goLive(subscriber: Subscriber): void {
    subscriber.state = LIVE;
    subscriber.nextRound = this.#nextRound;
  }

  /** Adds a subscriber that has everything up to `position` only. */
  joinFrom(subscriber: Subscriber, position: number, onCaughtUp: () => void): void {
    this.#enter(subscriber);
    subscriber.state = { kind: 'behind', position, onCaughtUp };
    subscriber.missedPresence = true;
    this.#behind.add(subscriber);
    this.#router.add(subscriber);
    this.#options.catchUp(subscriber);
  }

  /** Changes the interests of a subscriber, between two flushes. */
  change(subscriber: Subscriber, edit: (interests: Interests) => void): void {
    // Events that were routed by its old interests must not follow answers about the new ones.
    this.settle(subscriber);
    if (subscriber.state.kind === 'out') edit(subscriber.interests);
    else {
      this.counts.entered(subscriber, -1);
      this.#router.change(subscriber, edit);
      this.counts.entered(subscriber, 1);
    }
    if (subscriber.state.kind === 'live') subscriber.nextRound = this.#nextRound;
    // A new state object: a chunk that is being read for the old interests is discarded.
    if (subscriber.state.kind === 'behind') subscriber.state = { ...subscriber.state };
    subscriber.presenceMark = undefined;
  }

  /** Begins to gather who is online for a subscriber that missed it. */
  async gatherPresence(subscriber: Subscriber): Promise<void> {
    subscriber.presenceMark = this.#touched.mark;
    await subscriber.teller?.gatherPresence();
  }

  /** Sends a subscriber back to `position`, to read everything after it again, as far as its interests match. */
  rewind(subscriber: Subscriber, position: number, onCaughtUp?: () => void): void {
    switch (subscriber.state.kind) {
      case 'live':
        // What waits for it, the catch-up reads too; but changes of presence have no past.
        if (this.#handOut.isBusy) subscriber.missedPresence = true;
        this.#router.rest(subscriber);
        subscriber.state = { kind: 'behind', position, onCaughtUp };
        this.#behind.add(subscriber);
        this.#options.catchUp(subscriber);
        break;
      case 'behind':
        // A new state object: a chunk that is being read for the old state is discarded, not sent twice.
        subscriber.state = { ...subscriber.state, position: Math.min(subscriber.state.position, position) };
        break;
      case 'out':
        break;
    }
  }

  /**
   * Makes a subscriber that reached `position` live again; false when there is more to read by now. Synchronous, so that nothing can be
   * published in between.
   */
  rejoin(subscriber: Subscriber): boolean {
    if (subscriber.state.kind !== 'behind') return true;
    if (subscriber.state.position < this.#flushedSeq) return false;
    const { presenceMark } = subscriber;
    const changed = presenceMark === undefined ? undefined : this.#touched.since(presenceMark);
    subscriber.presenceMark = undefined;
    if (subscriber.missedPresence && changed === undefined) return false;
    const { onCaughtUp } = subscriber.state;
    this.#behind.delete(subscriber);
    this.#goLive(subscriber);
    this.#router.wake(subscriber);
    onCaughtUp?.();
    if (subscriber.missedPresence && changed !== undefined) subscriber.teller?.tellPresence(changed);
    subscriber.missedPresence = false;
    return true;
  }

  leave(subscriber: Subscriber): void {
    if (subscriber.state.kind === 'out') return;
    this.#handOut.settle(subscriber);
    this.#router.remove(subscriber);
    this.#behind.delete(subscriber);
    subscriber.state = OUT;
    this.stats.subscribers--;
    this.counts.left(subscriber);
  }
}
