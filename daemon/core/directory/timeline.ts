/**
 * Ids in order of time, oldest first, then in order of id. Nearly all places arrive in order and are appended. Late places are
 * kept aside and sorted in at the next read, so that a long backfill is sorted once. Pure.
 */
import type { Micros } from '../../../protocol/base/time.ts';

export interface Place {
  readonly time: Micros;
  readonly id: string;
}

/** One side of a stretch. The place itself need not exist. */
export interface Bound extends Place {
  /** Whether the place itself belongs to the stretch. */
  readonly inclusive: boolean;
}

/** A part of the order: within all bounds, without the `offset` newest places of these, at most `limit` long. */
export interface TimelinePage {
  readonly after?: readonly Bound[];
  readonly before?: readonly Bound[];
  readonly offset?: number;
  readonly limit: number;
}

/** Up to this many late places are inserted one by one; for more, sorting everything is cheaper. */
const LATE_ONE_BY_ONE = 16;

export class Timeline {
  readonly #places: Place[] = [];
  readonly #late: Place[] = [];

  get size(): number {
    return this.#places.length + this.#late.length;
  }

  add(place: Place): void {
    const last = this.#places.at(-1);
    if (last === undefined || comparePlaces(last, place) < 0) this.#places.push(place);
    else this.#late.push(place);
  }

  remove(place: Place): void {
    this.#settle();
    const index = this.#find(place);
    if (this.#holdsAt(index, place)) this.#places.splice(index, 1);
  }

  *[Symbol.iterator](): Iterator<string> {
    this.#settle();
    for (const { id } of this.#places) yield id;
  }

  /** The ids of a page, newest first. */
  newest({ after = [], before = [], offset = 0, limit }: TimelinePage): string[] {
    this.#settle();
    const from = Math.max(0, ...after.map((bound) => this.#cut(bound, !bound.inclusive)));
    const to = Math.min(this.size, ...before.map((bound) => this.#cut(bound, bound.inclusive))) - offset;
    return this.#places
      .slice(Math.max(from, to - limit), Math.max(from, to))
      .map(({ id }) => id)
      .reverse();
  }

  /** Number of places before the bound; with `withOwn` also the place at the bound, if it exists. */
  #cut(bound: Bound, withOwn: boolean): number {
    const index = this.#find(bound);
    return withOwn && this.#holdsAt(index, bound) ? index + 1 : index;
  }

  #holdsAt(index: number, place: Place): boolean {
    const found = this.#places[index];
    return found !== undefined && comparePlaces(found, place) === 0;
  }

  /** Index of the first place that is not before this one. No late places may wait. */
  #find(place: Place): number {
    let low = 0;
    let high = this.#places.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#places[middle];
      if (found !== undefined && comparePlaces(found, place) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #settle(): void {
    if (this.#late.length === 0) return;
    const late = this.#late.splice(0);
    if (late.length <= LATE_ONE_BY_ONE) {
      for (const place of late) this.#places.splice(this.#find(place), 0, place);
      return;
    }
    for (const place of late) this.#places.push(place);
    this.#places.sort(comparePlaces);
  }
}

/** Negative when `a` comes first. */
export function comparePlaces(a: Place, b: Place): number {
  if (a.time !== b.time) return a.time - b.time;
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}
