/**
 * The first `size` users in order, of any number offered. Users are gathered and cut back to the page now and then; after the first cut,
 * only users that sort before the last of the page are gathered. Users that come in reverse order, the usual case of "newest first", cost
 * two comparisons each.
 *
 * Comparisons are counted, and so are the characters of texts that they compare: a cut yields after some of that work. Pure.
 */
import { STEP_UNITS } from '../../../protocol/users/finding/filter-cost.ts';
import { compareUsers, type SortSpec } from '../../../protocol/users/finding/query.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';

/** Users gathered beyond a page before the page is sorted anew. */
const GATHERED_MAX = 512;
/** The work of one comparison, in the unit of walks, without the texts. */
const COMPARE_UNITS = 4;
/** Characters of two texts that are compared per unit. */
const CHARS_PER_UNIT = 16;

export class Page {
  readonly #compare: (a: StoredUser, b: StoredUser) => number;
  readonly #size: number;
  #gathered: StoredUser[] = [];
  #last: StoredUser | undefined;
  #units = 0;

  constructor(sort: readonly SortSpec[], size: number) {
    const compare = compareUsers(sort, (chars) => {
      this.#units += Math.floor(chars / CHARS_PER_UNIT);
    });
    this.#compare = (a, b) => {
      this.#units += COMPARE_UNITS;
      return compare(a, b);
    };
    this.#size = size;
  }

  /** The work since it was last asked. */
  spent(): number {
    const units = this.#units;
    this.#units = 0;
    return units;
  }

  /** Whether so many are gathered now that they must be cut. */
  offer(user: StoredUser): boolean {
    if (this.#last !== undefined && this.#compare(user, this.#last) >= 0) return false;
    return this.#gathered.push(user) >= this.#size + GATHERED_MAX;
  }

  /** Keeps the first `size` of them, and returns these in order. Yields its work. */
  *cut(): Generator<number, readonly StoredUser[]> {
    let runs = yield* this.#runs();
    while (runs.length > 1) {
      const merged: StoredUser[][] = [];
      for (let at = 0; at < runs.length; at += 2) merged.push(yield* this.#merged(runs[at] ?? [], runs[at + 1] ?? []));
      runs = merged;
    }
    this.#gathered = (runs[0] ?? []).slice(0, this.#size);
    if (this.#gathered.length === this.#size) this.#last = this.#gathered.at(-1);
    return this.#gathered;
  }

  /** What is gathered, as the runs in which it is in order or in reverse order already. */
  *#runs(): Generator<number, StoredUser[][]> {
    const runs: StoredUser[][] = [];
    let run: StoredUser[] = [];
    let isReverse = false;
    for (const user of this.#gathered) {
      const last = run.at(-1);
      const isAfter = last !== undefined && this.#compare(last, user) < 0;
      if (this.#units >= STEP_UNITS) yield this.spent();
      if (run.length === 1) isReverse = !isAfter;
      if (last === undefined || run.length === 1 || isAfter !== isReverse) run.push(user);
      else {
        runs.push(isReverse ? run.reverse() : run);
        run = [user];
        isReverse = false;
      }
    }
    runs.push(isReverse ? run.reverse() : run);
    return runs;
  }

  /** No more than the page needs of them. */
  *#merged(left: readonly StoredUser[], right: readonly StoredUser[]): Generator<number, StoredUser[]> {
    const merged: StoredUser[] = [];
    let at = 0;
    let next = 0;
    while (merged.length < this.#size) {
      const [one, other] = [left[at], right[next]];
      if (one === undefined && other === undefined) break;
      const isLeft = other === undefined || (one !== undefined && this.#compare(one, other) < 0);
      const first = isLeft ? one : other;
      if (first === undefined) break;
      merged.push(first);
      if (isLeft) at++;
      else next++;
      if (this.#units >= STEP_UNITS) yield this.spent();
    }
    return merged;
  }
}
