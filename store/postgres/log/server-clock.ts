/**
 * The time by the clock of the server (PL9). Each answer that tells the time bounds it: the server read its clock between the question and
 * the answer. The estimate moves only as far as such bounds demand, so an answer that took long says little and moves nothing.
 */
import type { StoreClock } from '../../store.ts';

export class ServerClock implements StoreClock {
  readonly #steadyMs: () => number;
  /** The time of the server, less that of the clock that nobody sets; undefined before the first answer. */
  #offsetMs: number | undefined;

  constructor(steadyMs: () => number = () => performance.now()) {
    this.#steadyMs = steadyMs;
  }

  nowMs(): number {
    if (this.#offsetMs === undefined) throw new Error('the server has not told the time yet');
    return this.#steadyMs() + this.#offsetMs;
  }

  /** To be called when a question about the time is sent; the result takes the answer, milliseconds since 1970, as soon as it has come. */
  asked(): (serverMs: number) => void {
    const sentMs = this.#steadyMs();
    return (serverMs) => {
      const [least, most] = [serverMs - this.#steadyMs(), serverMs - sentMs];
      this.#offsetMs = Math.min(most, Math.max(least, this.#offsetMs ?? (least + most) / 2));
    };
  }
}
