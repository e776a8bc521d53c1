/**
 * Hands out rounds, in slices: finding, framing and writing for five thousand sockets takes longer than other work on the event loop may
 * wait. Rounds go one after the other, so every receiver gets its events in order.
 *
 * It keeps HB8 (daemon/RULES.md).
 */
import type { Subscriber } from './subscriber.ts';

/** Longest time that one slice takes, up to its last receiver. */
const SLICE_MS = 5;
/** Writes of one event between two looks at the clock. */
const WORK_PER_LOOK = 16;
/** Rounds that may wait. Beyond that, receivers read the past instead, each at its own pace, so that the waiting rounds are bounded. */
const ROUNDS_MAX = 32;

/** A round as it is handed out; see round.ts. */
export interface Served {
  step(): number | undefined;
  serve(receiver: Subscriber): void;
  /** When the oldest entry in it was published, monotonic milliseconds; undefined where it is not about entries. */
  readonly sinceMs: number | undefined;
}

export interface HandOutOptions {
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** Called when nothing is left to send. `tookMs`: how long sending took, without the pauses. */
  readonly onIdle: (tookMs: number) => void;
  /** Called when everyone in a round is served. */
  readonly onServed: (round: Served) => void;
}

export class HandOut {
  readonly #options: HandOutOptions;
  readonly #rounds: Served[] = [];
  #tookMs = 0;

  constructor(options: HandOutOptions) {
    this.#options = options;
  }

  /** Whether something waits to be sent. */
  get isBusy(): boolean {
    return this.#rounds.length > 0;
  }

  /** Whether more waits than may. */
  get isPressed(): boolean {
    return this.#rounds.length > ROUNDS_MAX;
  }

  /** Takes a round. It begins at once, unless others wait before it. `sinceMs`: when the work on it began. */
  start(round: Served, sinceMs: number): void {
    if (this.#rounds.push(round) === 1) this.#slice(sinceMs);
  }

  /** Serves one receiver with everything that it is still to get. */
  settle(receiver: Subscriber): void {
    for (const round of this.#rounds) round.serve(receiver);
  }

  #slice(startedMs: number): void {
    const { nowMs, onIdle, onServed } = this.#options;
    let work = 1;
    for (let [round] = this.#rounds; round !== undefined; [round] = this.#rounds) {
      if (work >= WORK_PER_LOOK) {
        work = 0;
        if (nowMs() - startedMs >= SLICE_MS) {
          this.#tookMs += nowMs() - startedMs;
          setImmediate(() => this.#slice(nowMs()));
          return;
        }
      }
      const done = round.step();
      if (done === undefined) {
        this.#rounds.shift();
        onServed(round);
      } else work += Math.max(1, done);
    }
    const tookMs = this.#tookMs + nowMs() - startedMs;
    this.#tookMs = 0;
    onIdle(tookMs);
  }
}
