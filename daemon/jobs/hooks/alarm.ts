/** Calls back once, at the earliest of the times that were set. */
import type { Clock } from '../../base/clock.ts';

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #atMs = Number.POSITIVE_INFINITY;
  #sleeping = new AbortController();

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** A time later than the one already set changes nothing. */
  set(atMs: number): void {
    if (atMs >= this.#atMs) return;
    this.stop();
    this.#atMs = atMs;
    const sleeping = new AbortController();
    this.#sleeping = sleeping;
    void this.#clock.sleep(Math.max(0, atMs - this.#clock.now()), sleeping.signal).then(() => {
      if (sleeping.signal.aborted) return;
      this.#atMs = Number.POSITIVE_INFINITY;
      this.#ring();
    });
  }

  stop(): void {
    this.#sleeping.abort();
    this.#atMs = Number.POSITIVE_INFINITY;
  }
}
