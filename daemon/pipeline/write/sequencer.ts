/**
 * The only writer. Commands queue up; one batch at a time is decided against
 * the directory, appended, applied, and only then answered.
 *
 * It keeps SQ1–SQ11 (daemon/RULES.md).
 */

import { setImmediate as nextTurn } from 'node:timers/promises';
import { OutcomeUnknown, RosterError } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Change, Command, Outcome } from '../../../protocol/log/command.ts';
import { lastSeq, type Origin } from '../../../protocol/log/entry.ts';
import { type AppendResult, type Log, LogClosed, LogUnavailable } from '../../../store/log.ts';
import { decide } from '../../core/decide.ts';
import type { Directory } from '../../core/directory/directory.ts';
import { Draft } from '../../core/directory/draft.ts';
import type { Policy } from '../../core/policy.ts';
import { RECEIPTS_DROPPED } from '../../core/users/receipts.ts';
import type { Applier } from './applier.ts';

/** `live`: work that a person waits for; `bulk`: work on many users at once. */
export type Lane = 'live' | 'bulk';

export interface SequencerOptions {
  readonly log: Log;
  readonly directory: Directory;
  readonly applier: Applier;
  readonly policy: Policy;
  /** Wall clock in microseconds. */
  readonly now: () => Micros;
  readonly isFull: () => boolean;
  /** A random, unique id for an entry. */
  readonly newId: () => string;
  /** Receives errors that an operator should look at. */
  readonly onError: (error: unknown) => void;
}

const LIVE_PER_BATCH = 256;
const BULK_PER_BATCH = 4;
const QUEUED_MAX = 20_000;
/** How long to wait for entries that the log says exist: those of another writer, or one whose append may have succeeded (SQ5). */
const READ_WAIT_MS = 5_000;
const UNREADABLE = 'what another writer stored cannot be read';
/** SQ9: conflicts in a row after which the batch is decided in the turn of this writer. */
const CONFLICTS_BEFORE_TURN = 4;
/** Far more than a turn needs. A log that still answers conflict is broken, and its callers are told instead of kept. */
const CONFLICTS_MAX = 20;

interface Job {
  readonly command: Command;
  readonly origin: Origin;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: Error) => void;
}

/** What became of users in commands that were carried out, of commands that were refused, and of those that could not be stored. */
export type WriteResult = Change | 'refused' | 'unavailable';

/** A batch as decided on one head. `settle` answers the commands once the facts are durable. */
interface Decision {
  readonly draft: Draft;
  readonly time: Micros;
  readonly settle: () => void;
}

export class Sequencer {
  readonly #options: SequencerOptions;
  readonly #queues: Readonly<Record<Lane, Job[]>> = { live: [], bulk: [] };
  #working: Promise<void> | undefined;
  #closed = false;
  readonly results: Record<WriteResult, number> = {
    ...{ created: 0, updated: 0, reactivated: 0, restored: 0, unchanged: 0 },
    ...{ refused: 0, unavailable: 0 },
  };
  #conflicts = 0;

  constructor(options: SequencerOptions) {
    this.#options = options;
  }

  get queued(): number {
    return this.#queues.live.length + this.#queues.bulk.length;
  }

  /** How often another writer was first. */
  get conflicts(): number {
    return this.#conflicts;
  }

