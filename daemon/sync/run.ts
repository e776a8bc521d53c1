/**
 * A run: sends users to a directory in batches, from a plan or straight from a source.
 *
 * Batches settle in the order in which they were read, and a batch counts together with its lines in the report. An early end
 * gives a reason in the summary and never an exception. Running again is safe: nothing takes effect twice.
 */
import { setMaxListeners } from 'node:events';
import { errorText } from '../../protocol/base/errors.ts';
import type { Clock } from '../base/clock.ts';
import { NO_RESULTS, type SyncCounts, type SyncTotals, sumOf } from './counts.ts';
import { inOrder } from './in-order.ts';
import type { Report, ReportEntry } from './report.ts';
import { Retrier, type RetrierOptions } from './retrier.ts';
import { Throttle } from './throttle.ts';

export interface RunOptions {
  /** Batches in flight at the same time. */
  readonly concurrency: number;
  /** Gives up after this time without a single request getting through. */
  readonly retryForMs: number;
  readonly usersPerSecond?: number;
}

export interface RunDeps {
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random: () => number;
  readonly report: Report;
  /** Called after every batch. */
  readonly onProgress?: (progress: RunProgress) => void;
  /** Called with messages that a person should see during the run. */
  readonly onTalk?: (text: string) => void;
  /** Aborted by the first Ctrl-C: nothing more is read or sent, requests in flight may finish. */
  readonly stop?: AbortSignal;
  /** Aborted by the second Ctrl-C: the run ends at once. */
  readonly leave?: AbortSignal;
}

export interface RunProgress {
  readonly counts: SyncCounts;
  /** Users that this run settled. */
  readonly users: number;
  /** Bytes of the source that are done. */
  readonly bytes: number;
  /** Everything up to this line of the source or plan is done. */
  readonly at: number;
}

/** The progress of an earlier run, and the place to record the progress of this one. */
export interface ResumePoint {
  readonly at: number;
  readonly counts: SyncCounts;
  /** Called after every batch. Rejects with the system's error. */
  readonly note: (at: number, counts: SyncCounts) => Promise<void>;
}

/** A part of a run: how its batches are handled and reported. */
export interface Phase<Batch, Result> {
  readonly batches: AsyncGenerator<Batch>;
  readonly work: (batch: Batch) => Promise<Result>;
  /** The lines of the report; adds to the counts. */
  readonly entries: (batch: Batch, result: Result, counts: SyncTotals) => readonly ReportEntry[];
}

interface Settled {
  readonly lastAt: number;
  readonly bytes?: number;
}

export class Run {
  readonly clock: Clock;
  readonly stopping: AbortSignal;
  readonly leaving: AbortSignal;
  /** Shared by all requests of the run, because they fail for the same reasons. */
  readonly retrier: Retrier;
  /** Like `retrier`, for questions about requests under way: these continue after nothing new is begun. */
  readonly finishing: Retrier;
  readonly throttle: Throttle | undefined;
  counts: SyncCounts;
  at: number;
  /** Users that were read and not sent, because the run ended. */
  notSent = 0;
  /** The reason for an early end, in words. */
  problem: string | undefined;
  readonly #concurrency: number;
  readonly #deps: RunDeps;
  readonly #resumePoint: ResumePoint | undefined;
  readonly #startedMs: number;
  readonly #before: number;
  /** Ends the run from inside; `stopping` joins it with Ctrl-C. */
  readonly #fatal = new AbortController();
  #bytes = 0;
  #isGap = false;

  /** With a point to resume from, a later run can continue where this one ends. */
  constructor({ concurrency, retryForMs, usersPerSecond }: RunOptions, deps: RunDeps, resumePoint?: ResumePoint) {
    const { clock, random, onTalk = () => {} } = deps;
    const never = new AbortController().signal;
    const { stop = never, leave = never } = deps;
    this.clock = clock;
    this.leaving = leave;
    this.stopping = AbortSignal.any([this.#fatal.signal, stop, leave]);
    // Every request in flight listens, and `concurrency` allows any number of them.
    setMaxListeners(0, stop, leave, this.stopping);
    const onFatal = (reason: string) => this.giveUp(reason);
    const trouble: RetrierOptions = { clock, random, retryForMs, stopping: this.stopping, leaving: leave, onFatal, onTalk };
    this.retrier = new Retrier(trouble);
    this.finishing = new Retrier({ ...trouble, stopping: leave });
    this.throttle = usersPerSecond === undefined ? undefined : new Throttle(clock, usersPerSecond);
    this.counts = resumePoint?.counts ?? NO_RESULTS;
    this.at = resumePoint?.at ?? 0;
    this.#concurrency = concurrency;
    this.#deps = deps;
    this.#resumePoint = resumePoint;
    this.#startedMs = clock.now();
    this.#before = sumOf(this.counts);
  }

  get elapsedMs(): number {
    return this.clock.now() - this.#startedMs;
  }

  /** Users that this run settled. */
  get users(): number {
    return sumOf(this.counts) - this.#before;
  }

  /** The first reason counts; later ones are mostly its consequences. */
  giveUp(reason: string): void {
    this.problem ??= reason;
    this.#fatal.abort();
  }

  /** False when the lines cannot be written, which ends the run. */
  async report(entries: readonly ReportEntry[]): Promise<boolean> {
    if (entries.length === 0) return true;
    try {
      await this.#deps.report.add(entries);
      return true;
    } catch (error) {
      this.giveUp(`the report cannot be written: ${errorText(error)}`);
      return false;
    }
  }

  /** True when all batches were read and all their users sent. Resolves when no batch is under way any more. */
  async all<Batch extends Settled, Result extends { readonly notSent: readonly unknown[] }>(phase: Phase<Batch, Result>): Promise<boolean> {
    const isAtEnd = await inOrder({
      batches: phase.batches,
      concurrency: this.#concurrency,
      work: phase.work,
      settle: (batch, result) => this.#settle(batch, result, phase),
      stopping: this.stopping,
      onError: (error) => this.giveUp(errorText(error)),
    });
    return isAtEnd && !this.#isGap && this.problem === undefined;
  }

  async #settle<Batch extends Settled, Result extends { readonly notSent: readonly unknown[] }>(
    batch: Batch,
    result: Result,
    { entries }: Phase<Batch, Result>,
  ): Promise<boolean> {
    if (result.notSent.length > 0) this.#isGap = true;
    // The next run finds out which users after that point were sent, so no user of this batch counts yet.
    if (this.#isGap && this.#resumePoint !== undefined) return false;
    const counts = { ...this.counts };
    if (!(await this.report(entries(batch, result, counts))) && this.#resumePoint !== undefined) return false;
    this.counts = counts;
    this.notSent += result.notSent.length;
    this.#bytes += batch.bytes ?? 0;
    if (!this.#isGap) this.at = batch.lastAt;
    this.#deps.onProgress?.({ counts, users: this.users, bytes: this.#bytes, at: this.at });
    await this.#resumePoint?.note(this.at, counts);
    return true;
  }
}
