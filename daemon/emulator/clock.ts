/**
 * The clock of an emulated application. It runs as the machine's, and can be set. What waits for a time follows when it is set forward;
 * set back, it makes nobody wait longer.
 *
 * It keeps EM10 (README.md).
 */
import { type Clock, type SteadyClock, TIMER_MS_MAX } from '../base/clock.ts';
import { wallClock } from '../base/wall-clock.ts';
import type { Clocks } from '../cli/serve/clocks.ts';

interface Waiting {
  readonly dueMs: number;
  readonly act: () => void;
  /** Whether it keeps the process alive. */
  readonly isKeeping: boolean;
  timer: NodeJS.Timeout | undefined;
}

export class EmulatorClock implements Clock {
  /** How far it is ahead of the machine's clock; negative where it is behind. */
  #offsetMs = 0;
  /** The sum of all steps forward. */
  #steppedMs = 0;
  readonly #waiting = new Set<Waiting>();
  readonly steady: SteadyClock = {
    nowMs: () => performance.now() + this.#steppedMs,
    after: (ms, act) => this.#after(ms, act, false),
  };

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Milliseconds since 1970; whole ones. */
  set(nowMs: number): void {
    this.#step(nowMs - this.now());
  }

  advance(ms: number): void {
    this.#step(ms);
  }

  /** Makes it run with the machine's again. */
  reset(): void {
    this.#step(-this.#offsetMs);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal?.aborted === true) return resolve();
      const done = (): void => {
        signal?.removeEventListener('abort', done);
        cancel();
        resolve();
      };
      const cancel = this.#after(ms, done, true);
      signal?.addEventListener('abort', done, { once: true });
    });
  }

  /** All times of a daemon, by this clock. */
  get clocks(): Clocks {
    const nowMs = (): number => this.now();
    return { now: () => wallClock() + this.#offsetMs * 1_000, nowMs, wallMs: nowMs, clock: this, steady: this.steady };
  }

  #step(ms: number): void {
    this.#offsetMs += ms;
    if (ms <= 0) return;
    this.#steppedMs += ms;
    for (const waiting of [...this.#waiting]) this.#arm(waiting);
  }

  #after(ms: number, act: () => void, isKeeping: boolean): () => void {
    const waiting: Waiting = { dueMs: this.steady.nowMs() + ms, act, isKeeping, timer: undefined };
    this.#waiting.add(waiting);
    this.#arm(waiting);
    return () => {
      clearTimeout(waiting.timer);
      this.#waiting.delete(waiting);
    };
  }

  #arm(waiting: Waiting): void {
    clearTimeout(waiting.timer);
    const leftMs = waiting.dueMs - this.steady.nowMs();
    waiting.timer = setTimeout(() => (leftMs > TIMER_MS_MAX ? this.#arm(waiting) : this.#fire(waiting)), Math.min(leftMs, TIMER_MS_MAX));
    if (!waiting.isKeeping) waiting.timer.unref();
  }

  #fire(waiting: Waiting): void {
    this.#waiting.delete(waiting);
    waiting.act();
  }
}
