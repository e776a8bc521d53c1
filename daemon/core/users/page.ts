/**
 * The first `size` users in order, of any number offered. Users are gathered and cut back to the page now and then; after the first cut,
 * only users that sort before the last of the page are gathered. Users that come in reverse order, the usual case of "newest first", cost
 * two comparisons each.
 *
 * Comparisons are counted, and so are the characters of texts that they compare: a cut yields after some of that work. Pure.
 */
import { STEP_UNITS, type WorkDone, type WorkMeter } from '../../../protocol/users/finding/filter-cost.ts';
import type { SortSpec } from '../../../protocol/users/finding/query.ts';

/** Users gathered beyond a page before the page is sorted anew. */
const GATHERED_MAX = 512;
/** Users that are sorted at once, at first: as many as cost little, however long the texts are that they are sorted by; and where these are short. */
const RUN_USERS = 4;
const SHORT_RUN_USERS = 128;
/** The work of one comparison, in the unit of walks, without the texts. */
const COMPARE_UNITS = 4;

function isShort({ field }: SortSpec): boolean {
  return field.kind === 'time' || field.kind === 'boolean' || (field.kind === 'string' && field.name === 'id');
}

export class Page<User> {
  readonly #compare: (a: User, b: User) => number;
  readonly #copy: (user: User) => User;
  readonly #size: number;
  /** The page so far, in order, and what may come into it. */
  #page: User[] = [];
  #gathered: User[] = [];
  #last: User | undefined;
  #runUsers: number;
  readonly #work: WorkMeter;

  /** `compare` follows `sort`. `copy` makes a user that stays as it is of one that was offered. */
  constructor(sort: readonly SortSpec[], compare: (a: User, b: User) => number, copy: (user: User) => User, size: number, work: WorkMeter) {
    this.#compare = compare;
    this.#copy = copy;
    this.#size = size;
    this.#work = work;
    this.#runUsers = sort.every(isShort) ? SHORT_RUN_USERS : RUN_USERS;
  }

  #counted(a: User, b: User): number {
    this.#work.units += COMPARE_UNITS;
    return this.#compare(a, b);
  }

  /** Takes a user. Whether so many are gathered now that they must be cut. */
  offer(user: User): boolean {
    if (this.#last !== undefined && this.#counted(user, this.#last) >= 0) return false;
    return this.#gathered.push(this.#copy(user)) >= this.#size + GATHERED_MAX;
  }

  /** Keeps the first `size` of them, and returns these in order. Yields its work. */
  *cut(): Generator<WorkDone, readonly User[]> {
    let runs: User[][] = [];
    for (let at = 0; at < this.#gathered.length; ) {
      const run = this.#gathered.slice(at, at + this.#runUsers);
      at += run.length;
      const before = this.#work.units;
      runs.push(run.sort((a, b) => this.#counted(a, b)));
      const units = this.#work.units - before;
      if (units < STEP_UNITS / 4) this.#runUsers = Math.min(2 * this.#runUsers, this.#size + GATHERED_MAX);
      else if (units > STEP_UNITS) this.#runUsers = Math.ceil(this.#runUsers / 2);
      if (this.#work.isStep) yield this.#work.take();
    }
    if (this.#page.length > 0) runs.push(this.#page);
    while (runs.length > 1) {
      const merged: User[][] = [];
      for (let at = 0; at < runs.length; at += 2) merged.push(yield* this.#merged(runs[at] ?? [], runs[at + 1] ?? []));
      runs = merged;
    }
    this.#gathered = [];
    this.#page = (runs[0] ?? []).slice(0, this.#size);
    if (this.#page.length === this.#size) this.#last = this.#page.at(-1);
    return this.#page;
  }

  /** No more than the page needs of them. */
  *#merged(left: User[], right: User[]): Generator<WorkDone, User[]> {
    if (right.length === 0) return left;
    const merged: User[] = [];
    let at = 0;
    let next = 0;
    while (merged.length < this.#size) {
      const [one, other] = [left[at], right[next]];
      const isLeft = other === undefined || (one !== undefined && this.#counted(one, other) < 0);
      const first = isLeft ? one : other;
      if (first === undefined) break;
      merged.push(first);
      if (isLeft) at++;
      else next++;
      if (this.#work.isStep) yield this.#work.take();
    }
    return merged;
  }
}
