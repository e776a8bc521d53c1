/** The input and the result of `makePlan`. */
import type { Position } from '../../../protocol/base/position.ts';
import type { Returns } from '../../../protocol/users/upsert.ts';
import type { Clock } from '../../base/clock.ts';
import type { ErrorGroup, TakenOutSummary } from '../counts.ts';
import type { SourceChunk } from '../rows.ts';
import type { RowMapping } from '../source-user.ts';
import type { SyncServer } from '../transport.ts';
import type { PlanCounts, PlanHeader, PlanLine, PlanSettings, PlanTrailer, PlanWrite } from './plan-lines.ts';

export interface PlanOptions {
  /** URL of the daemon, for the header. */
  readonly url: string;
  /** Name of the source, for the header and messages. */
  readonly source: string;
  readonly missing: PlanSettings['missing'];
  /** Only users of this team, in the source and in the directory. */
  readonly team?: string;
  /** Largest share of the users in scope that may be missing, 0 to 1. */
  readonly maxMissing: number;
  /** Largest number of missing users. */
  readonly maxMissingCount: number;
  /** Largest share of the rows that may have errors, 0 to 1. */
  readonly maxErrors: number;
  readonly returning: Returns;
  /** Requests on their way at the same time. */
  readonly concurrency: number;
  /** Gives up after this time without an answer. */
  readonly retryForMs: number;
}

/** The destination of the plan, such as `PlanWriter`. */
export interface PlanSink {
  add(lines: readonly PlanLine[]): Promise<void>;
  finish(counts: Pick<PlanCounts, 'rows' | 'unchanged' | 'missing'>, takenOut: TakenOutSummary): Promise<PlanTrailer>;
  /** Removes everything that was written. */
  abandon(): Promise<void>;
}

export interface PlanDeps {
  readonly rows: AsyncIterable<SourceChunk>;
  readonly mapping: RowMapping;
  readonly server: SyncServer;
  /** Opens the destination once the daemon has answered. Absent: the plan is only counted. */
  readonly openSink?: (header: PlanHeader) => Promise<PlanSink>;
  /** An empty directory for this run. The caller removes its content. */
  readonly spoolDirectory: string;
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random: () => number;
  readonly onProgress?: (progress: PlanProgress) => void;
  readonly onTalk?: (text: string) => void;
  /** Aborted by Ctrl-C: everything ends, and nothing is left behind. */
  readonly stop: AbortSignal;
}

export interface PlanProgress {
  readonly phase: 'reading' | 'comparing';
  readonly rows: number;
  readonly errors: number;
  /** Done so far, and the total where it is known. */
  readonly bytes: number;
  readonly totalBytes?: number;
}

/** How often the plan changes a field; `removed` counts the changes that remove it. */
export interface FieldCount {
  readonly field: string;
  readonly changed: number;
  readonly removed: number;
}

export interface PlanSummary {
  /**
   * `planned`: the plan is complete (rows with errors are left out and listed). `refused`: by a brake; see `problems`.
   * `failed`: because of source, daemon or disk; see `problems`. `interrupted`: by `stop`. Only `planned` leaves a plan file.
   */
  readonly status: 'planned' | 'refused' | 'failed' | 'interrupted';
  /** Each says what is wrong, what was not done and how to allow it. */
  readonly problems: readonly string[];
  /** Facts that are not errors but worth knowing. */
  readonly notes: readonly string[];
  readonly counts: PlanCounts;
  readonly base: Position | null;
  /** Fields of the updates, the most frequent first. */
  readonly fields: readonly FieldCount[];
  /** The most frequent first, at most 10. */
  readonly errors: readonly ErrorGroup[];
  readonly examples: {
    readonly create: readonly PlanWrite[];
    readonly update: readonly PlanWrite[];
    readonly reactivate: readonly PlanWrite[];
    readonly restore: readonly PlanWrite[];
    readonly missing: readonly string[];
  };
  /** Users of the source that an earlier sync took out, and that the plan leaves out. */
  readonly takenOut: TakenOutSummary;
  /** Only where the directory was listed: users that would be removed, of those that could be. */
  readonly scope?: { readonly removed: number; readonly users: number };
  readonly elapsedMs: number;
  /** Only with a sink, and `planned`. */
  readonly trailer?: PlanTrailer;
}
