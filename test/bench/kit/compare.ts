/** Two builds under the same rigs, in turn: how much more each figure of the new one costs than that of the old one. */
import type { Report, Row } from './report.ts';
import { overRounds, type Stat } from './stats.ts';

/** The reports of one rig about both builds, one after the other. */
export interface Pair {
  readonly before: Report;
  readonly after: Report;
}

export interface Compared {
  readonly rig: string;
  readonly what: string;
  readonly unit: string;
  readonly before: Stat;
  readonly after: Stat;
  /** Cost of the new build ÷ cost of the old one, by round: above 1 it is worse. Undefined where a figure is not above 0. */
  readonly ratio: Stat | undefined;
}

/** Above this, the median of a ratio is pointed out. */
const WORSE = 1.1;
/** Above this in every round, CPU time is a regression and no noise. */
export const REGRESSION = 1.5;

/** The rows that both builds reported in every round. */
export function compared(rounds: readonly Pair[]): readonly Compared[] {
  const series = new Map<string, { row: Row; rig: string; before: number[]; after: number[] }>();
  for (const { before, after } of rounds) {
    const old = keyed(before.rows);
    for (const [key, row] of keyed(after.rows)) {
      const other = old.get(key);
      if (other === undefined) continue;
      const one = series.get(key) ?? { row, rig: after.rig, before: [], after: [] };
      one.before.push(other.stat.median);
      one.after.push(row.stat.median);
      series.set(key, one);
    }
  }
  const whole = [...series.values()].filter(({ after }) => after.length === rounds.length);
  return whole.map(({ row, rig, before, after }) => ({
    rig,
    what: row.what.trim(),
    unit: row.unit,
    before: overRounds(before),
    after: overRounds(after),
    ratio: ratioOf(row.unit, before, after),
  }));
}

/** Several rows may have the same text: `p99` stands under each of the figures that it belongs to. */
function keyed(rows: readonly Row[]): ReadonlyMap<string, Row> {
  const found = new Map<string, Row>();
  for (const row of rows) {
    let key = `${row.what} ${row.unit}`;
    while (found.has(key)) key += '+';
    found.set(key, row);
  }
  return found;
}

function ratioOf(unit: string, before: readonly number[], after: readonly number[]): Stat | undefined {
  if ([...before, ...after].some((value) => !(value > 0))) return undefined;
  const isMoreBetter = /\/ ?(CPU )?s$/.test(unit);
  return overRounds(after.map((value, round) => (isMoreBetter ? (before[round] ?? 0) / value : value / (before[round] ?? 0))));
}

/** CPU time that grew beyond noise in every round. */
export function regressions(rows: readonly Compared[]): readonly Compared[] {
  return rows.filter(({ unit, ratio }) => unit.includes('CPU') && ratio !== undefined && ratio.min > REGRESSION);
}

/** One line for each row, by rig; those that cost more than a tenth more are marked. */
export function comparisonText(rows: readonly Compared[]): string {
  const cells = rows.map(({ rig, what, unit, before, after, ratio }) => ({
    rig,
    cells: [what, `${number(before.median)} → ${number(after.median)} ${unit}`, ratioText(ratio)],
    mark: ratio !== undefined && ratio.median > WORSE ? '  WORSE' : '',
  }));
  const widths = [0, 1].map((column) => Math.max(0, ...cells.map((row) => row.cells[column]?.length ?? 0)));
  const lines: string[] = [];
  for (const [index, row] of cells.entries()) {
    if (row.rig !== cells[index - 1]?.rig) lines.push('', `## ${row.rig}: old → new, and how much more it costs (range over rounds)`, '');
    lines.push(`${row.cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}${row.mark}`);
  }
  return `${lines.join('\n')}\n`;
}

function ratioText(ratio: Stat | undefined): string {
  if (ratio === undefined) return '–';
  const { median, min, max } = ratio;
  return `×${median.toFixed(2)}${min === max ? '' : ` (${min.toFixed(2)}–${max.toFixed(2)})`}`;
}

function number(value: number): string {
  return value >= 1_000 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));
}
