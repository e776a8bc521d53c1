/**
 * While what this node knows is too old, its live connections go elsewhere, and no new ones are let in.
 *
 * It keeps ND9 (daemon/RULES.md).
 */
import type { EdgeLogger } from '../../base/logger.ts';

const LOOK_MS = 250;

export interface StaleDrainOptions {
  readonly condition: { readonly isTooStale: boolean; check(): void };
  readonly admission: { pause(): void; resume(): void };
  readonly sessions: { drain(windowMs: number): Promise<void>; reopen(): void };
  /** The goodbyes are spread over this time. */
  readonly windowMs: number;
  readonly logger: Pick<EdgeLogger, 'info' | 'error'>;
}

export class StaleDrain {
  readonly #options: StaleDrainOptions;
  #timer: NodeJS.Timeout | undefined;
  #isDrained = false;

  constructor(options: StaleDrainOptions) {
    this.#options = options;
  }

  start(): void {
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const { condition, admission, sessions, windowMs, logger } = this.#options;
    condition.check();
    const { isTooStale } = condition;
    if (isTooStale === this.#isDrained) return;
    this.#isDrained = isTooStale;
    if (isTooStale) {
      logger.error(
        {},
        'the storage has been away for too long: live connections are sent elsewhere, and reads are refused until it is back',
      );
      admission.pause();
      void sessions.drain(windowMs);
    } else {
      logger.info({}, 'the storage is back: live connections and reads are let in again');
      sessions.reopen();
      admission.resume();
    }
  }
}
