/**
 * The hub: who receives what. It is told each entry after it is durable and
 * applied, and hands every subscriber its events in order, once.
 *
 * It keeps HB1–HB5 and HB8 (daemon/RULES.md).
 */

import type { EventForm } from './event-form.ts';
import { textFrames } from './frame.ts';
import { HandOut } from './hand-out.ts';
import { decoration, presenceDecoration } from './interest.ts';
import type { PresenceChange } from './presence-change.ts';
import { type Cohort, Router } from './router.ts';
import type { Interests, Share, Subscriber } from './subscriber.ts';
import type { Concerned } from './told.ts';
import type { EventBatch } from './user-event.ts';

/** Batches that cost as much as this in memory go out at once: what waits for a tick is bounded too. On the wire it is about a quarter. */
const GATHERED_BYTES_MAX = 1024 * 1024;

/**
 * A write costs about as much as the copying of 30 kB. What is much longer on the wire, as a bulk request of 100 users is, saves
 * little by waiting for more. In memory, as above.
 */
const LONG_BYTES = 256 * 1024;

/** However long a flush takes, events wait no longer than this for others. */
const GATHER_MS_MAX = 30;

export interface HubOptions {
  /** Position of the directory when the hub starts. */
  readonly seq: number;
  /** What may be queued for a socket; beyond that it is no longer fed from memory. */
  readonly outboxBytesMax: number;
  /** How long events that follow one another closely wait for others to share their write. */
  readonly gatherMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Called for a subscriber that is behind; brings it up to date and calls `rejoin`. */
  readonly catchUp: (subscriber: Subscriber) => void;
}

export interface HubStats {
  subscribers: number;
  /** Events handed to sockets. */
  deliveries: number;
  writes: number;
  /** Times a subscriber was switched to reading the past because it was too slow. */
  fellBehind: number;
}

/** An event, or someone who came or went. */
interface Tellable extends Concerned {
  text(form: EventForm, decoration: string): string;
  frame(form: EventForm, decoration: string): Buffer;
}

/** What a subscriber is told beside the event itself; undefined: it is not told. */
type Decorate<T> = (subscriber: Subscriber, one: T) => string | undefined;

