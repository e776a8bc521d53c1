/**
 * Applies a plan: checks that it still fits, writes users, then removes users, and keeps a checkpoint of how far it is.
 *
 * - Every write names the revision that its user had when the plan was made. Whoever changed since keeps the newer state.
 * - Removals begin only when every user of the plan was written, or was kept because it is newer: where one could not be
 *   written the plan does not fit the directory, and nobody is removed by a plan that does not fit.
 * - Batches settle in the order of the plan. Everybody in the plan is in exactly one count, over any number of runs that were
 *   killed and went on.
 */
import { setMaxListeners } from 'node:events';
import { errorText } from '../../../protocol/base/errors.ts';
import { Deliverer } from '../deliverer.ts';
import { Exchanger, type ExchangerOptions } from '../exchanger.ts';
import { inOrder } from '../in-order.ts';
import { Pacer } from '../pacer.ts';
import { changesOf, removalsOf } from '../plan/plan-lines.ts';
import type { AskRequest } from '../plan/plan-types.ts';
import { Throttle } from '../throttle.ts';
import type { Answer } from '../transport.ts';
import {
  type ApplyDeps,
  type ApplyOptions,
  type ApplySummary,
  type ApplyTotals,
  NO_RESULTS,
  type ReportEntry,
  type StaleUser,
  sumOf,
} from './apply-types.ts';
import { Checkpointer } from './checkpoint.ts';
import { beginPacers } from './known-limits.ts';
import { removalBatches, writeBatches } from './plan-batches.ts';
import { precheck } from './precheck.ts';
import { Remover } from './remover.ts';
import { removalEntries, writeEntries } from './report-entries.ts';

const BATCH_USERS = 100;

/** Never rejects because of the network, the daemon, the disk or a plan that was changed meanwhile; that is `gave-up`. */
export async function applyPlan(options: ApplyOptions, deps: ApplyDeps): Promise<ApplySummary> {
  const startedMs = deps.clock.now();
  const run = new ApplyRun(options, deps);
  await run.run().catch((error: unknown) => run.giveUp(errorText(error)));
  await run.close().catch((error: unknown) => run.giveUp(errorText(error)));
  return { ...run.summary(), elapsedMs: deps.clock.now() - startedMs };
}

class ApplyRun {
  readonly #options: ApplyOptions;
  readonly #deps: ApplyDeps;
  readonly #pacers;
  readonly #reads: Pacer;
  readonly #exchanger: Exchanger;
  readonly #trouble: ExchangerOptions;
  readonly #checkpointer: Checkpointer;
  /** Ends the run from inside; `#stopping` joins it with Ctrl-C. */
  readonly #fatal = new AbortController();
  readonly #stopping: AbortSignal;
  readonly #throttle: Throttle | undefined;
  readonly #batchUsers: number;
  readonly #counts: ApplyTotals;
  readonly #total: number;
  readonly #before: number;
  #at: number;
  #state: 'checking' | 'refused' | 'writing' | 'done' = 'checking';
  #heldBack = 0;
  /** Found gone, or deactivated, before anything was written. */
  #removed: ReadonlySet<string> = new Set();
  #problems: readonly string[] = [];
  #stale: ApplySummary['stale'] = { count: 0, first: [] };

