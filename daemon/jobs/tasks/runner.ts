/**
 * Runs the work that outlives its request. Each piece of work is an unfinished document; the runner finds them
 * at the start, and later among the applied entries, from any writer.
 *
 * It keeps JB1–JB5 (daemon/RULES.md).
 */
import pLimit, { type LimitFunction } from 'p-limit';
import { backoffMs } from '../../../protocol/base/backoff.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { BlobsUnavailable } from '../../../store/blobs.ts';
import { LeaseLost } from '../../../store/leases.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';

/** The error of failed work. */
export interface JobError {
  readonly type: string;
  readonly description: string;
}

export interface Work {
  readonly kind: 'task' | 'import' | 'plan';
  /** Number of documents worked on at the same time. */
  readonly concurrency: number;
  /** Whether the document still needs work. */
  isOpen(change: DocChange): boolean;
  openIds(): Iterable<string>;
  /** Called when the work is taken up, possibly before there is room to run it. */
  accept(id: string): Promise<void>;
  /** Brings the document to an end, or rejects. Resolves early when `stopping` aborts. */
  run(id: string, stopping: AbortSignal): Promise<void>;
  fail(id: string, error: JobError): Promise<void>;
}

export interface RunnerOptions {
  readonly works: readonly Work[];
  /** Calls the listener with each applied entry, until the signal aborts. */
  readonly onApplied: (listener: (entry: Entry) => void, signal: AbortSignal) => void;
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads retries. */
  readonly random: () => number;
  readonly logger: RosterLogger;
}

const RETRY_BASE_MS = 1_000;
const RETRY_CAP_MS = 60_000;

export class Runner {
  readonly #options: RunnerOptions;
  readonly #stopping = new AbortController();
  readonly #limits = new Map<Work, LimitFunction>();
  /** Work that is queued or running, by kind and id. */
  readonly #active = new Map<string, Promise<void>>();

  constructor(options: RunnerOptions) {
    this.#options = options;
    for (const work of options.works) this.#limits.set(work, pLimit(work.concurrency));
  }

  start(): void {
    this.#options.onApplied((entry) => this.#look(entry), this.#stopping.signal);
    for (const work of this.#options.works) for (const id of [...work.openIds()]) this.#take(work, id);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#active.values());
  }

  #look({ facts }: Entry): void {
    for (const fact of facts) {
      if (fact.t !== 'doc') continue;
      const work = this.#options.works.find(({ kind }) => kind === fact.kind);
      if (work?.isOpen(fact) === true) this.#take(work, fact.id);
    }
  }

  #take(work: Work, id: string): void {
    const key = `${work.kind} ${id}`;
    if (this.#stopping.signal.aborted || this.#active.has(key)) return;
    const limit = this.#limits.get(work);
    if (limit === undefined) return;
    const done = this.#persist(work, id, () => work.accept(id))
      .then(() => limit(() => this.#persist(work, id, () => work.run(id, this.#stopping.signal))))
      .finally(() => this.#active.delete(key));
    this.#active.set(key, done);
  }

  /** JB3, JB4. Never rejects. */
  async #persist(work: Work, id: string, act: () => Promise<void>): Promise<void> {
    const { clock, random, logger } = this.#options;
    const { signal } = this.#stopping;
    let next = act;
    for (let attempt = 0; !signal.aborted; attempt++) {
      try {
        return await next();
      } catch (error) {
        if (signal.aborted) return;
        if (!isPassing(error)) {
          logger.error({ err: error, kind: work.kind, id }, 'a task failed');
          const failure = describe(error);
          // If this fails too, only `fail` is tried again: the work itself is not repeated.
          next = () => work.fail(id, failure);
          if (attempt > 0) await clock.sleep(backoffMs(attempt, random, RETRY_BASE_MS, RETRY_CAP_MS), signal);
        } else await clock.sleep(backoffMs(attempt, random, RETRY_BASE_MS, RETRY_CAP_MS), signal);
      }
    }
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof BlobsUnavailable || error instanceof LeaseLost) return true;
  return error instanceof RosterError && error.kind === 'unavailable';
}

/** The part of the error that callers may see. Texts of other errors can contain paths and are only logged. */
function describe(error: unknown): JobError {
  if (error instanceof RosterError) return { type: error.kind, description: error.message };
  return { type: 'internal', description: 'a mistake in the daemon; its log says more' };
}
