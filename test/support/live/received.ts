/** The frames of a connection, all of which are kept, and those who wait for one. */

// biome-ignore lint/suspicious/noExplicitAny: frames of every shape; asserting on a wrong one fails the test all the same
export type Frame = any;

interface Waiter {
  readonly wanted: (frame: Frame) => boolean;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

const PATIENCE_MS = 60_000;

export class Received {
  /** In the order in which they came. */
  readonly frames: Frame[] = [];
  #waiters: Waiter[] = [];

  take(frame: Frame): void {
    this.frames.push(frame);
    const due = this.#waiters.filter(({ wanted }) => wanted(frame));
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter));
    for (const { resolve } of due) resolve(frame);
  }

  /** No more will come: all who wait get the error. */
  end(error: Error): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  /** The first frame, past or future, that is `wanted`. */
  until(wanted: (frame: Frame) => boolean, what = 'a frame'): Promise<Frame> {
    const past = this.frames.find(wanted);
    return past === undefined ? this.next(wanted, what) : Promise.resolve(past);
  }

  /** The next frame from now on that is `wanted`. */
  next(wanted: (frame: Frame) => boolean, what = 'a frame'): Promise<Frame> {
    return new Promise((resolve, reject) => {
      // Made here, so that it says who waits.
      const late = new Error(`${what} did not come within ${PATIENCE_MS} ms`);
      const timer = setTimeout(() => reject(late), PATIENCE_MS);
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          how(value);
        };
      this.#waiters.push({ wanted, resolve: settle(resolve), reject: settle(reject) });
    });
  }
}
