/** The final output of a run, with a plan or without, and its exit code. */
import { formatDuration } from '../../base/duration.ts';
import { grouped } from '../../base/grouped.ts';
import type { ApplySummary } from '../../sync/apply/apply-types.ts';
import type { Checkpoint } from '../../sync/apply/checkpoint.ts';
import { errorLines, type SyncCounts, sumOf } from '../../sync/counts.ts';
import type { SyncSummary } from '../../sync/sync-users.ts';
import { type CommandIo, EXIT } from '../io.ts';

interface SummaryFlags {
  readonly json?: true;
  readonly quiet?: true;
  readonly ifUnchanged?: true;
}

export function exitCode(summary: SyncSummary | ApplySummary, flags: SummaryFlags): number {
  if (summary.status === 'interrupted') return EXIT.interrupted;
  // A program that reads only the exit code must not take a source without users for one that needs nothing.
  if ('rows' in summary && summary.rows === 0) return EXIT.failed;
  return summary.status === 'done' && isComplete(summary, flags) ? EXIT.ok : EXIT.failed;
}

/** With `--if-unchanged`, users kept in a newer state do not make the run incomplete. */
function isComplete(
  { counts, heldBack = 0, errors = 0 }: Pick<ApplySummary, 'counts'> & Partial<ApplySummary>,
  { ifUnchanged }: SummaryFlags,
): boolean {
  return counts.failed + heldBack + errors + (ifUnchanged ? 0 : counts.changed_meanwhile) === 0;
}

/** For a run without a plan. */
export function printSyncSummary(
  summary: SyncSummary,
  source: string,
  reportPath: string | undefined,
  flags: SummaryFlags,
  io: CommandIo,
): void {
  const { status, counts, reasons, notSent, outcomeUnknown, notReadFrom, rows, takenOut, elapsedMs } = summary;
  const isEmpty = status === 'done' && rows === 0;
  const problem = isEmpty ? `${source} has no users; nothing was written` : summary.problem;
  if (flags.json) {
    const { created, updated, reactivated, restored, unchanged, sent, failed } = counts;
    const out = { count: takenOut.count, first: takenOut.first };
    const rest = { error_groups: reasons, not_sent: notSent, outcome_unknown: outcomeUnknown, not_read_from_line: notReadFrom ?? null };
    const more = { ...rest, taken_out: out, seconds: elapsedMs / 1_000, report: reportPath ?? null, reason: problem ?? null };
    const results = { created, updated, reactivated, restored, unchanged, sent, failed };
    io.stdout.write(`${JSON.stringify({ status: isEmpty ? 'empty' : status, ...results, ...more })}\n`);
  } else printTable({ counts, reasons }, { 'not sent': notSent, 'outcome unknown': outcomeUnknown }, reportPath, io);
  printOutcomeUnknown(outcomeUnknown, io);
  for (const note of takenOut.notes()) io.stderr.write(`rosterd: note: ${note}\n`);
  if (notReadFrom !== undefined)
    io.stderr.write(
      `rosterd: ${source} was not read from line ${grouped(notReadFrom)} on; those users are not sent either, and not counted\n`,
    );
  if (status === 'gave-up') io.stderr.write(`rosterd: gave up: ${problem}\nrosterd: when that is mended, run it again to finish\n`);
  if (isEmpty) io.stderr.write(`rosterd: ${problem}\n`);
  else if (status === 'interrupted') io.stderr.write('rosterd: interrupted; run it again to finish\n');
  else if (status === 'done' && !flags.quiet) printRate(sumOf(counts), elapsedMs, io);
}

