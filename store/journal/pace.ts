/**
 * Readers that catch up from memory never wait for I/O, so a thousand of them could occupy the event loop without limit. They
 * share one slice of a few milliseconds per turn of the loop; when it is used up, all wait for the next turn.
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
