/**
 * Hands what was routed to its receivers, in slices: writing to five thousand sockets takes longer than anyone else on the
 * event loop may wait. Everyone gets its own bytes in the order in which they were routed.
 *
 * - HB8 Handing out gives way to everything else every few milliseconds. Who must not be overtaken by something that is written
 *       to it directly is settled first: it gets what is on its way to it at once, ahead of its turn.
 */
import type { Subscriber, SubscriberState } from './subscriber.ts';

/** Handing out goes on for no longer than this at a time. */
const SLICE_MS = 8;
/** Writes between two looks at the clock. */
const WRITES_PER_LOOK = 16;
/** Rounds that may wait: beyond that the oldest is handed out at once, so that what waits is bounded. */
const ROUNDS_MAX = 32;

/** What one receiver gets of a round, in one write. */
export interface Handing {
  readonly subscriber: Subscriber;
  readonly bytes: Buffer;
  /** Events in it. */
  readonly count: number;
  /** The state it was routed in. Who has left, or reads the past by now, does not get it from here. */
  readonly state: SubscriberState;
}

interface Round {
  /** Position before everything in it. */
  readonly from: number;
  readonly due: Map<Subscriber, Handing>;
}

export interface HandOutOptions {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** `from`: position before everything in the round. */
  readonly hand: (handing: Handing, from: number) => void;
  /** Nothing is on its way any more; handing it out took so long, without the pauses. */
  readonly onIdle: (tookMs: number) => void;
}

export class HandOut {
  readonly #options: HandOutOptions;
  readonly #rounds: Round[] = [];
  #tookMs = 0;

  constructor(options: HandOutOptions) {
    this.#options = options;
  }

  /** Something is on its way. */
  get isBusy(): boolean {
    return this.#rounds.length > 0;
  }

  /**
   * Takes a round: at most one handing for each receiver, made one at a time. Those that do not fit into this slice, or for
   * whom something older is on its way, wait.
   */
  start(from: number, handings: Iterable<Handing>): void {
    const startedMs = this.#options.nowMs();
    if (this.#rounds.length >= ROUNDS_MAX) this.#finishOldest();
    const wasBusy = this.isBusy;
    const due = new Map<Subscriber, Handing>();
    let writes = 1;
    let isOver = false;
    for (const handing of handings) {
      const { subscriber } = handing;
      isOver ||= this.#isOver(startedMs, writes++);
      if (isOver || (wasBusy && this.#awaits(subscriber))) due.set(subscriber, handing);
      else this.#options.hand(handing, from);
    }
    if (due.size > 0) this.#rounds.push({ from, due });
    this.#tookMs += this.#options.nowMs() - startedMs;
    if (!this.isBusy) this.#idle();
    else if (!wasBusy) setImmediate(() => this.#slice());
  }

  #awaits(subscriber: Subscriber): boolean {
    return this.#rounds.some(({ due }) => due.has(subscriber));
  }

  /** Hands out what is on its way to one receiver. */
  settle(subscriber: Subscriber): void {
    for (const round of this.#rounds) {
      const handing = round.due.get(subscriber);
      if (handing !== undefined) this.#give(round, handing);
    }
  }

  #slice(): void {
    const startedMs = this.#options.nowMs();
    let writes = 1;
    for (let [round] = this.#rounds; round !== undefined; [round] = this.#rounds) {
      for (const handing of round.due.values()) {
        if (this.#isOver(startedMs, writes++)) {
          this.#tookMs += this.#options.nowMs() - startedMs;
          setImmediate(() => this.#slice());
          return;
        }
        this.#give(round, handing);
      }
      this.#rounds.shift();
    }
    this.#tookMs += this.#options.nowMs() - startedMs;
    this.#idle();
  }

  #isOver(startedMs: number, writes: number): boolean {
    return writes % WRITES_PER_LOOK === 0 && this.#options.nowMs() - startedMs >= SLICE_MS;
  }

  #finishOldest(): void {
    const [oldest] = this.#rounds;
    if (oldest === undefined) return;
    for (const handing of oldest.due.values()) this.#give(oldest, handing);
    this.#rounds.shift();
  }

  #give({ from, due }: Round, handing: Handing): void {
    due.delete(handing.subscriber);
    if (handing.state === handing.subscriber.state) this.#options.hand(handing, from);
  }

  #idle(): void {
    const tookMs = this.#tookMs;
    this.#tookMs = 0;
    this.#options.onIdle(tookMs);
  }
}
