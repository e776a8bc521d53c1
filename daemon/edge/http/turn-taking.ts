/**
 * Many requests at once take turns: a thousand of them may come in one packet, and Node would hand out all of them before it reads or
 * writes anything else. The first few of a turn of the event loop pass at once, as nearly always.
 *
 * It keeps BU3 (daemon/RULES.md).
 */
import { Turns } from '../../base/turns.ts';

/** Requests that begin at once in one turn of the event loop, and milliseconds of it in which more of them do. */
const AT_ONCE = 16;
const SLICE_MS = 2;

export class TurnTaking {
  readonly #turns = new Turns();
  #inThisTurn = 0;
  #sliceEndsMs = 0;

  /** Calls `begin` when it is the request's turn. */
  enter(begin: () => void): void {
    if (this.#inThisTurn === 0) {
      setImmediate(() => this.#nextTurn());
      this.#sliceEndsMs = performance.now() + SLICE_MS;
    }
    if (this.#inThisTurn++ < AT_ONCE || performance.now() < this.#sliceEndsMs) begin();
    else void this.#turns.next().then(begin);
  }

  #nextTurn(): void {
    this.#inThisTurn = 0;
  }
}
