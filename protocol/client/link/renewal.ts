/** When a connection whose token ends soon gets another. */

/** Between two questions about a connection whose token ends soon. */
const RENEWAL_GAP_MS = 10_000;

/**
 * Renews the token of a connection that the daemon warned of. A provider may hand out its cached token until that has ended, fail
 * for a while, or give tokens that end soon as well: it is asked at once, then every 10 s until the daemon has a new token.
 */
export class Renewal {
  readonly #renew: () => Promise<boolean>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isDue = false;
  /** Counts connections: what comes out of a question for an earlier one is nobody's business. */
  #run = 0;

  /** `renew` resolves with whether the daemon has a new token. */
  constructor(renew: () => Promise<boolean>) {
    this.#renew = renew;
  }

  warned(): void {
    this.#isDue = true;
    if (this.#timer === undefined) this.#ask();
  }

  /** The connection is gone. The gap lasts, because the next one may be warned at once. */
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
