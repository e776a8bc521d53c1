/** What a decision depends on beside the directory: the rules that an operator sets in the configuration, and the time. Pure. */
import type { Micros } from '../../protocol/base/time.ts';

/** The time of a decision, on both clocks. */
export interface Moment {
  /** Time of the log: later than that of every decision before. It orders, and stamps records. */
  readonly now: Micros;
  /** Wall clock, which may be set forward or back. Ends of bans, ages and days are counted from it. */
  readonly wall: Micros;
}

/** Rules that an operator sets in the configuration. Every node of a cluster must have the same. */
export interface Policy {
  /** A connect whose role differs from the stored one: refused, or the stored role is kept and a warning given. */
  readonly connectRole: 'refuse' | 'keep';
  /** `guard`: a connect writes only the keys that differ from what the user's connects last sent. `merge`: all keys sent. */
  readonly connectGuard: 'guard' | 'merge';
  /** Whether the id of a hard-deleted user may be used again. */
  readonly reuseHardDeleted: boolean;
  /** How long a finished task is kept, in microseconds. */
  readonly tasksKeptMicros: number;
  /** Like `tasksKeptMicros`, for exports, whose task makes the link to the file; never shorter than the other. */
  readonly exportsKeptMicros: number;
  /** How long the receipt of a request with an `Idempotency-Key` is kept, in microseconds. */
  readonly receiptsKeptMicros: number;
}
