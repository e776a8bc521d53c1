/** What applying a plan is given and what it gives back. */
import type { Clock } from '../../base/clock.ts';
import type { PlanFile } from '../plan/plan-file.ts';
import type { PlanServer } from '../plan/plan-types.ts';
import type { Checkpoint, CheckpointStore } from './checkpoint.ts';

/** What was done to users; `unchanged` were as the plan wants them already, `changed_meanwhile` were kept as they are. */
export interface ApplyCounts {
  readonly created: number;
  readonly updated: number;
  readonly deactivated: number;
  readonly soft_deleted: number;
  readonly hard_deleted: number;
  readonly unchanged: number;
  /** Accepted by a server that does not say what became of them. */
  readonly sent: number;
  readonly changed_meanwhile: number;
  readonly failed: number;
}

/** Counts that grow. */
export type ApplyTotals = { -readonly [Name in keyof ApplyCounts]: number };

export const NO_RESULTS: ApplyCounts = {
  created: 0,
  updated: 0,
  deactivated: 0,
  soft_deleted: 0,
  hard_deleted: 0,
  unchanged: 0,
  sent: 0,
  changed_meanwhile: 0,
  failed: 0,
};

/** One line of the report. There is none for users that were as the plan wants them already. */
export type ReportEntry =
  | {
      readonly id: string;
      readonly result: Exclude<keyof ApplyCounts, 'unchanged' | 'failed' | 'changed_meanwhile'>;
      /** That differ from before, where the plan names them. */
      readonly fields?: readonly string[];
    }
  | { readonly id: string; readonly result: 'failed'; readonly line: number; readonly code: number | string; readonly reason: string }
  | { readonly id: string; readonly result: 'changed_meanwhile'; readonly line: number; readonly reason: string }
  /** A row of the source that is no part of the plan. */
  | { readonly id?: string; readonly result: 'error'; readonly line: number; readonly code: number | string; readonly reason: string }
  /** Stands for everybody from this line of the plan on. */
  | { readonly from_plan_line: number; readonly result: 'not_applied' | 'held_back'; readonly reason: string };

export interface ApplyReport {
  /** Resolves when the lines are handed to the system; wait for it before adding more. */
  add(entries: readonly ReportEntry[]): Promise<void>;
  /** Puts what was added on the disk. Resolves with the length of the report in bytes. */
  sync(): Promise<number>;
}

export interface ApplyOptions {
  /** Batches on their way at the same time. */
  readonly concurrency: number;
  /** Gives up after so long without a single request getting through. */
  readonly retryForMs: number;
  readonly usersPerSecond?: number;
  /** Users that changed since the plan was made are kept as they are, and do not refuse it. */
  readonly ifUnchanged: boolean;
  /** Of an earlier run of the same plan, which this one goes on with. */
  readonly resume?: Checkpoint;
}

export interface ApplyDeps {
  readonly plan: PlanFile;
  readonly server: PlanServer;
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random: () => number;
  readonly report: ApplyReport;
  readonly checkpoints: CheckpointStore;
  readonly onProgress: (progress: ApplyProgress) => void;
  /** Something a person should hear while it runs. */
  readonly onTalk: (text: string) => void;
  /** Aborted by the first Ctrl-C: nothing more is sent, what is out may finish. */
  readonly stop: AbortSignal;
  /** Aborted by the second: ends at once. */
  readonly leave: AbortSignal;
}

export interface ApplyProgress {
  /** Users that this run has settled. */
  readonly users: number;
  readonly failed: number;
}

/** A user that changed since the plan was made. Revision 0: it does not exist. */
export interface StaleUser {
  readonly id: string;
  readonly planned: number;
  readonly found: number;
}

export interface ApplySummary {
  /**
   * `done`: to the end of the plan, or to its removals when these were held back. `refused`: nothing was written by this run.
   * `interrupted`: by `stop`. `gave-up`: see `problems`.
   */
  readonly status: 'done' | 'refused' | 'interrupted' | 'gave-up';
  readonly problems: readonly string[];
  /** The first of those that changed since the plan was made, when it is refused for them. */
  readonly stale: { readonly count: number; readonly first: readonly StaleUser[] };
  /** Of all runs of this plan that went on with each other. With `left` and `heldBack` they add up to `total`. */
  readonly counts: ApplyCounts;
  /** Users of the plan. */
  readonly total: number;
  /** Not brought, or not confirmed, because the run ended. */
  readonly left: number;
  /** Removals that were not begun because users could not be written. */
  readonly heldBack: number;
  /** Rows of the source that are no part of the plan because something was wrong with them. */
  readonly errors: number;
  /** Users that this run has settled. */
  readonly users: number;
  readonly elapsedMs: number;
}

export function sumOf(counts: ApplyCounts): number {
  return Object.values(counts).reduce((sum: number, count: number) => sum + count, 0);
}
