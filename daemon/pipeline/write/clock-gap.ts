/**
 * How far the times in the log are ahead of the wall clock: the clock was set back, or stood ahead when something was written.
 *
 * It keeps CK3 (daemon/RULES.md).
 */
import type { Micros } from '../../../protocol/base/time.ts';
import type { RosterLogger } from '../../base/logger.ts';

/** Less is not worth a word: clocks are corrected by a little all the time. */
const GAP_MS = 1_000;
const TEXT =
  'the times in the log are ahead of the wall clock, which was set back, or stood ahead before: new records get times after those in the log; what ends in time follows the wall clock';

export class ClockGap {
  readonly #log: { readonly time: Micros };
  readonly #now: () => Micros;
  readonly #logger: RosterLogger;
  #isTold = false;

  /** `log.time` is the time of its last entry. */
  constructor(log: { readonly time: Micros }, now: () => Micros, logger: RosterLogger) {
    this.#log = log;
    this.#now = now;
    this.#logger = logger;
  }

  /** Milliseconds; 0 while there is no gap worth a word. */
  get ms(): number {
    const aheadMs = Math.round((this.#log.time - this.#now()) / 1_000);
    return aheadMs > GAP_MS ? aheadMs : 0;
  }

  /** Logs the beginning of a gap, and its end. */
  check(): void {
    const { ms } = this;
    if (ms > 0 === this.#isTold) return;
    this.#isTold = ms > 0;
    if (this.#isTold) this.#logger.error({ clock_behind_log_ms: ms }, TEXT);
    else this.#logger.info({}, 'the wall clock has caught up with the times in the log');
  }
}
