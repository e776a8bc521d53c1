/**
 * Lets many tasks take turns in short slices: waiting tasks run one after
 * another for a few milliseconds, then everything else on the event loop has its turn.
 */

/** Milliseconds for waiting tasks per turn of the event loop. */
const BUDGET_MS = 2;
/** Tasks that begin together: those that come first in a turn of the event loop, and those whose turn it is. */
const AT_ONCE = 4;

export class Turns {
  #waiting: (() => void)[] = [];
  #isScheduled = false;
  #begun = 0;

  /** Resolves when it is the caller's turn, which lasts until the caller's next `await`. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  /** Like `next`, but undefined for the first few of a turn of the event loop, as nearly always: they need not wait. */
  soon(): Promise<void> | undefined {
    if (this.#waiting.length > 0 || this.#begun >= AT_ONCE) return this.next();
    if (this.#begun++ === 0) setImmediate(() => this.#nextTurn());
    return undefined;
  }

  #nextTurn(): void {
    this.#begun = 0;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    const endsMs = performance.now() + BUDGET_MS;
    do {
      for (const begin of this.#waiting.splice(0, AT_ONCE)) begin();
      // The tasks continue in microtasks; `nextTick` waits until all of those have run.
      await new Promise<void>((resolve) => process.nextTick(resolve));
    } while (this.#waiting.length > 0 && performance.now() < endsMs);
    this.#isScheduled = false;
    if (this.#waiting.length > 0) this.#schedule();
  }
}
