/** Keeps a run below the number of users per second that its operator set, however fast the server is. */
import type { Clock } from '../base/clock.ts';

export class Throttle {
  readonly #clock: Clock;
  readonly #usersPerSecond: number;
  #freeAtMs = 0;

  constructor(clock: Clock, usersPerSecond: number) {
    this.#clock = clock;
    this.#usersPerSecond = usersPerSecond;
  }

  /** Resolves with true when this many users may be sent. False: `signal` aborted before. */
  async take(users: number, signal: AbortSignal): Promise<boolean> {
    const now = this.#clock.now();
    const startMs = Math.max(this.#freeAtMs, now);
    this.#freeAtMs = startMs + (users * 1_000) / this.#usersPerSecond;
    if (startMs > now) await this.#clock.sleep(startMs - now, signal);
    return !signal.aborted;
  }
}
