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
  readonly #inSource = new Pairs();
  readonly #missing = new Pairs();

  /** `isKnown`: whether the source has named the id. */
  constructor(isKnown: (id: string) => boolean) {
    this.#isKnown = isKnown;
  }

  /** Whether the source names exactly this id. */
  has(id: string): boolean {
    return this.#isKnown(id);
  }

  /** Notes an id of the source. */
  take(id: string, line: number): void {
    const small = id.toLowerCase();
    const other = this.#inOtherLetters(id, small);
    if (small !== id && other === undefined) this.#capitals.set(small, id);
    if (other !== undefined && other !== id) this.#inSource.add(`${other} and ${id} (line ${line})`);
  }

  /** Notes a user of the directory that the source does not name. */
  takeMissing(id: string): void {
    const other = this.#inOtherLetters(id, id.toLowerCase());
    if (other !== undefined) this.#missing.add(`${id} (in the source ${other})`);
  }

  /** What there is to say of the ids of the source. */
  notes(): readonly string[] {
    return this.#inSource.note('ids that differ only in upper and lower case are different users');
  }

  /** What there is to say of missing users. */
  missingNotes(): readonly string[] {
    return this.#missing.note(
      'missing users that the source seems to name in other upper and lower case, which makes them different users',
    );
  }

  #inOtherLetters(id: string, small: string): string | undefined {
    return this.#capitals.get(small) ?? (small !== id && this.#isKnown(small) ? small : undefined);
  }
}

/** The first of many pairs, and their number. */
class Pairs {
  readonly #first: string[] = [];
  #count = 0;

  add(pair: string): void {
    if (this.#count++ < PAIRS_SHOWN) this.#first.push(pair);
  }

  note(what: string): readonly string[] {
    if (this.#count === 0) return [];
    return [`${what}: ${this.#first.join(', ')}${this.#count > this.#first.length ? ', …' : ''}`];
  }
}
