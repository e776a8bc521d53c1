/** The summary of a plan for a person: counts, most frequent errors and fields, first examples. Bounded for plans of any length. Pure. */
import { TakenOutList } from '../counts.ts';
import { countOf, NO_COUNTS, type PlanError, type PlanTotals, type PlanWrite, type Removal, type Write } from './plan-lines.ts';
import type { ErrorGroup, PlanSummary } from './plan-types.ts';

const EXAMPLES = 3;
const EXAMPLE_LINES = 5;
const GROUPS_SHOWN = 10;
/** Kinds of errors, and fields, that are counted separately; all further ones count together. */
const KINDS_MAX = 1_000;
const OTHERS = 'others';
/** Reasons of one kind that are told apart: more of them would hide the other kinds. */
const REASONS_PER_KIND = 5;

interface Group {
  readonly reason: string;
  count: number;
  readonly lines: number[];
}

export class Tally {
  readonly counts: PlanTotals = { ...NO_COUNTS };
  readonly #groups = new Map<string, Group>();
  /** Groups by kind of reason. */
  readonly #kinds = new Map<string, number>();
  readonly #fields = new Map<string, { changed: number; removed: number }>();
  readonly #writes: Readonly<Record<Write, PlanWrite[]>> = { create: [], update: [], reactivate: [], restore: [] };
  readonly #missing: string[] = [];
  readonly takenOut = new TakenOutList();

  error({ error: { line, reason } }: PlanError): void {
    this.counts.errors++;
    const group = this.#groups.get(reason) ?? this.#groupFor(reason);
    group.count++;
    if (group.lines.length < EXAMPLE_LINES) group.lines.push(line);
  }

  /** A reason has a group of its own, unless its kind has many: then the further ones count together. */
  #groupFor(reason: string): Group {
    const kind = kindOf(reason);
    const others = this.#groups.get(kind);
    if (others !== undefined) return others;
    const known = this.#kinds.get(kind) ?? 0;
    const isFull = this.#groups.size >= KINDS_MAX;
    const name = isFull ? OTHERS : known < REASONS_PER_KIND ? reason : kind;
    const group = this.#groups.get(name) ?? { reason: name, count: 0, lines: [] };
    this.#groups.set(name, group);
    this.#kinds.set(kind, known + 1);
    return group;
  }

  write(write: PlanWrite): void {
    this.counts[write.do]++;
    const examples = this.#writes[write.do];
    if (examples.length < EXAMPLES) examples.push(write);
    if (write.do !== 'update') return;
    for (const [field, [, after]] of Object.entries(write.changes ?? {})) {
      const name = this.#fields.has(field) || this.#fields.size < KINDS_MAX ? field : OTHERS;
      const known = this.#fields.get(name) ?? { changed: 0, removed: 0 };
      known.changed++;
      if (after === null) known.removed++;
      this.#fields.set(name, known);
    }
  }

  removal(removal: Removal): void {
    this.counts[countOf({ do: removal })]++;
  }

  missing(id: string): void {
    if (this.#missing.length < EXAMPLES) this.#missing.push(id);
  }

  errors(): readonly ErrorGroup[] {
    return [...this.#groups.values()].sort((a, b) => b.count - a.count).slice(0, GROUPS_SHOWN);
  }

  summary(): Pick<PlanSummary, 'counts' | 'fields' | 'errors' | 'examples' | 'takenOut'> {
    const fields = [...this.#fields]
      .map(([field, count]) => ({ field, ...count }))
      .sort((a, b) => b.changed - a.changed || (a.field < b.field ? -1 : 1));
    const examples = { ...this.#writes, missing: this.#missing };
    const { count, first } = this.takenOut;
    return { counts: this.counts, fields, errors: this.errors(), examples, takenOut: { count, first } };
  }
}

/** Reasons that differ only in the text, the user or the number that they name are of one kind. */
function kindOf(reason: string): string {
  return reason
    .replace(/"[^"]*"/g, '"…"')
    .replace(/\buser [\w@-]+/g, 'user …')
    .replace(/\d+/g, '…');
}
