/**
 * Hands what was routed to its receivers, in slices: writing to five thousand sockets takes longer than anyone else on the
 * event loop may wait. Everyone gets its own bytes in the order in which they were routed.
 *
 * It keeps HB8 (daemon/RULES.md).
 */
import type { Due, Round, Share, Subscriber } from './subscriber.ts';

/** Handing out goes on for no longer than this at a time. */
const SLICE_MS = 8;
/** Writes between two looks at the clock. */
const WRITES_PER_LOOK = 16;
/** Rounds that may wait: beyond that the oldest is handed out at once, so that what waits is bounded. */
const ROUNDS_MAX = 32;

export interface HandOutOptions {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  readonly hand: (receiver: Subscriber, share: Share) => void;
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
   * Takes a round: at most one share for each receiver, made one at a time. Those that do not fit into this slice, or for
   * whom something older is on its way, wait.
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

  /** Hands out what is on its way to one receiver. */
  settle(receiver: Subscriber): void {
    while (receiver.due !== undefined) this.#give(receiver, receiver.due);
  }

  /** What is on its way to this receiver is not handed out any more. */
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

  /** Who was settled or dropped meanwhile awaits nothing of this round. */
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

/** There are at most `ROUNDS_MAX` in a row. */
function followedBy(waiting: Due | undefined, due: Due): Due {
  return waiting === undefined ? due : { share: waiting.share, round: waiting.round, next: followedBy(waiting.next, due) };
}
