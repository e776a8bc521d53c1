/** The summary of a plan for a person: counts, most frequent errors and fields, first examples. Bounded for plans of any length. Pure. */
import { countOf, NO_COUNTS, type PlanError, type PlanTotals, type PlanWrite, type Removal } from './plan-lines.ts';
import type { ErrorGroup, PlanSummary } from './plan-types.ts';

const EXAMPLES = 3;
const EXAMPLE_LINES = 5;
const GROUPS_SHOWN = 10;
/** Kinds of errors, and fields, that are counted separately; all further ones count together. */
const KINDS_MAX = 1_000;
const OTHERS = 'others';

interface Group {
  readonly reason: string;
  count: number;
  readonly lines: number[];
}

export class Tally {
  readonly counts: PlanTotals = { ...NO_COUNTS };
  readonly #groups = new Map<string, Group>();
  readonly #fields = new Map<string, { changed: number; removed: number }>();
  readonly #create: PlanWrite[] = [];
  readonly #update: PlanWrite[] = [];
  readonly #missing: string[] = [];

  error({ error: { line, reason } }: PlanError): void {
    this.counts.errors++;
    const kind = kindOf(reason);
    const isKnown = this.#groups.has(kind) || this.#groups.size < KINDS_MAX;
    const group = this.#groups.get(isKnown ? kind : OTHERS) ?? { reason: isKnown ? reason : OTHERS, count: 0, lines: [] };
    group.count++;
    if (group.lines.length < EXAMPLE_LINES) group.lines.push(line);
    this.#groups.set(isKnown ? kind : OTHERS, group);
  }

  write(write: PlanWrite): void {
    this.counts[write.do]++;
    const examples = write.do === 'create' ? this.#create : this.#update;
    if (examples.length < EXAMPLES) examples.push(write);
    if (write.do === 'create') return;
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

  summary(): Pick<PlanSummary, 'counts' | 'fields' | 'errors' | 'examples'> {
    const fields = [...this.#fields]
      .map(([field, count]) => ({ field, ...count }))
      .sort((a, b) => b.changed - a.changed || (a.field < b.field ? -1 : 1));
    const examples = { create: this.#create, update: this.#update, missing: this.#missing };
    return { counts: this.counts, fields, errors: this.errors(), examples };
  }
}

/** Reasons that differ only in the text that they quote are of one kind. */
function kindOf(reason: string): string {
  return reason
    .replace(/"[^"]*"/g, '""')
    .replace(/\buser [\w@-]+/g, 'user')
    .replace(/\d+/g, '0');
}
