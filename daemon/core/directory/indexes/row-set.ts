/**
 * A set of rows (records/id-table.ts) that takes little memory, whether it has three of them or most of ten million. A few are a list;
 * many are in pages of 65,536 rows, each a list of 16-bit numbers or, where it is dense, a bit for each row. Pure.
 */
import { NumberList } from './number-list.ts';

/** Rows of a set that is one list. */
const FEW_MAX = 2_048;
const PAGE_BITS = 16;
const PAGE_MASK = (1 << PAGE_BITS) - 1;
/** Rows of a page that is a list: with more of them, bits take less room. */
const LISTED_MAX = 4_096;
const LISTED_AGAIN = LISTED_MAX / 4;

/** A bit for each number below 65,536. */
class Bits {
  readonly #words = new Uint32Array(1 << (PAGE_BITS - 5));
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(value: number): boolean {
    return this.#flip(value, 0);
  }

  remove(value: number): boolean {
    return this.#flip(value, 1);
  }

  #flip(value: number, from: 0 | 1): boolean {
    const word = this.#words[value >>> 5] ?? 0;
    if (((word >>> (value & 31)) & 1) !== from) return false;
    this.#words[value >>> 5] = word ^ (1 << (value & 31));
    this.#count += from === 0 ? 1 : -1;
    return true;
  }

  next(from: number): number {
    // The bits of the first word that are below `from` do not count.
    let mask = -1 << (from & 31);
    for (let at = from >>> 5; at < this.#words.length; at++) {
      const word = (this.#words[at] ?? 0) & mask;
      if (word !== 0) return (at << 5) + 31 - Math.clz32(word & -word);
      mask = -1;
    }
    return -1;
  }

  *[Symbol.iterator](): Generator<number, void> {
    for (let value = this.next(0); value !== -1; value = this.next(value + 1)) yield value;
  }
}

export class RowSet {
  #few: NumberList | undefined = new NumberList(Uint32Array);
  readonly #pages: (NumberList | Bits | undefined)[] = [];
  #count = 0;

  /** How many rows there are. */
  get count(): number {
    return this.#count;
  }

  add(row: number): void {
    if (this.#few?.count === FEW_MAX) this.#spread(this.#few);
    if (this.#few?.add(row) ?? this.#addPaged(row)) this.#count++;
  }

  #spread(few: NumberList): void {
    this.#few = undefined;
    for (const row of few) this.#addPaged(row);
  }

  #addPaged(row: number): boolean {
    const at = row >>> PAGE_BITS;
    while (this.#pages.length <= at) this.#pages.push(undefined);
    let page = this.#pages[at] ?? new NumberList(Uint16Array);
    if (page instanceof NumberList && page.count === LISTED_MAX) page = filled(new Bits(), page);
    this.#pages[at] = page;
    return page.add(row & PAGE_MASK);
  }

  remove(row: number): void {
    if (this.#few?.remove(row) ?? this.#removePaged(row)) this.#count--;
  }

  #removePaged(row: number): boolean {
    const at = row >>> PAGE_BITS;
    const page = this.#pages[at];
    if (page?.remove(row & PAGE_MASK) !== true) return false;
    if (page.count === 0) this.#pages[at] = undefined;
    else if (page instanceof Bits && page.count === LISTED_AGAIN) this.#pages[at] = filled(new NumberList(Uint16Array), page);
    return true;
  }

  /** The first row from this one on; -1 when there is none. */
  next(from: number): number {
    if (this.#few !== undefined) return this.#few.next(from);
    let inPage = from & PAGE_MASK;
    for (let at = from >>> PAGE_BITS; at < this.#pages.length; at++) {
      const found = this.#pages[at]?.next(inPage) ?? -1;
      if (found !== -1) return at * (1 << PAGE_BITS) + found;
      inPage = 0;
    }
    return -1;
  }
}

function filled<Page extends NumberList | Bits>(page: Page, values: Iterable<number>): Page {
  for (const value of values) page.add(value);
  return page;
}
