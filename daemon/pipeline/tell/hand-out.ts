/**
 * Sends routed events to their receivers, in slices: writing to five thousand sockets takes longer than other work on the event loop may
 * wait. Every receiver gets its bytes in the order in which they were routed.
 *
 * It keeps HB8 (daemon/RULES.md).
 */
import type { Due, Round, Share, Subscriber } from './subscriber.ts';

/** Longest time that one slice takes. */
const SLICE_MS = 8;
/** Writes between two checks of the clock. */
const WRITES_PER_LOOK = 16;
/** Rounds that may wait. Beyond that the oldest is sent at once, so that the memory for waiting rounds is bounded. */
const ROUNDS_MAX = 32;

export interface HandOutOptions {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly hand: (receiver: Subscriber, share: Share) => void;
  /** Called when nothing is left to send. `tookMs`: how long sending took, without the pauses. */
  readonly onIdle: (tookMs: number) => void;
}

export class HandOut {
  readonly #options: HandOutOptions;
  readonly #rounds: Round[] = [];
  #tookMs = 0;

  constructor(options: HandOutOptions) {
    this.#options = options;
  }

  /** Whether something waits to be sent. */
  get isBusy(): boolean {
    return this.#rounds.length > 0;
  }

  /**
   * Takes a round: at most one share for each receiver, made one at a time. Shares that do not fit into this slice wait, as do those of
   * receivers that still wait for something older.
   */
  start(shares: Iterable<Share>): void {
    const { nowMs, hand } = this.#options;
    const startedMs = nowMs();
    if (this.#rounds.length >= ROUNDS_MAX) this.#finishOldest();
    const wasBusy = this.isBusy;
    const round: Round = { receivers: [], next: 0 };
    let writes = 1;
    let isOver = false;
    for (const share of shares) {
      const due: Due = { share, round, next: undefined };
      for (const receiver of share.receivers) {
        isOver ||= this.#isOver(startedMs, writes++);
        if (!isOver && receiver.due === undefined) {
          hand(receiver, share);
          continue;
        }
        round.receivers.push(receiver);
        receiver.due = followedBy(receiver.due, due);
      }
    }
    if (round.receivers.length > 0) this.#rounds.push(round);
    this.#tookMs += nowMs() - startedMs;
    if (!this.isBusy) this.#idle();
    else if (!wasBusy) setImmediate(() => this.#slice());
  }

  /** Sends everything that waits for one receiver. */
  settle(receiver: Subscriber): void {
    while (receiver.due !== undefined) this.#give(receiver, receiver.due);
  }

  /** Discards everything that waits for this receiver. */
  drop(receiver: Subscriber): void {
    receiver.due = undefined;
  }

  #slice(): void {
    const startedMs = this.#options.nowMs();
    let writes = 1;
    for (let [round] = this.#rounds; round !== undefined; [round] = this.#rounds) {
      while (round.next < round.receivers.length) {
        if (this.#isOver(startedMs, writes++)) {
          this.#tookMs += this.#options.nowMs() - startedMs;
          setImmediate(() => this.#slice());
          return;
        }
        this.#giveNext(round);
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
    while (oldest.next < oldest.receivers.length) this.#giveNext(oldest);
    this.#rounds.shift();
  }

  /** A receiver that was settled or dropped meanwhile waits for nothing of this round. */
  #giveNext(round: Round): void {
    const receiver = round.receivers[round.next++];
    if (receiver?.due?.round === round) this.#give(receiver, receiver.due);
  }

  #give(receiver: Subscriber, { share, next }: Due): void {
    receiver.due = next;
    this.#options.hand(receiver, share);
  }

  #idle(): void {
    const tookMs = this.#tookMs;
    this.#tookMs = 0;
    this.#options.onIdle(tookMs);
  }
}

/** At most `ROUNDS_MAX` shares wait for one receiver. */
function followedBy(waiting: Due | undefined, due: Due): Due {
  return waiting === undefined ? due : { share: waiting.share, round: waiting.round, next: followedBy(waiting.next, due) };
}
