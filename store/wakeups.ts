/** Readers that have seen every entry wait here. Waking them costs nothing for those that do not wait. */
export class Wakeups {
  readonly #waiting = new Set<() => void>();

  add(wake: () => void): void {
    this.#waiting.add(wake);
  }

  delete(wake: () => void): void {
    this.#waiting.delete(wake);
  }

  /** Calls each waiter once and forgets it. A waiter only resolves a promise, so none can add itself again meanwhile. */
  wakeAll(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

/** The waiting of one reader: one abort listener for its whole life, however often it waits. */
export class Waiter {
  readonly #wakeups: Wakeups;
  readonly #signal: AbortSignal;
  #resolve: (() => void) | undefined;
  readonly #wake = (): void => {
    this.#resolve?.();
    this.#resolve = undefined;
  };

  constructor(wakeups: Wakeups, signal: AbortSignal) {
    this.#wakeups = wakeups;
    this.#signal = signal;
    signal.addEventListener('abort', this.#wake);
  }

  /** Resolves at the next `wakeAll`, or when the signal aborts. The caller has just seen that there is nothing to read. */
  wait(): Promise<void> {
    if (this.#signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#wakeups.add(this.#wake);
    });
  }

  end(): void {
    this.#wakeups.delete(this.#wake);
    this.#signal.removeEventListener('abort', this.#wake);
  }
}
