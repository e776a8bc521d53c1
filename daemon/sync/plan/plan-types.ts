/** What `makePlan` is given and what it gives back. */
import type { Position } from '../../../protocol/base/position.ts';
import type { Clock } from '../../base/clock.ts';
import type { SourceChunk } from '../rows.ts';
import type { RowMapping } from '../source-user.ts';
import type { SyncServer } from '../transport.ts';
import type { PlanCounts, PlanHeader, PlanLine, PlanSettings, PlanTrailer, PlanWrite } from './plan-lines.ts';

export interface PlanOptions {
  /** Of the daemon, for the header. */
  readonly url: string;
  /** Name of the source, for the header and messages. */
  readonly source: string;
  readonly missing: PlanSettings['missing'];
  /** Only users of this team, in the source and in the directory. */
  readonly team?: string;
  /** Largest part of the users in scope that may be missing, 0 to 1. */
  readonly maxMissing: number;
  /** Largest number of them. */
  readonly maxMissingCount: number;
  /** Largest part of the rows that may be wrong, 0 to 1. */
  readonly maxErrors: number;
  /** Requests on their way at the same time. */
  readonly concurrency: number;
  /** Gives up after so long without an answer. */
  readonly retryForMs: number;
}

/** Where the plan goes. `PlanWriter` is one. */
export interface PlanSink {
  add(lines: readonly PlanLine[]): Promise<void>;
  finish(counts: Pick<PlanCounts, 'rows' | 'unchanged' | 'missing'>): Promise<PlanTrailer>;
  /** Leaves nothing behind. */
  abandon(): Promise<void>;
}

export interface PlanDeps {
  readonly rows: AsyncIterable<SourceChunk>;
  readonly mapping: RowMapping;
  readonly server: SyncServer;
  /** Opens what the plan is written to, once the daemon has answered. Absent: it is only counted. */
  readonly openSink?: (header: PlanHeader) => Promise<PlanSink>;
  /** An empty directory of its own. What is put there is removed by whoever made it. */
  readonly spoolDirectory: string;
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random: () => number;
  readonly onProgress?: (progress: PlanProgress) => void;
  readonly onTalk?: (text: string) => void;
  /** Aborted by Ctrl-C: everything ends, nothing is left behind. */
  readonly stop: AbortSignal;
}

export interface PlanProgress {
  readonly phase: 'reading' | 'comparing';
  readonly rows: number;
  readonly errors: number;
  /** Done so far, and in all where that is known. */
  readonly bytes: number;
  readonly totalBytes?: number;
}

/** One kind of error, with where it was met first. */
export interface ErrorGroup {
  /** The reason of the first of them. */
  readonly reason: string;
  readonly count: number;
  readonly lines: readonly number[];
}

/** How often a field would be written, and in how many of those cases there is nothing after it. */
export interface FieldCount {
  readonly field: string;
  readonly changed: number;
  readonly removed: number;
}

export interface PlanSummary {
  /**
   * `planned`: the plan is complete (rows with errors are left out of it, and listed). `refused`: a brake; see `problems`.
   * `failed`: source, daemon or disk; see `problems`. `interrupted`: by `stop`. Only `planned` leaves a plan file.
   */
  readonly status: 'planned' | 'refused' | 'failed' | 'interrupted';
  /** Each says what is wrong, what was not done and how to allow it. */
  readonly problems: readonly string[];
  /** Nothing wrong, but worth knowing. */
  readonly notes: readonly string[];
  readonly counts: PlanCounts;
  readonly base: Position | null;
  /** Those of updates. The most frequent first. */
  readonly fields: readonly FieldCount[];
  /** The most frequent first, at most 10. */
  readonly errors: readonly ErrorGroup[];
  readonly examples: {
    readonly create: readonly PlanWrite[];
    readonly update: readonly PlanWrite[];
    readonly missing: readonly string[];
  };
  readonly elapsedMs: number;
  /** Only with a sink, and `planned`. */
  readonly trailer?: PlanTrailer;
}
