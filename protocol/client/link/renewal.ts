/** Decides when a connection whose token ends soon gets a new one. */

/** The time between two requests for a token. */
const RENEWAL_GAP_MS = 10_000;

/**
 * Renews the token of a connection after the daemon's warning. A provider may return a cached token until it has ended, fail for a
 * while, or return tokens that also end soon: it is asked at once, then every 10 s until the daemon has a new token.
 */
export class Renewal {
  readonly #renew: () => Promise<boolean>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;
  /** Counts connections: the result of a request for an earlier one is ignored. */
  #run = 0;

  /** `renew` resolves with whether the daemon has a new token. */
  constructor(renew: () => Promise<boolean>) {
    this.#renew = renew;
  }

  warned(): void {
    this.#isDue = true;
    if (this.#timer === undefined) this.#ask();
  }

  /** The connection ended. The interval still holds, because the next connection may get a warning at once. */
  cut(): void {
    this.#run++;
    this.#isDue = false;
  }

  stop(): void {
    this.cut();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #ask(): void {
    const run = this.#run;
    this.#isDue = false;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#isDue) this.#ask();
    }, RENEWAL_GAP_MS);
    this.#renew()
      .catch(() => false)
      .then((isNew) => {
        if (!isNew && run === this.#run) this.warned();
      });
  }
}
