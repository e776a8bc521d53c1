/** What `sync apply` says at its end, and the exit code that goes with it. */
import { formatDuration } from '../../base/duration.ts';
import { grouped } from '../../base/grouped.ts';
import type { ApplyCounts, ApplySummary } from '../../sync/apply/apply-types.ts';
import type { Checkpoint } from '../../sync/apply/checkpoint.ts';
import { type CommandIo, EXIT } from '../io.ts';

interface SummaryFlags {
  readonly json?: true;
  readonly quiet?: true;
  readonly ifUnchanged?: true;
}

interface Places {
  readonly reportPath: string | undefined;
  readonly checkpointPath: string;
  readonly isTemporary: boolean;
}

type Outcome = Pick<ApplySummary, 'counts' | 'heldBack' | 'errors'>;

export function exitCode(summary: ApplySummary, flags: SummaryFlags): number {
  if (summary.status === 'interrupted') return EXIT.interrupted;
  return summary.status === 'done' && isComplete(summary, flags) ? EXIT.ok : EXIT.failed;
}

/** Whoever asked to keep newer states did not ask for less. */
function isComplete({ counts, heldBack, errors }: Outcome, { ifUnchanged }: SummaryFlags): boolean {
  return counts.failed + heldBack + errors + (ifUnchanged ? 0 : counts.changed_meanwhile) === 0;
}

export function printSummary(summary: ApplySummary, places: Places, flags: SummaryFlags, io: CommandIo): void {
  const { status, problems, stale, counts, total, left, heldBack, errors, users, elapsedMs } = summary;
  if (flags.json) {
    const more = { held_back: heldBack, left, errors, total, seconds: elapsedMs / 1_000, report: places.reportPath ?? null };
    io.stdout.write(`${JSON.stringify({ status, ...counts, ...more, stale: { count: stale.count, first: stale.first }, problems })}\n`);
  } else if (status !== 'refused') printTable(summary, places.reportPath, io);
  for (const problem of problems) io.stderr.write(`rosterd: ${status === 'gave-up' ? 'gave up: ' : ''}${problem}\n`);
  if (stale.count > 0) printStale(stale, io);
  if (heldBack > 0)
    io.stderr.write(`rosterd: nobody was removed, because ${grouped(counts.failed)} could not be written; see the report and plan again\n`);
  if (left > 0 && status !== 'refused')
    io.stderr.write(`rosterd: ${status === 'interrupted' ? 'interrupted; ' : ''}run it again with --resume to finish\n`);
  if (status === 'refused') io.stderr.write('rosterd: nothing was written\n');
  if (status !== 'done' || flags.quiet) return;
  const perSecond = grouped(Math.round((users * 1_000) / Math.max(1, elapsedMs)));
  if (total === 0) io.stderr.write('nothing to do\n');
  else io.stderr.write(`${grouped(users)} user${users === 1 ? '' : 's'} in ${formatDuration(elapsedMs)} (${perSecond}/s)\n`);
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

/** What is rare has a line only when there is some of it. */
function printTable({ counts, left, heldBack, errors }: ApplySummary, reportPath: string | undefined, io: CommandIo): void {
  const always: readonly (keyof ApplyCounts)[] = ['created', 'updated', 'unchanged', 'failed'];
  const names = Object.keys(counts).filter((name): name is keyof ApplyCounts => name in counts);
  const rows = names.flatMap((name): [string, number][] =>
    always.includes(name) || counts[name] > 0 ? [[label(name), counts[name]]] : [],
  );
  const rest: [string, number][] = [
    ['held back', heldBack],
    ['left', left],
    ['source errors', errors],
  ];
  rows.push(...rest.filter(([, count]) => count > 0));
  const nameWidth = Math.max(...rows.map(([name]) => name.length));
  const width = Math.max(...rows.map(([, count]) => grouped(count).length));
  for (const [name, count] of rows) io.stdout.write(`${name.padEnd(nameWidth)}  ${grouped(count).padStart(width)}\n`);
  if (reportPath !== undefined) io.stdout.write(`${'report'.padEnd(nameWidth)}  ${reportPath}\n`);
}

function label(name: string): string {
  return name.replaceAll('_', name.endsWith('deleted') ? '-' : ' ');
}

/** For a run that was finished before: what it did then, and the exit code it had. */
export function printFinished({ counts, updated_at }: Checkpoint, errors: number, flags: SummaryFlags, io: CommandIo): number {
  io.stderr.write(`rosterd: there is nothing to resume: the plan was finished at ${updated_at}\n`);
  if (flags.json) io.stdout.write(`${JSON.stringify({ status: 'finished', ...counts })}\n`);
  return isComplete({ counts, heldBack: 0, errors }, flags) ? EXIT.ok : EXIT.failed;
}