export class Hub {
  readonly #options: HubOptions;
  readonly #router = new Router();
  readonly stats: HubStats = { subscribers: 0, deliveries: 0, writes: 0, fellBehind: 0 };
  /** Batches that were published and not yet handed to sockets. */
  #pending: EventBatch[] = [];
  #pendingBytes = 0;
  /** Subscribers that read the past. */
  readonly #behind = new Set<Subscriber>();
  #timer: NodeJS.Timeout | undefined;
  #flushedAtMs = Number.NEGATIVE_INFINITY;
  #gatherMs = 0;
  #flushedSeq: number;
  readonly #handOut: HandOut;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#flushedSeq = options.seq;
    this.#handOut = new HandOut({
      nowMs: options.nowMs,
      hand: (receiver, share) => this.#hand(receiver, share),
      onIdle: (tookMs) => this.#onIdle(tookMs),
    });
  }

  /** Everything up to here was handed to every live subscriber, or is on its way to it. */
  get flushedSeq(): number {
    return this.#flushedSeq;
  }

  publish(batch: EventBatch): void {
    this.#pending.push(batch);
    this.#pendingBytes += batch.bytes;
    const isWaiting = this.#timer !== undefined;
    if (this.#pendingBytes >= (isWaiting ? LONG_BYTES : GATHERED_BYTES_MAX)) this.flush();
    this.#gather();
  }

  /** Sees to it that what was published goes out, at once or with what follows it. While something is on its way, it waits for that. */
  #gather(): void {
    if (this.#timer !== undefined || this.#pending.length === 0 || this.#handOut.isBusy) return;
    const waitMs = this.#flushedAtMs + this.#gatherMs - this.#options.nowMs();
    if (waitMs <= 0) this.flush();
    else this.#timer = setTimeout(() => this.flush(), waitMs);
  }

  /**
   * Puts everything published so far on its way to the receivers there are now. Called before anything that decides who they
   * are, or what they are told.
   */
  flush(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    const batches = this.#pending;
    const last = batches.at(-1);
    if (last === undefined) return;
    this.#pending = [];
    this.#pendingBytes = 0;
    const from = this.#flushedSeq;
    this.#flushedSeq = last.last;
    const events = batches.length === 1 ? last.events : batches.flatMap((batch) => batch.events);
    this.#handOut.start(
      this.#route(from, events, this.#router.cohorts, (subscriber, event) => decoration(subscriber.interests.values(), event)),
    );
    for (const event of events) event.release();
  }

  /** Hands everything published so far to this receiver. Called before anything is written to it that must not overtake that. */
  settle(subscriber: Subscriber): void {
    this.flush();
    this.#handOut.settle(subscriber);
  }

  #onIdle(tookMs: number): void {
    this.#flushedAtMs = this.#options.nowMs();
    // A single event alone would share its write with nobody.
    const events = this.#pending.reduce((sum, batch) => sum + batch.events.length, 0);
    const isPressed = events > 1 && this.#pendingBytes < LONG_BYTES;
    this.#gatherMs = isPressed ? Math.max(this.#options.gatherMs, Math.min(2 * tookMs, GATHER_MS_MAX)) : this.#options.gatherMs;
    this.#gather();
  }

  /** What each receiver is told, in one write. `decorate` decides for those outside the cohorts. */
  *#route<T extends Tellable>(from: number, told: readonly T[], cohorts: Iterable<Cohort>, decorate: Decorate<T>): Generator<Share, void> {
    if (told.length === 0) return;
    for (const { members, form, decoration } of cohorts) {
      yield { receivers: members, bytes: textFrames(told.map((one) => one.text(form, decoration))), count: told.length, from };
    }
    const frames = new Map<Subscriber, Buffer[]>();
    for (const one of told) {
      for (const subscriber of this.#router.candidates(one)) {
        const added = decorate(subscriber, one);
        if (added === undefined) continue;
        const frame = one.frame(subscriber.form, added);
        const own = frames.get(subscriber);
        if (own === undefined) frames.set(subscriber, [frame]);
        else own.push(frame);
      }
    }
    for (const [subscriber, own] of frames) yield { receivers: [subscriber], bytes: joined(own), count: own.length, from };
  }

  /** Tells who came or went. Not part of the log: a subscriber that is behind is told the state when it has caught up. */
  publishPresence(changes: readonly PresenceChange[]): void {
    this.flush();
    const cohorts = [...this.#router.cohorts].filter(({ wantsPresence }) => wantsPresence);
    this.#handOut.start(
      this.#route(this.#flushedSeq, changes, cohorts, (subscriber, { after, online }) =>
        presenceDecoration(subscriber.interests.values(), after, online),
      ),
    );
    for (const subscriber of this.#behind) subscriber.missedPresence = true;
  }

  #hand(subscriber: Subscriber, { bytes, count, from }: Share): void {
    const { outlet } = subscriber;
    const { queuedBytes } = outlet;
    // One write may be as long as it is when nothing waits before it; else nobody could be told of it.
    if (queuedBytes > 0 && queuedBytes + bytes.length > this.#options.outboxBytesMax) {
      this.stats.fellBehind++;
      this.rewind(subscriber, from);
      subscriber.missedPresence = true;
      return;
    }
    outlet.write(bytes);
    this.stats.writes++;
    this.stats.deliveries += count;
  }

  /** Takes in a subscriber that has everything up to now. */
  join(subscriber: Subscriber): void {
    this.flush();
    this.stats.subscribers++;
    subscriber.state = { kind: 'live' };
    this.#router.add(subscriber);
  }

  /** Takes in a subscriber that has everything up to `position` only. */
  joinFrom(subscriber: Subscriber, position: number, onCaughtUp: () => void): void {
    this.stats.subscribers++;
    subscriber.state = { kind: 'behind', position, onCaughtUp };
    subscriber.missedPresence = true;
    this.#behind.add(subscriber);
    this.#options.catchUp(subscriber);
  }

  /** Changes what a subscriber wants, between two flushes. */
  change(subscriber: Subscriber, edit: (interests: Interests) => void): void {
    // What was found for it by its old interests is not to follow what is said about the new ones.
    this.settle(subscriber);
    const isLive = subscriber.state.kind === 'live';
    if (isLive) this.#router.remove(subscriber);
    edit(subscriber.interests);
    if (isLive) this.#router.add(subscriber);
    // A new state object: a chunk that is being read for what it wanted before is thrown away.
    else if (subscriber.state.kind === 'behind') subscriber.state = { ...subscriber.state };
  }

  /** Sends a subscriber back to `position`, to read everything after it again as far as its interests ask for it. */
  rewind(subscriber: Subscriber, position: number, onCaughtUp?: () => void): void {
    switch (subscriber.state.kind) {
      case 'live':
        this.#router.remove(subscriber);
        // It will read that too.
        this.#handOut.drop(subscriber);
        subscriber.state = { kind: 'behind', position, onCaughtUp };
        this.#behind.add(subscriber);
        this.#options.catchUp(subscriber);
        break;
      case 'behind':
        // A new state object: a chunk that is being read for the old one is thrown away, not sent twice.
        subscriber.state = { ...subscriber.state, position: Math.min(subscriber.state.position, position) };
        break;
      case 'out':
        break;
    }
  }

  /**
   * Lets a subscriber that reached `position` become live again; false when there is more to read by now.
   * Synchronous, so that nothing can be published in between.
   */
  rejoin(subscriber: Subscriber): boolean {
    if (subscriber.state.kind !== 'behind') return true;
    if (subscriber.state.position < this.#flushedSeq) return false;
    const { onCaughtUp } = subscriber.state;
    subscriber.state = { kind: 'live' };
    this.#behind.delete(subscriber);
    this.#router.add(subscriber);
    onCaughtUp?.();
    if (subscriber.missedPresence) subscriber.tellPresence();
    subscriber.missedPresence = false;
    return true;
  }

  leave(subscriber: Subscriber): void {
    if (subscriber.state.kind === 'out') return;
    this.#handOut.settle(subscriber);
    if (subscriber.state.kind === 'live') this.#router.remove(subscriber);
    this.#behind.delete(subscriber);
    subscriber.state = { kind: 'out' };
    this.stats.subscribers--;
  }
}

function joined(frames: readonly Buffer[]): Buffer {
  const [only] = frames;
  return frames.length === 1 && only !== undefined ? only : Buffer.concat(frames);
}
