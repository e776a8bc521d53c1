/**
 * The clocks of a daemon. Where several share a storage, its clock gives every time, so that all agree.
 *
 * It keeps ND4 (daemon/RULES.md).
 */
import type { StoreClock } from '../../../store/store.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import { wallClock } from '../../base/wall-clock.ts';

export interface Clocks {
  /** For the log, microseconds. */
  readonly now: () => number;
  /** The same for requests, in whole milliseconds. */
  readonly nowMs: () => number;
  /** For jobs and webhooks. */
  readonly clock: Clock;
}

/** `shared`: undefined where the wall clock of this machine is the only one. */
export function clocksOf(shared: StoreClock | undefined): Clocks {
  if (shared === undefined) return { now: wallClock, nowMs: Date.now, clock: systemClock };
  const nowMs = (): number => Math.floor(shared.nowMs());
  return { now: () => Math.round(shared.nowMs() * 1_000), nowMs, clock: { ...systemClock, now: nowMs } };
}
