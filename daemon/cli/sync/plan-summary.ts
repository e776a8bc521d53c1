/** Shows a plan in words, and as one JSON object. Pure. */

import { shortened } from '../../../protocol/base/shortened.ts';
import { grouped } from '../../base/grouped.ts';
import { errorLines } from '../../sync/counts.ts';
import { changesOf, type PlanWrite } from '../../sync/plan/plan-lines.ts';
import type { FieldCount, PlanSummary } from '../../sync/plan/plan-types.ts';
import { EXIT } from '../io.ts';
import { visibleLines } from '../visible.ts';

/** Only `sync plan` has an exit code for "there are changes"; usage errors count as wrong. */
export const PLAN_EXIT = { nothing: 0, wrong: 1, changes: 2, interrupted: EXIT.interrupted } as const;

const ALWAYS_SHOWN: ReadonlySet<string> = new Set(['create', 'update', 'unchanged', 'errors']);
const FIELDS_SHOWN = 12;
const EXAMPLE_FIELDS = 3;
const VALUE_CHARS = 40;

export function planExitCode({ status, counts }: PlanSummary): number {
  if (status === 'interrupted') return PLAN_EXIT.interrupted;
  if (status !== 'planned' || counts.errors > 0) return PLAN_EXIT.wrong;
  return changesOf(counts) > 0 ? PLAN_EXIT.changes : PLAN_EXIT.nothing;
}

/** Lines for people, each with its end. */
export function describePlan(summary: PlanSummary): string {
  const { counts, fields, examples, errors, takenOut } = summary;
  const rows: [string, number, string][] = [
    ['create', counts.create, more(examples.create.map(placeOf), counts.create)],
    ['update', counts.update, ''],
    ['reactivate', counts.reactivate, more(examples.reactivate.map(placeOf), counts.reactivate)],
    ['restore', counts.restore, more(examples.restore.map(placeOf), counts.restore)],
    ['unchanged', counts.unchanged, ''],
    [
      'taken out',
      takenOut.count,
      more(
        takenOut.first.map(({ id, how }) => `${id} (${how})`),
        takenOut.count,
      ),
    ],
    ['deactivate', counts.deactivate, more(examples.missing, counts.deactivate)],
    ['soft-delete', counts.soft_delete, more(examples.missing, counts.soft_delete)],
    ['hard-delete', counts.hard_delete, more(examples.missing, counts.hard_delete)],
    ['errors', counts.errors, ''],
  ];
  const width = Math.max(...rows.map(([, count]) => grouped(count).length));
  const lines: string[] = [];
  for (const [name, count, example] of rows) {
    if (count === 0 && !ALWAYS_SHOWN.has(name)) continue;
    lines.push(`${name.padEnd(11)}  ${grouped(count).padStart(width)}${example === '' || count === 0 ? '' : `  ${example}`}`);
    if (name === 'update') lines.push(...fieldLines(fields), ...examples.update.map((write) => `    ${changesIn(write)}`));
    if (name === 'errors') lines.push(...errorLines(errors, counts.errors).map((line) => `    ${line}`));
  }
  return `${visibleLines(lines.join('\n'))}\n`;
}

/** As one JSON object in one line. */
export function planJson(summary: PlanSummary, out: string | undefined): string {
  const { status, counts, base, fields, errors, examples, takenOut, notes, problems, elapsedMs, trailer } = summary;
  const plan = trailer === undefined ? null : { path: out ?? null, sha256: trailer.sha256 };
  return `${JSON.stringify({ status, ...counts, base, plan, fields, error_groups: errors, examples, taken_out: takenOut, notes, problems, seconds: elapsedMs / 1_000 })}\n`;
}

function fieldLines(fields: readonly FieldCount[]): string[] {
  const shown = fields.slice(0, FIELDS_SHOWN);
  const width = Math.max(0, ...shown.map(({ field }) => field.length));
  const lines = shown.map(({ field, changed, removed }) => {
    return `    ${field.padEnd(width)}  ${grouped(changed)}${removed === 0 ? '' : ` (${grouped(removed)} removed)`}`;
  });
  return fields.length > shown.length ? [...lines, `    … and ${fields.length - shown.length} other fields`] : lines;
}

function changesIn(write: PlanWrite): string {
  const changes = Object.entries(write.changes ?? {});
  const shown = changes.slice(0, EXAMPLE_FIELDS).map(([field, [before, after]]) => `${field} ${valueIn(before)} → ${valueIn(after)}`);
  return `${placeOf(write)}: ${more(shown, changes.length)}`;
}

function valueIn(value: unknown): string {
  if (value === null) return '–';
  const text = JSON.stringify(value);
  return shortened(text, VALUE_CHARS);
}

function placeOf({ id, line }: PlanWrite): string {
  return `${id} (line ${line})`;
}

function more(shown: readonly string[], count: number): string {
  return count > shown.length ? [...shown, '…'].join(', ') : shown.join(', ');
}