  /** Rejects with RosterError: the reason the command is refused, or `unavailable`. */
  submit(command: Command, lane: Lane, origin: Origin): Promise<Outcome> {
    if (this.#closed) return Promise.reject(new RosterError('unavailable', 'the daemon is shutting down'));
    if (this.queued >= QUEUED_MAX) return Promise.reject(new RosterError('unavailable', `more than ${QUEUED_MAX} commands are waiting`));
    return new Promise((resolve, reject) => {
      this.#queues[lane].push({ command, origin, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  async #work(): Promise<void> {
    // Let every command that arrived in this turn of the event loop join the first batch.
    await new Promise((resolve) => setImmediate(resolve));
    while (this.queued > 0) await this.#runBatch(this.#takeBatch());
    this.#working = undefined;
  }

  /** SQ2. A command adds at most one fact per user and one for its task, so a batch limited by weight fits in an entry. */
  #takeBatch(): Job[] {
    const batch: Job[] = [];
    let weight = 0;
    const take = (queue: Job[], countMax: number, weightMax: number): void => {
      let count = 0;
      for (const { command } of queue) {
        if (count === countMax || (weight > 0 && weight + weightOf(command) > weightMax)) break;
        weight += weightOf(command);
        count++;
      }
      batch.push(...queue.splice(0, count));
    };
    take(this.#queues.live, LIVE_PER_BATCH, LIMITS.entryFacts - BULK_PER_BATCH * (LIMITS.batchUsers + 1));
    take(this.#queues.bulk, BULK_PER_BATCH, LIMITS.entryFacts);
    return batch;
  }

  async #runBatch(jobs: readonly Job[]): Promise<void> {
    try {
      for (let conflicts = 0; !(await this.#attempt(jobs, conflicts)); conflicts++) {
        this.#conflicts++;
        if (conflicts === CONFLICTS_MAX) throw new LogUnavailable('not-written', `another writer was first ${conflicts} times`);
        // Reading and everybody else get their turn, too, even when the log answers at once and brings nothing new.
        await nextTurn();
      }
    } catch (error) {
      // SQ7: commands that are too long together may fit separately.
      if (error instanceof RangeError && jobs.length > 1) {
        const middle = Math.ceil(jobs.length / 2);
        await this.#runBatch(jobs.slice(0, middle));
        return await this.#runBatch(jobs.slice(middle));
      }
      const refusal = this.#explain(error);
      this.results.unavailable += jobs.length;
      for (const job of jobs) job.reject(refusal);
      if (error instanceof LogUnavailable && this.#options.log.status.state === 'away') this.#refuseWaiting(error);
    }
  }

  /** SQ10: a command that came while another one waited for the storage does not wait as long again. */
  #refuseWaiting({ message }: LogUnavailable): void {
    const refusal = cannotStore(new LogUnavailable('not-written', message));
    for (const queue of Object.values(this.#queues)) for (const job of queue.splice(0)) job.reject(refusal);
  }

  /** False when another writer was first, and what it wrote is applied. After several conflicts, nobody can be first any more. */
  async #attempt(jobs: readonly Job[], conflicts: number): Promise<boolean> {
    if (conflicts < CONFLICTS_BEFORE_TURN) return await this.#decideAndAppend(jobs);
    return await this.#options.log.turn(async (head) => {
      await this.#reached(head);
      return await this.#decideAndAppend(jobs);
    });
  }

  async #decideAndAppend(jobs: readonly Job[]): Promise<boolean> {
    const decision = this.#decideAll(jobs);
    const isDone = decision.draft.facts.length === 0 ? await this.#confirm() : await this.#append(decision);
    if (isDone) decision.settle();
    return isDone;
  }

  /** SQ8: an answer without facts rests on the newest state, though no append proves it. */
  async #confirm(): Promise<boolean> {
    const { log, directory } = this.#options;
    const { seq } = directory;
    const end = await log.end();
    await this.#reached(end);
    return end === seq;
  }

  /** Waits until everything up to `seq` is applied; rejects with the error that `late` makes when that takes too long. */
  async #reached(seq: number, late: () => Error = () => new LogUnavailable('not-written', UNREADABLE)): Promise<void> {
    if (!(await this.#options.applier.reached(seq, READ_WAIT_MS))) throw late();
  }

  #decideAll(jobs: readonly Job[]): Decision {
    const { directory, policy } = this.#options;
    const draft = new Draft(directory, this.#options.isFull());
    const answers: (() => void)[] = [];
    const wall = this.#options.now();
    // Times increase with positions, even when the clock is set back or two commands share a microsecond.
    let time = Math.max(wall, directory.time + 1);
    for (const job of jobs) {
      try {
        draft.begin(job.origin);
        const outcome = decide(draft, job.command, time++, policy, wall);
        answers.push(() => this.#answer(job, outcome));
      } catch (error) {
        if (!(error instanceof RosterError)) this.#options.onError(error);
        answers.push(() => {
          this.results.refused++;
          job.reject(error instanceof RosterError ? error : new RosterError('internal'));
        });
      }
    }
    const settle = (): void => {
      for (const answer of answers) answer();
    };
    return { draft, time, settle };
  }

  #answer({ resolve }: Job, outcome: Outcome): void {
    for (const { change } of outcome.users) this.results[change]++;
    resolve(outcome);
  }

  /** True when the entry is durable and applied; false when another writer was first and the batch must be decided again. */
  async #append({ draft, time }: Decision): Promise<boolean> {
    const { log, directory, newId } = this.#options;
    const entry = { id: newId(), time, facts: draft.facts };
    let result: AppendResult;
    try {
      result = await log.append(directory.seq, entry);
    } catch (error) {
      if (error instanceof LogUnavailable && error.outcome === 'unknown') return await this.#findOut(entry.id, error);
      throw error;
    }
    if (result.status === 'appended') await this.#reached(lastSeq(result.entry), storedUnread);
    else await this.#reached(result.head);
    return result.status === 'appended';
  }

  /** SQ5: reads on to the head of the log and checks whether the entry exists. */
  async #findOut(id: string, cause: LogUnavailable): Promise<boolean> {
    const { log, directory } = this.#options;
    await this.#reached(log.head.seq, () => cause);
    if (directory.hasEntry(id)) return true;
    throw cause;
  }

  #explain(error: unknown): RosterError {
    if (error instanceof RosterError) return error;
    if (error instanceof RangeError) return new RosterError('too_big', `the change is longer than an entry may be: ${error.message}`);
    if (error instanceof LogClosed) return new RosterError('unavailable', 'the daemon is shutting down');
    this.#options.onError(error);
    return error instanceof LogUnavailable ? cannotStore(error) : new OutcomeUnknown('the directory cannot store changes at the moment');
  }

  /** Refuses new commands and finishes those that are queued. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#working;
  }
}

function cannotStore({ outcome, message }: LogUnavailable): RosterError {
  const what = `the directory cannot store changes at the moment (${message})`;
  if (outcome === 'unknown') return new OutcomeUnknown(`${what}; it is not known whether the change was stored`);
  return new RosterError('unavailable', `${what}; nothing was stored`);
}

function storedUnread(): RosterError {
  return new OutcomeUnknown('the change is stored, and cannot be read back at the moment');
}

/** The largest number of facts that a command can add. */
function weightOf(command: Command): number {
  switch (command.kind) {
    case 'once':
      return weightOf(command.command) + 1 + RECEIPTS_DROPPED;
    case 'held':
      return weightOf(command.command);
    case 'upsert':
      return command.users.length;
    case 'patch':
      return command.patches.length;
    case 'delete':
    case 'deactivate':
    case 'reactivate':
    case 'restore':
    case 'active':
      return command.ids.length + 1;
    case 'activity-add':
      return command.activities.length;
    case 'activity-remove':
      return LIMITS.activitiesPerRequest;
    case 'sign-in':
    case 'sign-out':
      return LIMITS.signIns + 1;
    case 'consumer-ack':
      return command.positions.length;
    case 'docs':
    case 'push':
      return command.changes.length;
    case 'expire':
      return LIMITS.batchUsers;
    case 'ban':
      return 2;
    default:
      return 1;
  }
}
