/** What is worth knowing about a plan and no error. Pure. */
import { grouped } from '../../base/grouped.ts';
import type { PlanCounts } from './plan-lines.ts';

/** The number of pairs of ids that are named. */
const PAIRS_SHOWN = 5;

/** The directory knows no user of the source: the id column, or the directory, may be the wrong one. `users`: users of the directory. */
export function strangersNote({ create, update, reactivate, restore, unchanged }: PlanCounts, users: number): readonly string[] {
  if (users === 0 || create === 0 || update + reactivate + restore + unchanged > 0) return [];
  return [
    `none of the users of the source is in the directory, which has ${users}: is the right column the id, and is it the right directory?`,
  ];
}

/** `users`: users of the source that are deactivated, but not by a sync. */
export function deactivatedNote(users: number): readonly string[] {
  if (users <= 0) return [];
  const [who, are, stay] = users === 1 ? ['user', 'is', 'stays'] : ['users', 'are', 'stay'];
  return [`${grouped(users)} ${who} of the source ${are} deactivated (not by a sync) and ${stay} so`];
}

/** Finds ids that differ only in upper and lower case: they are different users, and often were not meant to be. */
export class SameLetters {
  readonly #isKnown: (id: string) => boolean;
  /** Ids with capital letters, by their small ones: most ids have none and take no memory here. */
  readonly #capitals = new Map<string, string>();
  readonly #pairs: string[] = [];
  #count = 0;

  /** `isKnown`: whether the id was read before. */
  constructor(isKnown: (id: string) => boolean) {
    this.#isKnown = isKnown;
  }

  take(id: string, line: number): void {
    const small = id.toLowerCase();
    const other = this.#capitals.get(small) ?? (small !== id && this.#isKnown(small) ? small : undefined);
    if (small !== id && other === undefined) this.#capitals.set(small, id);
    if (other === undefined || other === id) return;
    this.#count++;
    if (this.#pairs.length < PAIRS_SHOWN) this.#pairs.push(`${other} and ${id} (line ${line})`);
  }

  notes(): readonly string[] {
    if (this.#count === 0) return [];
    const more = this.#count > this.#pairs.length ? ', …' : '';
    return [`ids that differ only in upper and lower case are different users: ${this.#pairs.join(', ')}${more}`];
  }
}
