/** The input and the result of applying a plan. */
import type { SyncCounts, TakenOutSummary } from '../counts.ts';
import type { PlanFile } from '../plan/plan-file.ts';
import type { Report } from '../report.ts';
import type { RunDeps, RunOptions } from '../run.ts';
import type { SyncServer } from '../transport.ts';
import type { Checkpoint, CheckpointStore } from './checkpoint.ts';

export interface ApplyOptions extends RunOptions {
  /** Users that changed since the plan was made are left as they are and do not make it refused. */
  readonly ifUnchanged: boolean;
  /** The checkpoint of an earlier run of the same plan, which this run continues. */
  readonly resume?: Pick<Checkpoint, 'at' | 'counts'>;
}

export interface ApplyReport extends Report {
  /** Syncs the added lines to the disk. Resolves with the length of the report in bytes. */
  sync(): Promise<number>;
}

export interface ApplyDeps extends RunDeps {
  readonly plan: PlanFile;
  readonly server: SyncServer;
  readonly report: ApplyReport;
  readonly checkpoints: CheckpointStore;
}

/** A user that changed since the plan was made. Revision 0: the user does not exist. */
export interface StaleUser {
  readonly id: string;
  readonly planned: number;
  readonly found: number;
}

export interface ApplySummary {
  /**
   * `done`: reached the end of the plan, or its removals when these were held back. `refused`: this run wrote nothing.
   * `interrupted`: ended by `stop`. `gave-up`: see `problems`.
   */
  readonly status: 'done' | 'refused' | 'interrupted' | 'gave-up';
  readonly problems: readonly string[];
  /** The users that changed since the plan was made, when the plan is refused for them: their number and the first of them. */
  readonly stale: { readonly count: number; readonly first: readonly StaleUser[] };
  /** Counts of this run and the runs that it continues. Together with `left`, `outcomeUnknown` and `heldBack` they add up to `total`. */
  readonly counts: SyncCounts;
  /** Users in the plan. */
  readonly total: number;
  /** Users not done, or not counted yet, because the run ended. */
  readonly left: number;
  /** Users sent that may be stored: the run ended before an answer said what became of them. The report names them. */
  readonly outcomeUnknown: number;
  /** Removals not begun because some users could not be written. */
  readonly heldBack: number;
  /** Rows of the source that the plan leaves out because they have errors. */
  readonly errors: number;
  /** Users of the source that an earlier sync took out, and that the plan leaves out. */
  readonly takenOut: TakenOutSummary;
  /** Users that this run settled. */
  readonly users: number;
  readonly elapsedMs: number;
}
