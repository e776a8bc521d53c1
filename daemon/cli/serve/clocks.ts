/**
 * The clocks of a daemon. Where several share a storage, its clock gives every time, so that all agree.
 *
 * It keeps ND4 (daemon/RULES.md).
 */
import type { StoreClock } from '../../../store/store.ts';
import { type Clock, type SteadyClock, steadyClock, systemClock } from '../../base/clock.ts';
import { wallClock } from '../../base/wall-clock.ts';

export interface Clocks {
  /** For the log, microseconds. */
  readonly now: () => number;
  /** The same for requests, in whole milliseconds. */
  readonly nowMs: () => number;
  /** For jobs and webhooks. */
  readonly clock: Clock;
  /** For the ends of tokens and of signed links, which every machine judges by itself, in milliseconds. */
  readonly wallMs: () => number;
  /** For the grace that users have to come back. */
  readonly steady: SteadyClock;
}

/** `shared`: undefined where the wall clock of this machine is the only one. */
export function clocksOf(shared: StoreClock | undefined): Clocks {
  const own = { wallMs: Date.now, steady: steadyClock };
  if (shared === undefined) return { ...own, now: wallClock, nowMs: Date.now, clock: systemClock };
  const nowMs = (): number => Math.floor(shared.nowMs());
  return { ...own, now: () => Math.round(shared.nowMs() * 1_000), nowMs, clock: { ...systemClock, now: nowMs } };
}
