/**
 * Applies a plan: checks that it still fits, writes users, then removes users, and keeps a checkpoint of its progress.
 *
 * - Every write names the revision that its user had when the plan was made. A user that changed since keeps its newer state.
 * - Removals begin only when every user of the plan was written, or was kept because it is newer. If a user could not be
 *   written, the plan does not fit the directory, and a plan that does not fit removes nobody.
 * - Each user of the plan is in exactly one count, over any number of runs that were killed and resumed.
 */
import { errorText } from '../../../protocol/base/errors.ts';
import { NO_RESULTS, sumOf } from '../counts.ts';
import { Pacer } from '../pacer.ts';
import { changesOf, removalsOf } from '../plan/plan-lines.ts';
import { inDoubtEntry, upsertEntries } from '../report.ts';
import { Run } from '../run.ts';
import type { BatchUser, NotAccepted } from '../settle-batch.ts';
import type { SourceUser } from '../source-user.ts';
import type { AskRequest, Reply } from '../transport.ts';
import { Upserter, upsertRequest } from '../upserter.ts';
import type { ApplyDeps, ApplyOptions, ApplySummary, StaleUser } from './apply-types.ts';
import { Checkpointer } from './checkpoint.ts';
import { beginPacers } from './known-limits.ts';
import { removalBatches, writeBatches } from './plan-batches.ts';
import { precheck } from './precheck.ts';
import { Remover, removalEntries } from './remover.ts';

const BATCH_USERS = 100;

/** Never rejects because of the network, the daemon, the disk or a plan that changed during the run: the status is then `gave-up`. */
export async function applyPlan(options: ApplyOptions, deps: ApplyDeps): Promise<ApplySummary> {
  const application = new PlanApplication(options, deps);
  await application.run().catch((error: unknown) => application.giveUp(error));
  await application.close().catch((error: unknown) => application.giveUp(error));
  return application.summary();
}

class PlanApplication {
  readonly #options: ApplyOptions;
  readonly #deps: ApplyDeps;
  readonly #run: Run;
  readonly #pacers;
  readonly #reads: Pacer;
  readonly #checkpointer: Checkpointer;
  readonly #batchUsers: number;
  readonly #total: number;
  #state: 'checking' | 'refused' | 'writing' | 'done' = 'checking';
  #heldBack = 0;
  /** Users whose outcome is unknown. There are at most as many as can be on their way at the same time. */
  readonly #inDoubt: BatchUser[] = [];
  /** Users found removed, or deactivated, before this run wrote anything. */
  #removed: ReadonlySet<string> = new Set();
  #refusal: Pick<ApplySummary, 'problems' | 'stale'> = { problems: [], stale: { count: 0, first: [] } };

  constructor(options: ApplyOptions, deps: ApplyDeps) {
    this.#options = options;
    this.#deps = deps;
    const { clock, plan, checkpoints, report } = deps;
    const pacer = () => new Pacer(clock, { isCareful: true });
    this.#pacers = { UpdateUsers: pacer(), DeactivateUsers: pacer(), DeleteUsers: pacer(), GetTask: pacer() };
    this.#reads = pacer();
    this.#checkpointer = new Checkpointer(checkpoints, () => report.sync(), clock);
    const { resume, usersPerSecond = BATCH_USERS } = options;
    // At a slow rate, small batches spread the writes evenly: a hundred users at once would mean a long silence after them.
    this.#batchUsers = Math.max(1, Math.min(BATCH_USERS, Math.floor(usersPerSecond)));
    this.#total = changesOf(plan.trailer.counts);
    const { at = 1, counts = NO_RESULTS } = resume ?? {};
    this.#run = new Run(options, deps, { at, counts, note: (line, now) => this.#checkpointer.note(line, now) });
  }

