/**
 * Rows by key, for keys that most often have one row: one list of numbers, each the hash of a key and a row, in pieces. So a key that
 * a million users share costs what as many different ones cost. Pure.
 */

import { type HashKey, textHash } from '../keyed-hash.ts';
import { NumberList } from './number-list.ts';

/** Numbers up to 2^53 are exact: 28 bits of a row, 25 of a hash. */
const ROWS_MAX = 2 ** 28;
const HASH_SHIFT = 32 - 25;
const LIST_MAX = 512;

export class KeyRows {
  readonly #hashKey: HashKey;
  /** Each in order, and before the next one. */
  readonly #lists = [new NumberList(Float64Array)];
  /** From which number on a list holds what there is. */
  readonly #starts = [0];

  /** `hashKey`: nobody who does not know it can choose keys that share a hash. */
  constructor(hashKey: HashKey) {
    this.#hashKey = hashKey;
  }

  /** `row` is less than 2^28. */
  add(key: string, row: number): void {
    const value = this.#startOf(key) + row;
    let at = this.#listOf(value);
    const list = this.#lists[at];
    if (list?.count === LIST_MAX) {
      const upper = list.split();
      const start = upper.next(0);
      this.#lists.splice(at + 1, 0, upper);
      this.#starts.splice(at + 1, 0, start);
      if (value >= start) at++;
    }
    this.#lists[at]?.add(value);
  }

  remove(key: string, row: number): void {
    const value = this.#startOf(key) + row;
    const at = this.#listOf(value);
    const list = this.#lists[at];
    if (list?.remove(value) !== true || list.count > 0 || at === 0) return;
    this.#lists.splice(at, 1);
    this.#starts.splice(at, 1);
  }

  /** How many rows `rows` gives. */
  count(key: string): number {
    const from = this.#startOf(key);
    const [first, last] = [this.#listOf(from), this.#listOf(from + ROWS_MAX)];
    let count = (this.#lists[last]?.placeOf(from + ROWS_MAX) ?? 0) - (this.#lists[first]?.placeOf(from) ?? 0);
    for (let at = first; at < last; at++) count += this.#lists[at]?.count ?? 0;
    return count;
  }

  /** The rows of a key, in order, and seldom one of a key with the same hash. It meets each that stays, whatever changes meanwhile. */
  rows(key: string): Iterable<number> {
    return this.#from(this.#startOf(key));
  }

  /** Like `rows`, for every hash that a key has. Undefined: of one row. */
  *all(): Generator<Iterable<number> | undefined, void> {
    for (let value = this.#next(0); value !== -1; ) {
      const start = value - (value % ROWS_MAX);
      const second = this.#next(value + 1);
      const isShared = second !== -1 && second < start + ROWS_MAX;
      yield isShared ? this.#from(start) : undefined;
      value = this.#next(start + ROWS_MAX);
    }
  }

  *#from(start: number): Generator<number, void> {
    const end = start + ROWS_MAX;
    for (let value = this.#next(start); value !== -1 && value < end; value = this.#next(value + 1)) yield value - start;
  }

  #startOf(key: string): number {
    return (textHash(key, this.#hashKey) >>> HASH_SHIFT) * ROWS_MAX;
  }

  #next(from: number): number {
    for (let at = this.#listOf(from); at < this.#lists.length; at++) {
      const value = this.#lists[at]?.next(from) ?? -1;
      if (value !== -1) return value;
    }
    return -1;
  }

  /** The list that holds a number, if any does. */
  #listOf(value: number): number {
    let [low, high] = [0, this.#starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if ((this.#starts[middle] ?? 0) <= value) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
