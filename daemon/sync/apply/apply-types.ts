/** What applying a plan is given and what it gives back. */
import type { SyncCounts } from '../counts.ts';
import type { PlanFile } from '../plan/plan-file.ts';
import type { Report } from '../report.ts';
import type { RunDeps, RunOptions } from '../run.ts';
import type { SyncServer } from '../transport.ts';
import type { Checkpoint, CheckpointStore } from './checkpoint.ts';

export interface ApplyOptions extends RunOptions {
  /** Users that changed since the plan was made are kept as they are, and do not refuse it. */
  readonly ifUnchanged: boolean;
  /** Of an earlier run of the same plan, which this one goes on with. */
  readonly resume?: Checkpoint;
}

export interface ApplyReport extends Report {
  /** Puts what was added on the disk. Resolves with the length of the report in bytes. */
  sync(): Promise<number>;
}

export interface ApplyDeps extends RunDeps {
  readonly plan: PlanFile;
  readonly server: SyncServer;
  readonly report: ApplyReport;
  readonly checkpoints: CheckpointStore;
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
  readonly counts: SyncCounts;
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
