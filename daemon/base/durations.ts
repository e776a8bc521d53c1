/**
 * A histogram of times in plain numbers: to observe one costs a short search and three additions, and makes no object. Whoever collects
 * metrics reads it.
 */

/** Upper bounds of the buckets in seconds, ascending; one more bucket has no bound. */
export const DURATION_BOUNDS_S: readonly number[] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export class Durations {
  /** Observations by bucket, each counted in one; beyond the last bound at the end. */
  readonly #counts: number[] = new Array(DURATION_BOUNDS_S.length + 1).fill(0);
  #sumS = 0;
  #count = 0;

  /** Of all observations, seconds. */
  get sumS(): number {
    return this.#sumS;
  }

  get count(): number {
    return this.#count;
  }

  /** Observations up to each bound of `DURATION_BOUNDS_S`, those below it included. */
  get upTo(): readonly number[] {
    let sum = 0;
    return DURATION_BOUNDS_S.map((_, at) => {
      sum += this.#counts[at] ?? 0;
      return sum;
    });
  }

  /** `times`: how many observations this stands for. A negative time, as after a clock was set back, counts as none. */
  observe(ms: number, times = 1): void {
    const seconds = ms > 0 ? ms / 1_000 : 0;
    let at = 0;
    while (at < DURATION_BOUNDS_S.length && seconds > (DURATION_BOUNDS_S[at] ?? 0)) at++;
    this.#counts[at] = (this.#counts[at] ?? 0) + times;
    this.#sumS += seconds * times;
    this.#count += times;
  }
}
