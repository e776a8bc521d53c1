/**
 * Readers that catch up get what is already in memory without waiting for anything, so a thousand of them could keep the event
 * loop for as long as they like. They share one slice of a few milliseconds per turn of the loop; when it is used up, all wait
 * for the next turn.
 */
const SLICE_MS = 4;

export class Pace {
  #sliceEnd = 0;
  #turn: Promise<void> | undefined;

  /** Resolves at once while the slice lasts, otherwise in a later turn. */
  async keep(): Promise<void> {
    while (performance.now() >= this.#sliceEnd) {
      this.#turn ??= new Promise((resolve) => {
        setImmediate(() => {
          this.#turn = undefined;
          this.#sliceEnd = performance.now() + SLICE_MS;
          resolve();
        });
      });
      await this.#turn;
    }
  }
}
