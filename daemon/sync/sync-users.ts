/**
 * Sends the users of a source to the daemon without a plan: each replaces the user with its id, in whatever state that is by then.
 *
 * Memory is bounded by the read-ahead for sources of any length (except for the ids seen). Each user of the source ends
 * in exactly one count. Running it again finishes a run that ended early and changes nothing twice.
 */
import { errorText } from '../../protocol/base/errors.ts';
import { type ErrorGroup, ErrorGroups, type SyncCounts, TakenOutList } from './counts.ts';
import { Pacer } from './pacer.ts';
import { inDoubtEntry, type ReportEntry, upsertEntries } from './report.ts';
import type { SourceChunk } from './rows.ts';
import { Run, type RunDeps, type RunOptions } from './run.ts';
import { type CheckRow, type RowUser, readBatches, type SourceBatch } from './source.ts';
import type { Send } from './transport.ts';
import { Upserter } from './upserter.ts';

export interface SyncDeps<User extends RowUser> extends RunDeps {
  readonly source: AsyncIterable<SourceChunk>;
  readonly check: CheckRow<User>;
  readonly send: Send<User>;
}

export interface SyncSummary {
  /** `done`: reached the end of the source. `interrupted`: by `stop`. `gave-up`: see `problem`. */
  readonly status: 'done' | 'interrupted' | 'gave-up';
  readonly problem?: string;
  /** Errors in the source count as failed. */
  readonly counts: SyncCounts;
  /** The reasons for `counts.failed`, the most frequent first, at most 10. */
  readonly reasons: readonly ErrorGroup[];
  /** Users read that are surely not stored, because the run ended. */
  readonly notSent: number;
  /** Users sent that may be stored: the run ended before an answer said what became of them. The report names them. */
  readonly outcomeUnknown: number;
  /** The line from which on nothing was read, because the run ended; none when the source was read to its end. */
  readonly notReadFrom?: number;
  /** Rows of the source that were read, with errors or without. */
  readonly rows: number;
  /** Users of the source that an earlier sync took out. */
  readonly takenOut: TakenOutList;
  /** Everything up to this line is done. */
  readonly at: number;
  readonly elapsedMs: number;
}

/** Never rejects because of the source, the network, the daemon or the report; the status is then `gave-up`, with a reason. */
export async function syncUsers<User extends RowUser>(options: RunOptions, deps: SyncDeps<User>): Promise<SyncSummary> {
  const run = new Run(options, deps);
  const { retrier, throttle, stopping } = run;
  const onFatal = (reason: string) => run.giveUp(reason);
  const upserter = new Upserter({ send: deps.send, retrier, pacer: new Pacer(deps.clock), throttle, stopping, onFatal });
  let nextLine = 1;
  let isRead = false;
  let rows = 0;
  const takenOut = new TakenOutList();
  const errors = new ErrorGroups();
  let outcomeUnknown = 0;
  async function* batches(): AsyncGenerator<SourceBatch<User>> {
    try {
      yield* readBatches(deps.source, deps.check);
      isRead = true;
    } catch (error) {
      throw new Error(`the source cannot be read: ${errorText(error)}`, { cause: error });
    }
  }
  const isWhole = await run.all({
    batches: batches(),
    // A batch that arrives after the end of the run is not taken, and so counts as not read.
    work: ({ users, errors, lastAt }) => {
      nextLine = Math.max(nextLine, lastAt + 1);
      rows += users.length + errors.length;
      return upserter.upsert(users);
    },
    entries: (batch, done, counts) => {
      counts.failed += batch.errors.length;
      takenOut.add(done.takenOut);
      outcomeUnknown += done.inDoubt.size;
      // After Ctrl-C the job is simply run again; after giving up, the report names all missing users.
      const rest = run.problem === undefined ? done.notSent.filter(({ id }) => done.inDoubt.has(id)) : done.notSent;
      const entries = upsertEntries(batch, done, counts, deps.report.isFull);
      for (const entry of entries) if (entry.result === 'error' || entry.result === 'failed') errors.add(entry);
      return [...entries, ...rest.map((user) => (done.inDoubt.has(user.id) ? inDoubtEntry(user) : notSent(user)))];
    },
  });
  const notReadFrom = isRead ? undefined : nextLine;
  if (run.problem !== undefined && notReadFrom !== undefined) {
    const reason = `from this line on nothing was read: ${run.problem}`;
    await run.report([{ from_line: notReadFrom, result: 'not_applied', code: 'not_read', reason }]);
  }
  const { problem, counts, at, elapsedMs } = run;
  const status = problem !== undefined ? 'gave-up' : isWhole ? 'done' : 'interrupted';
  const reason = problem === undefined ? {} : { problem };
  const rest = { notSent: run.notSent - outcomeUnknown, outcomeUnknown, ...(notReadFrom === undefined ? {} : { notReadFrom }) };
  return { status, ...reason, counts, reasons: errors.shown, ...rest, rows, takenOut, at, elapsedMs };
}

function notSent({ line, id }: RowUser): ReportEntry {
  return { line, id, result: 'not_applied', code: 'not_sent', reason: 'the run ended before' };
}
