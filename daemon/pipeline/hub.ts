/**
 * The hub: who receives what. It is told each entry after it is durable and
 * applied, and hands every subscriber its events in order, once.
 *
 * - HB1 A receiver gets every event that concerns it, in order of seq, each once.
 * - HB2 An event is encoded once; receivers that are told the same share the same bytes.
 * - HB3 What one flush has for a socket goes out in one write.
 * - HB4 The first event of a quiet moment leaves at once; while events follow one another they are gathered for `gatherMs`, or,
 *       when handing them out takes longer than that, for as long as it took: never more than half of the time goes into writing.
 * - HB5 A receiver whose queue is over its bound gets nothing more from memory: it is switched to reading the past
 *       (catch-up.ts) and never holds the others up.
 */

import { decoration, type Interest, presenceDecoration } from './interest.ts';
import type { EventBatch, LiveEvent } from './live-event.ts';
import type { PresenceChange } from './presence-change.ts';
import { Router } from './router.ts';
import type { Subscriber } from './subscriber.ts';

/** Batches that cost as much as this in memory go out at once: what waits for a tick is bounded too. On the wire it is about a quarter. */
const GATHERED_BYTES_MAX = 1024 * 1024;

/** However long a flush takes, events wait no longer than this for others. */
const GATHER_MS_MAX = 20;

export interface HubOptions {
  /** Position of the directory when the hub starts. */
  readonly seq: number;
  /** A socket with more than this queued is no longer fed from memory. */
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
  #flushTookMs = 0;
  #flushedSeq: number;

  constructor(options: HubOptions) {
    this.#options = options;
    this.#flushedSeq = options.seq;
  }

  /** Everything up to here was handed to every live subscriber. */
  get flushedSeq(): number {
    return this.#flushedSeq;
  }

  publish(batch: EventBatch): void {
    this.#pending.push(batch);
    this.#pendingBytes += batch.bytes;
    if (this.#pendingBytes >= GATHERED_BYTES_MAX) this.flush();
    if (this.#timer !== undefined || this.#pending.length === 0) return;
    const gatherMs = Math.max(this.#options.gatherMs, Math.min(this.#flushTookMs, GATHER_MS_MAX));
    const waitMs = this.#flushedAtMs + gatherMs - this.#options.nowMs();
    if (waitMs <= 0) this.flush();
    else this.#timer = setTimeout(() => this.flush(), waitMs);
  }

  /** Hands everything published so far to the sockets. Called before anything that must not overtake it. */
  flush(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    const batches = this.#pending;
    const last = batches.at(-1);
    if (last === undefined) return;
    const startedMs = this.#options.nowMs();
    this.#pending = [];
    this.#pendingBytes = 0;
    const from = this.#flushedSeq;
    this.#flushedSeq = last.last;
    const events = batches.length === 1 ? last.events : batches.flatMap((batch) => batch.events);
    if (events.length > 0) {
      this.#flushGroups(events, from);
      this.#flushOthers(events, from);
    }
    this.#flushedAtMs = this.#options.nowMs();
    this.#flushTookMs = this.#flushedAtMs - startedMs;
  }

  #flushGroups(events: readonly LiveEvent[], from: number): void {
    for (const group of this.#router.groups) {
      let bytes: Buffer | undefined;
      for (const member of group.members) {
        bytes ??= joined(events.map((event) => event.frame(member.form, group.decoration)));
        this.#hand(member, bytes, events.length, from);
      }
    }
  }

  #flushOthers(events: readonly LiveEvent[], from: number): void {
    const frames = new Map<Subscriber, Buffer[]>();
    for (const event of events) {
      for (const subscriber of this.#router.candidates(event)) {
        const told = decoration(subscriber.interests.values(), event);
        if (told === undefined) continue;
        const frame = event.frame(subscriber.form, told);
        const own = frames.get(subscriber);
        if (own === undefined) frames.set(subscriber, [frame]);
        else own.push(frame);
      }
    }
    for (const [subscriber, own] of frames) this.#hand(subscriber, joined(own), own.length, from);
  }

  /** Tells who came or went. Not part of the log: a subscriber that is behind is told the state when it has caught up. */
  publishPresence(changes: readonly PresenceChange[]): void {
    this.flush();
    for (const group of this.#router.groups) {
      if (!group.wantsPresence) continue;
      let bytes: Buffer | undefined;
      for (const member of group.members) {
        bytes ??= joined(changes.map((change) => change.frame(member.form, group.decoration)));
        this.#hand(member, bytes, changes.length, this.#flushedSeq);
      }
    }
    for (const change of changes) {
      for (const subscriber of this.#router.candidates(change)) {
        const told = presenceDecoration(subscriber.interests.values(), change.after, change.online);
        if (told !== undefined) this.#hand(subscriber, change.frame(subscriber.form, told), 1, this.#flushedSeq);
      }
    }
    for (const subscriber of this.#behind) subscriber.missedPresence = true;
  }

  #hand(subscriber: Subscriber, bytes: Buffer, count: number, from: number): void {
    if (subscriber.outlet.queuedBytes > this.#options.outboxBytesMax) {
      this.stats.fellBehind++;
      this.rewind(subscriber, from);
      subscriber.missedPresence = true;
      return;
    }
    subscriber.outlet.write(bytes);
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
  change(subscriber: Subscriber, edit: (interests: Map<string, Interest>) => void): void {
    this.flush();
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
        subscriber.state = { kind: 'behind', position, onCaughtUp };
        this.#behind.add(subscriber);
        this.#options.catchUp(subscriber);
        break;
      case 'behind':
        // A new state object: a chunk that is being read for the old one is thrown away, not sent twice.
        subscriber.state = { ...subscriber.state, position: Math.min(subscriber.state.position, position) };
        break;
      case 'gone':
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
    if (subscriber.state.kind === 'gone') return;
    if (subscriber.state.kind === 'live') this.#router.remove(subscriber);
    this.#behind.delete(subscriber);
    subscriber.state = { kind: 'gone' };
    this.stats.subscribers--;
  }
}

function joined(frames: readonly Buffer[]): Buffer {
  const [only] = frames;
  return frames.length === 1 && only !== undefined ? only : Buffer.concat(frames);
}
