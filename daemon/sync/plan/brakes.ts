/**
 * Brakes on a plan that looks like an accident. Each message says what is wrong, that nothing was done, and how to allow it. Pure.
 *
 * A wrong source does most harm through the users that it does not name. So a source that leaves open who is in it gives no
 * plan as long as users would be removed for being missing.
 */

import { grouped } from '../../base/grouped.ts';
import { type ErrorGroup, errorLines } from '../counts.ts';
import type { PlanOptions, PlanSummary } from './plan-types.ts';

const NOTHING = 'Nothing was planned.';
/** Missing users that a plan may remove unless it says otherwise. */
export const MAX_MISSING_COUNT = 500;
/** The shares that may be missing, or wrong, unless a plan says otherwise. */
export const MAX_SHARE = 0.1;

const DONE_TO: Readonly<Record<PlanOptions['missing'], string>> = {
  ignore: 'left alone',
  deactivate: 'deactivated',
  'soft-delete': 'soft-deleted',
  'hard-delete': 'deleted for good',
};

export function brokenSource({ source, missing }: PlanOptions, reason: string): string {
  const why = missing === 'ignore' ? 'Half a source is not planned' : 'The users after the break would count as missing';
  return `${source} is not whole: ${reason}${reason.endsWith('?') ? '' : '.'} ${NOTHING} ${why}: bring the whole source.`;
}

/** `rows`: all rows that were read, with errors or without. */
export function emptySource({ source, missing, team }: PlanOptions, rows: number): string | undefined {
  if (rows > 0) return undefined;
  if (missing === 'ignore') return `${source} has no users. ${NOTHING} Is it the right source?`;
  const who = team === undefined ? 'everyone' : `everyone of the team ${team}`;
  return (
    `${source} has no users; with --missing ${missing}, ${who} would be ${DONE_TO[missing]}. ${NOTHING} ` +
    'An empty source never means that nobody is left, and no flag allows it.'
  );
}

/** `lines`: the first lines whose id could not be read. */
export function unreadableIds({ missing }: PlanOptions, count: number, lines: readonly number[]): string | undefined {
  if (count === 0 || missing === 'ignore') return undefined;
  const more = count > lines.length ? ', …' : '';
  return (
    `${rowsOf(count)} no id that can be read (line${count === 1 ? '' : 's'} ${lines.join(', ')}${more}), so ` +
    `${count === 1 ? 'its user' : 'their users'} would count as missing and be ${DONE_TO[missing]}. ${NOTHING} Correct ${count === 1 ? 'that line' : 'those lines'}, or leave --missing out.`
  );
}

export function tooManyErrors({ maxErrors }: PlanOptions, errors: number, rows: number, groups: readonly ErrorGroup[]): string | undefined {
  if (!exceeds(errors, maxErrors, rows)) return undefined;
  const list = errorLines(groups, errors).map((line) => `\n  ${line}`);
  const needed = percentAtLeast(errors, rows);
  return (
    `${grouped(errors)} of ${grouped(rows)} rows are wrong (${percent(errors / rows, 1)}); --max-errors allows ${percent(maxErrors)}. ${NOTHING} The most frequent reasons:` +
    `${list.join('')}\nIf the other rows are to be planned all the same: --max-errors ${needed}`
  );
}

export function unusedColumns(columns: readonly string[], rows: number): string | undefined {
  if (columns.length === 0 || rows === 0) return undefined;
  return `the map names ${columns.length === 1 ? 'a column that no row has' : 'columns that no row has'}: ${columns.join(', ')}. ${NOTHING} Correct the map, or take them out of it.`;
}

/** `missing` of `inScope` users would be removed. */
export function tooManyMissing(options: PlanOptions, missing: number, inScope: number): string | undefined {
  const { maxMissing, maxMissingCount, team, source } = options;
  const isShare = exceeds(missing, maxMissing, inScope);
  const isCount = missing > maxMissingCount;
  if (!isShare && !isCount) return undefined;
  const needed = percentAtLeast(missing, inScope);
  const where = team === undefined ? 'of the directory' : `of the team ${team}`;
  const allow = [...(isShare ? [`--max-missing ${needed}`] : []), ...(isCount ? [`--max-missing-count ${missing}`] : [])].join(' ');
  return (
    `${grouped(missing)} of the ${grouped(inScope)} users ${where} are not in ${source} (${percent(missing / inScope, 1)}) and would be ${DONE_TO[options.missing]}; ` +
    `--max-missing allows ${percent(maxMissing)}, --max-missing-count ${grouped(maxMissingCount)}. ${NOTHING} If that is right: ${allow}`
  );
}

/** `users`: users of the source in the scope; `inScope`: users of the directory in the scope. */
export function emptyScope({ team, source }: PlanOptions, users: number, inScope: number): string | undefined {
  if (team === undefined || inScope > 0 || users === 0) return undefined;
  return (
    `the directory has nobody in the team ${team}, but ${source} has ${grouped(users)} ${users === 1 ? 'user' : 'users'} for it. ${NOTHING} ` +
    'Is the team spelled right? To bring in the first users of a team, leave --missing out.'
  );
}

export function notRosterd({ missing, url }: PlanOptions): string | undefined {
  if (missing === 'ignore') return undefined;
  return `the server at ${url} is not rosterd and does not list its users, so nobody can be found missing. ${NOTHING} Leave --missing out.`;
}

/** A brake with a number: how much it allows, how much there is, and whether that is too much (`held`). */
export interface MeasuredBrake {
  readonly name: 'max_errors' | 'max_missing' | 'max_missing_count';
  readonly limit: number;
  readonly found: number;
  readonly held: boolean;
}

/** Those of missing users only where the directory was listed. */
export function measuredBrakes(
  { maxErrors, maxMissing, maxMissingCount }: Pick<PlanOptions, 'maxErrors' | 'maxMissing' | 'maxMissingCount'>,
  { counts: { errors, rows }, scope }: Pick<PlanSummary, 'counts' | 'scope'>,
): readonly MeasuredBrake[] {
  const share = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);
  const brakes: MeasuredBrake[] = [
    { name: 'max_errors', limit: maxErrors, found: share(errors, rows), held: exceeds(errors, maxErrors, rows) },
  ];
  if (scope === undefined) return brakes;
  const { removed, users } = scope;
  return [
    ...brakes,
    { name: 'max_missing', limit: maxMissing, found: share(removed, users), held: exceeds(removed, maxMissing, users) },
    { name: 'max_missing_count', limit: maxMissingCount, found: removed, held: removed > maxMissingCount },
  ];
}

/** `10%`, `0.5%`. */
function percent(share: number, digits = 4): string {
  return `${Number((share * 100).toFixed(digits))}%`;
}

/** A percentage on the command line is no exact binary fraction: 29 of 100 do not exceed 29%. */
function exceeds(part: number, share: number, whole: number): boolean {
  return part > share * whole * (1 + 1e-9);
}

/** The smallest whole percentage (below 10, with one decimal) that allows `part` of `whole`. */
function percentAtLeast(part: number, whole: number): string {
  const exact = (part * 100) / whole;
  return `${exact < 10 ? roundUp(exact * 10) / 10 : roundUp(exact)}%`;
}

/** A division may give a little more than a whole number. */
function roundUp(value: number): number {
  return Math.ceil(value - 1e-9);
}

function rowsOf(count: number): string {
  return `${grouped(count)} row${count === 1 ? ' has' : 's have'}`;
}
