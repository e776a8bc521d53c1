/**
 * Lets many tasks take turns in short slices: those that wait are called one
 * after another for a few milliseconds, then everything else on the event loop has its turn.
 */

/** Work done for waiting tasks per turn of the event loop. */
const BUDGET_MS = 2;

export class Turns {
  #waiting: (() => void)[] = [];
  #isScheduled = false;

  /** Resolves when it is the caller's turn. What it does up to its next `await` is its turn. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    const endsMs = performance.now() + BUDGET_MS;
    do {
      this.#waiting.shift()?.();
      // The task goes on in a microtask; the next tick comes after all of those.
      await new Promise<void>((resolve) => process.nextTick(resolve));
    } while (this.#waiting.length > 0 && performance.now() < endsMs);
    this.#isScheduled = false;
    if (this.#waiting.length > 0) this.#schedule();
  }
}