  constructor(options: ApplyOptions, deps: ApplyDeps) {
    this.#options = options;
    this.#deps = deps;
    const { clock, random, stop, leave, onTalk, plan, checkpoints, report } = deps;
    const pacer = () => new Pacer(clock, { isCareful: true });
    this.#pacers = { UpdateUsers: pacer(), DeactivateUsers: pacer(), DeleteUsers: pacer(), GetTask: pacer() };
    this.#reads = pacer();
    this.#stopping = AbortSignal.any([this.#fatal.signal, stop, leave]);
    // Every request on its way listens; there are as many as were asked for.
    setMaxListeners(0, stop, leave, this.#stopping);
    const onFatal = (reason: string) => this.giveUp(reason);
    this.#trouble = { clock, random, retryForMs: options.retryForMs, stopping: this.#stopping, leaving: leave, onFatal, onTalk };
    this.#exchanger = new Exchanger(this.#trouble);
    this.#checkpointer = new Checkpointer(checkpoints, () => report.sync(), clock);
    const { usersPerSecond } = options;
    this.#throttle = usersPerSecond === undefined ? undefined : new Throttle(clock, usersPerSecond);
    // A slow rate is to be even: not a hundred users at once and then a long silence.
    this.#batchUsers = Math.max(1, Math.min(BATCH_USERS, Math.floor(usersPerSecond ?? BATCH_USERS)));
    this.#counts = { ...(options.resume?.counts ?? NO_RESULTS) };
    this.#at = options.resume?.at ?? 1;
    this.#total = changesOf(plan.trailer.counts);
    this.#before = sumOf(this.#counts);
  }

  async run(): Promise<void> {
    if (!(await this.#check())) return;
    this.#state = 'writing';
    await this.#checkpointer.write(this.#at, this.#counts, false);
    if (!(await this.#write())) return;
    if (this.#removals() > 0 && this.#counts.failed > 0) {
      this.#heldBack = this.#left();
      const reason = `${this.#counts.failed} users could not be written, so nobody is removed. See to them and plan again`;
      await this.#deps.report.add([{ from_plan_line: this.#at + 1, result: 'held_back', reason }]);
    } else if (!(await this.#remove())) return;
    this.#state = 'done';
  }

  /** The last checkpoint, and in the report a line for what was not done. */
  async close(): Promise<void> {
    if (this.#state === 'checking' || this.#state === 'refused') return;
    if (this.#state === 'writing') {
      const reason = this.#problems[0] ?? 'interrupted';
      // The checkpoint does not cover this line: a run that goes on writes over it.
      await this.#checkpointer.write(this.#at, this.#counts, false);
      await this.#deps.report.add([{ from_plan_line: this.#at + 1, result: 'not_applied', reason }]);
      await this.#deps.report.sync();
    } else await this.#checkpointer.write(this.#at, this.#counts, true);
  }

  summary(): Omit<ApplySummary, 'elapsedMs'> {
    const isDone = this.#state === 'done' && this.#problems.length === 0;
    const isRefused = this.#state === 'refused' && !this.#fatal.signal.aborted;
    return {
      status: isDone ? 'done' : isRefused ? 'refused' : this.#problems.length > 0 ? 'gave-up' : 'interrupted',
      problems: this.#problems,
      stale: this.#stale,
      counts: { ...this.#counts },
      total: this.#total,
      left: this.#left() - this.#heldBack,
      heldBack: this.#heldBack,
      errors: this.#deps.plan.trailer.counts.errors,
      users: sumOf(this.#counts) - this.#before,
    };
  }

  /** The first reason counts; what follows is mostly its consequence. */
  giveUp(reason: string): void {
    if (this.#problems.length === 0) this.#problems = [reason];
    this.#fatal.abort();
  }

  #left(): number {
    return this.#total - sumOf(this.#counts);
  }

  #removals(): number {
    return removalsOf(this.#deps.plan.trailer.counts);
  }

  /** Whether the plan may be applied. */
  async #check(): Promise<boolean> {
    const { plan, server, onTalk } = this.#deps;
    const { concurrency, ifUnchanged } = this.#options;
    const isRosterd = plan.header.base !== null;
    if (isRosterd && !(await beginPacers(this.#pacers, server, this.#exchanger, this.#reads))) return false;
    const found = await precheck({
      plan,
      afterAt: this.#at,
      ifUnchanged,
      server,
      exchanger: this.#exchanger,
      concurrency,
      writes: this.#pacers.UpdateUsers,
      reads: this.#reads,
      stopping: this.#stopping,
      onTalk,
    });
    if (found.kind === 'refused') this.#refuse(found.problems, found.staleCount, found.stale);
    if (found.kind === 'fine') this.#removed = found.removed;
    return found.kind === 'fine';
  }

  #refuse(problems: readonly string[], count: number, first: readonly StaleUser[]): void {
    this.#state = 'refused';
    this.#problems = problems;
    this.#stale = { count, first };
  }

  /** True when everybody was settled. */
  async #write(): Promise<boolean> {
    const { plan } = this.#deps;
    const deliverer = new Deliverer({
      ...this.#trouble,
      send: (body, signal) => this.#ask({ method: 'POST', path: '/users', body }, signal),
      exchanger: this.#exchanger,
      pacer: this.#pacers.UpdateUsers,
      ...(this.#throttle === undefined ? undefined : { throttle: this.#throttle }),
    });
    return await this.#all({
      batches: writeBatches(plan, this.#at, this.#batchUsers),
      work: ({ users }) => deliverer.deliver(users),
      entries: writeEntries,
    });
  }

  async #remove(): Promise<boolean> {
    if (this.#removals() === 0) return true;
    const { plan, clock, leave } = this.#deps;
    const { DeactivateUsers, DeleteUsers, GetTask } = this.#pacers;
    const options = {
      ask: (request: AskRequest, signal: AbortSignal) => this.#ask(request, signal),
      exchanger: this.#exchanger,
      finishing: new Exchanger({ ...this.#trouble, stopping: leave }),
      tasks: GetTask,
      clock,
      patienceMs: Math.max(this.#options.retryForMs, 1_000),
      stopping: this.#stopping,
      leaving: leave,
      onFatal: this.#trouble.onFatal,
      removed: this.#removed,
      ...(this.#throttle === undefined ? undefined : { throttle: this.#throttle }),
    };
    const deactivates = new Remover({ ...options, removals: DeactivateUsers });
    const deletes = new Remover({ ...options, removals: DeleteUsers });
    return await this.#all({
      batches: removalBatches(plan, this.#at, this.#batchUsers),
      work: (batch) => (batch.removal === 'deactivate' ? deactivates : deletes).remove(batch),
      entries: removalEntries,
    });
  }

  /** Ends the run as soon as an answer shows that the directory is no longer the one that was checked. */
  async #ask(request: AskRequest, signal: AbortSignal): Promise<Answer> {
    const answer = await this.#deps.server.ask(request, signal);
    const position = answer.header('x-rosterd-position');
    const { base } = this.#deps.plan.header;
    if (base !== null && position !== undefined && !position.startsWith(`${base.epoch}:`))
      this.giveUp(`the directory was put in the place of another one while the plan was applied (${base.epoch}, now ${position})`);
    return answer;
  }

  async #all<Batch extends { readonly lastAt: number }, Result extends { readonly notSent: readonly unknown[] }>(phase: {
    readonly batches: AsyncGenerator<Batch>;
    readonly work: (batch: Batch) => Promise<Result>;
    /** The lines of the report; adds to the counts. */
    readonly entries: (batch: Batch, result: Result, counts: ApplyTotals) => readonly ReportEntry[];
  }): Promise<boolean> {
    let isGap = false;
    const isAtEnd = await inOrder({
      batches: phase.batches,
      concurrency: this.#options.concurrency,
      work: phase.work,
      settle: async (batch, result) => {
        if (result.notSent.length > 0) isGap = true;
        // Who was sent and who was not is found out by whoever goes on: nobody of this batch counts yet.
        if (isGap) return false;
        const { report, onProgress } = this.#deps;
        // A batch counts with its lines in the report, or not at all.
        const counts = { ...this.#counts };
        await report.add(phase.entries(batch, result, counts));
        Object.assign(this.#counts, counts);
        this.#at = batch.lastAt;
        onProgress({ users: sumOf(this.#counts) - this.#before, failed: this.#counts.failed });
        await this.#checkpointer.note(this.#at, this.#counts);
        return true;
      },
      stopping: this.#stopping,
      onError: (_, error) => this.giveUp(errorText(error)),
    });
    return isAtEnd && !isGap && this.#problems.length === 0;
  }
}
