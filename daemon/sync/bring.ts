/**
 * The core of `rosterd sync`: source → checked batches → daemon, with everything of the outside world handed in.
 *
 * Memory is bounded by the read-ahead whatever the length of the source (ids seen excepted). Each user of the source ends
 * in exactly one count. Running it again finishes a run that ended early and changes nothing twice.
 */

import { errorText } from '../../protocol/base/errors.ts';
import type { Clock } from '../base/clock.ts';
import { Deliverer, type Delivery } from './deliverer.ts';
import { inOrder } from './in-order.ts';
import type { ReportSink } from './report-sink.ts';
import { BATCH_LIMITS, type BatchLimits, type Failure, readBatches, type SourceBatch, type SourceFormat } from './source.ts';
import type { Send } from './transport.ts';

export interface SyncOptions {
  /** Batches on their way at the same time. */
  readonly concurrency: number;
  /** Gives up after so long without a single batch getting through. */
  readonly retryForMs: number;
  readonly batch?: BatchLimits;
  /** Default: one user per line. */
  readonly format?: SourceFormat;
}

export interface SyncDeps {
  readonly source: AsyncIterable<Buffer>;
  readonly send: Send;
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random: () => number;
  readonly report: ReportSink;
  /** After every batch. */
  readonly onProgress?: (progress: SyncProgress) => void;
  /** Something a person should hear while it runs. */
  readonly onTalk?: (text: string) => void;
  /** Aborted by the first Ctrl-C: no more is read or sent, what is out may finish. */
  readonly stop?: AbortSignal;
  /** Aborted by the second: ends at once. */
  readonly leave?: AbortSignal;
}

export interface SyncCounts {
  readonly created: number;
  readonly updated: number;
  readonly unchanged: number;
  /** Accepted by a server that does not say what became of them. */
  readonly sent: number;
  readonly failed: number;
  /** Read, but not brought to the daemon because the run ended. */
  readonly notSent: number;
}

export interface SyncProgress extends SyncCounts {
  /** Users that are done, one way or the other. */
  readonly users: number;
  /** Bytes of the source that are done. */
  readonly bytes: number;
  /** Everything up to this line is done. */
  readonly line: number;
}

export interface SyncSummary extends SyncCounts {
  /** `done`: to the end of the source. `interrupted`: by `stop`. `gave-up`: see `reason`. */
  readonly status: 'done' | 'interrupted' | 'gave-up';
  readonly reason?: string;
  readonly elapsedMs: number;
  readonly reportPath?: string;
}

/** Never rejects because of the source, the network, the daemon or the report; that is a `gave-up` with a reason. */
export async function runSync(options: SyncOptions, deps: SyncDeps): Promise<SyncSummary> {
  const run = new SyncRun(options, deps);
  const startedMs = deps.clock.now();
  await run.pump();
  const end = await run.finish();
  return { ...end, elapsedMs: deps.clock.now() - startedMs };
}

type Totals = { -readonly [Name in keyof SyncProgress]: SyncProgress[Name] };

class SyncRun {
  readonly #options: SyncOptions;
  readonly #deps: SyncDeps;
  readonly #deliverer: Deliverer;
  /** Ends the run from inside; `#stopping` joins it with Ctrl-C. */
  readonly #fatal = new AbortController();
  readonly #stopping: AbortSignal;
  #reason: string | undefined;
  #nextLine = 1;
  #isAtEnd = false;
  readonly #totals: Totals = { created: 0, updated: 0, unchanged: 0, sent: 0, failed: 0, notSent: 0, users: 0, bytes: 0, line: 0 };

  constructor(options: SyncOptions, deps: SyncDeps) {
    this.#options = options;
    this.#deps = deps;
    const never = new AbortController().signal;
    this.#stopping = AbortSignal.any([this.#fatal.signal, deps.stop ?? never, deps.leave ?? never]);
    this.#deliverer = new Deliverer({
      send: deps.send,
      clock: deps.clock,
      random: deps.random,
      retryForMs: options.retryForMs,
      stopping: this.#stopping,
      leaving: deps.leave ?? never,
      onFatal: (reason) => this.#giveUp(reason),
      onTalk: deps.onTalk ?? (() => {}),
    });
  }

  /** Reads and sends until the end of the source or of the run. Resolves when nothing is out any more. */
  async pump(): Promise<void> {
    this.#isAtEnd = await inOrder({
      batches: this.#batches(),
      concurrency: this.#options.concurrency,
      work: ({ users }) => this.#deliverer.deliver(users),
      settle: (batch, delivery) => this.#settle(batch, delivery),
      stopping: this.#stopping,
      onError: (part, error) => this.#giveUp(part === 'source' ? `the source cannot be read: ${errorText(error)}` : errorText(error)),
    });
  }

  async *#batches(): AsyncGenerator<SourceBatch> {
    for await (const batch of readBatches(this.#deps.source, this.#options.batch ?? BATCH_LIMITS, this.#options.format)) {
      this.#nextLine = batch.lastLine + 1;
      yield batch;
    }
  }

  async finish(): Promise<Omit<SyncSummary, 'elapsedMs'>> {
    const { users: _users, bytes: _bytes, line: _line, ...counts } = this.#totals;
    const isInterrupted = this.#reason === undefined && !this.#isAtEnd;
    if (this.#reason !== undefined && !this.#isAtEnd) {
      const rest = { from_line: this.#nextLine, code: 'not_read', reason: `from this line on nothing was read: ${this.#reason}` } as const;
      await this.#addToReport([rest]);
    }
    const reportPath = await this.#deps.report.close().catch((error: unknown) => {
      this.#reason ??= `the report cannot be written: ${errorText(error)}`;
      return undefined;
    });
    const status = this.#reason !== undefined ? 'gave-up' : isInterrupted || counts.notSent > 0 ? 'interrupted' : 'done';
    return {
      status,
      ...counts,
      ...(this.#reason === undefined ? {} : { reason: this.#reason }),
      ...(reportPath === undefined ? {} : { reportPath }),
    };
  }

  /** Batches settle in the order of the source, so the first that was not sent is where `line` ends. */
  async #settle({ users, failures, bytes, lastLine }: SourceBatch, delivery: Delivery): Promise<boolean> {
    const { created, updated, unchanged, sent, failures: refused, notSent } = delivery;
    const totals = this.#totals;
    totals.created += created.length;
    totals.updated += updated.length;
    totals.unchanged += unchanged.length;
    totals.sent += sent.length;
    totals.failed += failures.length + refused.length;
    totals.users += users.length + failures.length - notSent.length;
    totals.bytes += bytes;
    if (notSent.length === 0 && totals.notSent === 0) totals.line = lastLine;
    totals.notSent += notSent.length;
    // After Ctrl-C the job is simply run again; after giving up, the report tells what is missing.
    const missing: Failure[] =
      this.#reason === undefined ? [] : notSent.map(({ line, id }) => ({ line, id, code: 'not_sent', reason: 'the run ended before' }));
    await this.#addToReport([...failures, ...refused, ...missing]);
    this.#deps.onProgress?.(totals);
    return true;
  }

  async #addToReport(entries: Parameters<ReportSink['add']>[0]): Promise<void> {
    await this.#deps.report.add(entries).catch((error: unknown) => this.#giveUp(`the report cannot be written: ${errorText(error)}`));
  }

  /** The first reason counts; what follows is mostly its consequence. */
  #giveUp(reason: string): void {
    this.#reason ??= reason;
    this.#fatal.abort();
  }
}