/** For a run of a plan. */
export function printApplySummary(summary: ApplySummary, reportPath: string | undefined, flags: SummaryFlags, io: CommandIo): void {
  const { status, problems, stale, counts, total, left, outcomeUnknown, heldBack, errors, takenOut, users, elapsedMs } = summary;
  if (flags.json) {
    const rest = { held_back: heldBack, left, outcome_unknown: outcomeUnknown, errors, total };
    const more = { ...rest, taken_out: takenOut, seconds: elapsedMs / 1_000, report: reportPath ?? null };
    io.stdout.write(`${JSON.stringify({ status, ...counts, ...more, stale: { count: stale.count, first: stale.first }, problems })}\n`);
  } else if (status !== 'refused') {
    const rest = { 'held back': heldBack, left, 'outcome unknown': outcomeUnknown, 'source errors': errors };
    printTable({ counts }, rest, reportPath, io);
  }
  printOutcomeUnknown(outcomeUnknown, io);
  for (const problem of problems) io.stderr.write(`rosterd: ${status === 'gave-up' ? 'gave up: ' : ''}${problem}\n`);
  if (stale.count > 0) printStale(stale, io);
  if (heldBack > 0)
    io.stderr.write(`rosterd: nobody was removed, because ${grouped(counts.failed)} could not be written; see the report and plan again\n`);
  if (left + outcomeUnknown > 0 && status !== 'refused')
    io.stderr.write(`rosterd: ${status === 'interrupted' ? 'interrupted; ' : ''}run it again with --resume to finish\n`);
  if (status === 'refused') io.stderr.write('rosterd: nothing was written\n');
  if (status !== 'done' || flags.quiet) return;
  if (total === 0) io.stderr.write('nothing to do\n');
  else printRate(users, elapsedMs, io);
}

function printOutcomeUnknown(count: number, io: CommandIo): void {
  if (count === 0) return;
  const [users, were, them] = count === 1 ? ['user', 'it was', 'it'] : ['users', 'they were', 'them'];
  io.stderr.write(
    `rosterd: the outcome of ${grouped(count)} ${users} is unknown: ${were} sent, and no answer says what became of ${them}; the report names ${them}\n`,
  );
}

function printRate(users: number, elapsedMs: number, io: CommandIo): void {
  const perSecond = grouped(Math.round((users * 1_000) / Math.max(1, elapsedMs)));
  io.stderr.write(`${grouped(users)} user${users === 1 ? '' : 's'} in ${formatDuration(elapsedMs)} (${perSecond}/s)\n`);
}

function printStale({ count, first }: ApplySummary['stale'], io: CommandIo): void {
  io.stderr.write(`rosterd: ${count === 1 ? '1 user' : `${grouped(count)} users`} changed since the plan was made:\n`);
  for (const { id, planned, found } of first) io.stderr.write(`  ${id}: ${stateOf(found)} now, ${stateOf(planned)} in the plan\n`);
  if (count > first.length) io.stderr.write(`  and ${grouped(count - first.length)} more\n`);
  io.stderr.write('rosterd: plan again, or give --if-unchanged to keep the newer ones and apply the rest\n');
}

function stateOf(rev: number): string {
  return rev === 0 ? 'no such user' : `revision ${rev}`;
}

const ALWAYS_SHOWN: ReadonlySet<string> = new Set<keyof SyncCounts>(['created', 'updated', 'unchanged', 'failed']);

/** Rare counts have a line only when they are not 0. Below the failed users stand the reasons. */
function printTable(
  { counts, reasons = [] }: Pick<SyncSummary, 'counts'> & Partial<Pick<SyncSummary, 'reasons'>>,
  rest: Readonly<Record<string, number>>,
  reportPath: string | undefined,
  io: CommandIo,
): void {
  const all = [...Object.entries(counts).map(([name, count]) => [label(name), count] as const), ...Object.entries(rest)];
  const rows = all.filter(([name, count]) => ALWAYS_SHOWN.has(name) || count > 0);
  const nameWidth = Math.max(...rows.map(([name]) => name.length));
  const width = Math.max(...rows.map(([, count]) => grouped(count).length));
  for (const [name, count] of rows) {
    io.stdout.write(`${name.padEnd(nameWidth)}  ${grouped(count).padStart(width)}\n`);
    if (name === 'failed' && reasons.length > 0) for (const line of errorLines(reasons, count)) io.stdout.write(`    ${line}\n`);
  }
  if (reportPath !== undefined) io.stdout.write(`${'report'.padEnd(nameWidth)}  ${reportPath}\n`);
}

function label(name: string): string {
  return name.replaceAll('_', name.endsWith('deleted') ? '-' : ' ');
}

/** For a run that had finished before: its results and its exit code. */
export function printFinished({ counts, updated_at }: Checkpoint, errors: number, flags: SummaryFlags, io: CommandIo): number {
  io.stderr.write(`rosterd: there is nothing to resume: the plan was finished at ${updated_at}\n`);
  if (flags.json) io.stdout.write(`${JSON.stringify({ status: 'finished', ...counts })}\n`);
  return isComplete({ counts, errors }, flags) ? EXIT.ok : EXIT.failed;
}
