/** The summary of a plan for a person: counts, most frequent errors and fields, first examples. Bounded for plans of any length. Pure. */
import { type ErrorGroup, ErrorGroups, TakenOutList } from '../counts.ts';
import { countOf, NO_COUNTS, type PlanError, type PlanTotals, type PlanWrite, type Removal, type Write } from './plan-lines.ts';
import type { PlanSummary } from './plan-types.ts';

const EXAMPLES = 3;
/** Fields that are counted separately; all further ones count together. */
const FIELDS_MAX = 1_000;
const OTHER_FIELDS = 'others';

export class Tally {
  readonly counts: PlanTotals = { ...NO_COUNTS };
  readonly #errors = new ErrorGroups();
  readonly #fields = new Map<string, { changed: number; removed: number }>();
  readonly #writes: Readonly<Record<Write, PlanWrite[]>> = { create: [], update: [], reactivate: [], restore: [] };
  readonly #missing: string[] = [];
  #scope: PlanSummary['scope'];
  readonly takenOut = new TakenOutList();

  error({ error }: PlanError): void {
    this.counts.errors++;
    this.#errors.add(error);
  }

  write(write: PlanWrite): void {
    this.counts[write.do]++;
    const examples = this.#writes[write.do];
    if (examples.length < EXAMPLES) examples.push(write);
    if (write.do !== 'update') return;
    for (const [field, [, after]] of Object.entries(write.changes ?? {})) {
      const name = this.#fields.has(field) || this.#fields.size < FIELDS_MAX ? field : OTHER_FIELDS;
      const known = this.#fields.get(name) ?? { changed: 0, removed: 0 };
      known.changed++;
      if (after === null) known.removed++;
      this.#fields.set(name, known);
    }
  }

  removal(removal: Removal): void {
    this.counts[countOf({ do: removal })]++;
  }

  /** Notes what the list of the directory showed. */
  found({ count, removed, inScope }: { readonly count: number; readonly removed: number; readonly inScope: number }): void {
    this.counts.missing = count;
    this.#scope = { removed, users: inScope };
  }

  missing(id: string): void {
    if (this.#missing.length < EXAMPLES) this.#missing.push(id);
  }

  errors(): readonly ErrorGroup[] {
    return this.#errors.shown;
  }

  summary(): Pick<PlanSummary, 'counts' | 'fields' | 'errors' | 'examples' | 'takenOut' | 'scope'> {
    const fields = [...this.#fields]
      .map(([field, count]) => ({ field, ...count }))
      .sort((a, b) => b.changed - a.changed || (a.field < b.field ? -1 : 1));
    const examples = { ...this.#writes, missing: this.#missing };
    const { count, first } = this.takenOut;
    return {
      counts: this.counts,
      fields,
      errors: this.errors(),
      examples,
      takenOut: { count, first },
      ...(this.#scope === undefined ? {} : { scope: this.#scope }),
    };
  }
}