  async run(): Promise<void> {
    if (!(await this.#check())) return;
    this.#state = 'writing';
    const run = this.#run;
    await this.#checkpointer.write(run.at, run.counts, false);
    if (!(await this.#write())) return;
    if (this.#removals() > 0 && run.counts.failed > 0) {
      this.#heldBack = this.#left();
      const reason = `${run.counts.failed} users could not be written, so nobody is removed. See to them and plan again`;
      await run.report([{ from_plan_line: run.at + 1, result: 'held_back', reason }]);
    } else if (!(await this.#remove())) return;
    this.#state = 'done';
  }

  /** Writes the last checkpoint, and the report's lines for the part that was not done. */
  async close(): Promise<void> {
    if (this.#state === 'checking' || this.#state === 'refused') return;
    const { at, counts, problem } = this.#run;
    // The checkpoint does not cover these lines of the report: a resumed run overwrites them.
    await this.#checkpointer.write(at, counts, this.#state === 'done');
    if (this.#state === 'done') return;
    const inDoubt = this.#inDoubt.sort((a, b) => a.line - b.line).map(inDoubtEntry);
    await this.#run.report([...inDoubt, { from_plan_line: at + 1, result: 'not_applied', reason: problem ?? 'interrupted' }]);
    await this.#deps.report.sync();
  }

  summary(): ApplySummary {
    const { counts, users, problem, elapsedMs } = this.#run;
    const status = this.#state === 'refused' || this.#state === 'done' ? this.#state : 'interrupted';
    const { problems, stale } = this.#refusal;
    return {
      status: problem === undefined ? status : 'gave-up',
      problems: [...problems, ...(problem === undefined ? [] : [problem])],
      stale,
      counts,
      total: this.#total,
      left: this.#left() - this.#heldBack - this.#inDoubt.length,
      outcomeUnknown: this.#inDoubt.length,
      heldBack: this.#heldBack,
      errors: this.#deps.plan.trailer.counts.errors,
      takenOut: this.#deps.plan.trailer.taken_out ?? { count: 0, first: [] },
      users,
      elapsedMs,
    };
  }

  giveUp(error: unknown): void {
    this.#run.giveUp(errorText(error));
  }

  #left(): number {
    return this.#total - sumOf(this.#run.counts);
  }

  #removals(): number {
    return removalsOf(this.#deps.plan.trailer.counts);
  }

  /** Whether the plan may be applied. */
  async #check(): Promise<boolean> {
    const { plan, server, onTalk = () => {} } = this.#deps;
    const { concurrency, ifUnchanged } = this.#options;
    const { retrier, stopping, at } = this.#run;
    const isRosterd = plan.header.base !== null;
    if (isRosterd && !(await beginPacers(this.#pacers, server, retrier, this.#reads))) return false;
    const [writes, reads] = [this.#pacers.UpdateUsers, this.#reads];
    const found = await precheck({ plan, afterAt: at, ifUnchanged, server, retrier, concurrency, writes, reads, stopping, onTalk });
    if (found.kind === 'refused') this.#refuse(found.problems, found.staleCount, found.stale);
    if (found.kind === 'fine') this.#removed = found.removed;
    return found.kind === 'fine';
  }

  #refuse(problems: readonly string[], count: number, first: readonly StaleUser[]): void {
    this.#state = 'refused';
    this.#refusal = { problems, stale: { count, first } };
  }

  async #write(): Promise<boolean> {
    const { retrier, throttle, stopping, at } = this.#run;
    const upserter = new Upserter<SourceUser>({
      send: (users, signal) => this.#ask(upsertRequest(users, this.#deps.plan.header.options.returning), signal),
      retrier,
      pacer: this.#pacers.UpdateUsers,
      throttle,
      stopping,
      onFatal: (reason) => this.#run.giveUp(reason),
    });
    return await this.#run.all({
      batches: writeBatches(this.#deps.plan, at, this.#batchUsers),
      work: async ({ users }) => this.#noted(await upserter.upsert(users)),
      entries: (batch, done, counts) => upsertEntries(batch, done, counts, this.#deps.report.isFull),
    });
  }

  async #remove(): Promise<boolean> {
    if (this.#removals() === 0) return true;
    const { retrier, finishing, throttle, stopping, leaving, clock, at } = this.#run;
    const { DeactivateUsers, DeleteUsers, GetTask } = this.#pacers;
    const options = {
      ask: (request: AskRequest, signal: AbortSignal) => this.#ask(request, signal),
      retrier,
      finishing,
      tasks: GetTask,
      throttle,
      clock,
      patienceMs: Math.max(this.#options.retryForMs, 1_000),
      stopping,
      leaving,
      onFatal: (reason: string) => this.#run.giveUp(reason),
      removed: this.#removed,
    };
    const deactivates = new Remover({ ...options, removals: DeactivateUsers });
    const deletes = new Remover({ ...options, removals: DeleteUsers });
    return await this.#run.all({
      batches: removalBatches(this.#deps.plan, at, this.#batchUsers),
      work: async (batch) => this.#noted(await (batch.removal === 'deactivate' ? deactivates : deletes).remove(batch)),
      entries: removalEntries,
    });
  }

  /** Batches behind a gap are not settled, so what is unknown is noted as soon as a batch ends. */
  #noted<Result extends NotAccepted<BatchUser>>(result: Result): Result {
    this.#inDoubt.push(...result.notSent.filter(({ id }) => result.inDoubt.has(id)));
    return result;
  }

  /** Ends the run as soon as an answer shows that the directory is no longer the one that was checked. */
  async #ask(request: AskRequest, signal: AbortSignal): Promise<Reply> {
    const reply = await this.#deps.server.ask(request, signal);
    const position = reply.header('x-rosterd-position');
    const { base } = this.#deps.plan.header;
    if (base !== null && position !== undefined && !position.startsWith(`${base.epoch}:`))
      this.#run.giveUp(`the directory was put in the place of another one while the plan was applied (${base.epoch}, now ${position})`);
    return reply;
  }
}
