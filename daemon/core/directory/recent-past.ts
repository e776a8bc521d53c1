/**
 * The recent past, kept in memory so that a subscriber that was away for a
 * moment resumes without touching the disk. Bounded in bytes; the oldest is
 * dropped first. Deterministic: no clock, no I/O.
 */

/** A stretch of positions, `first` to `last`, and the bytes that it takes. */
export interface SeqSpan {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

export class RecentPast<T extends SeqSpan> {
  readonly #bytesMax: number;
  #items: T[] = [];
  /** Items before this index were dropped and wait for the next compaction. */
  #start = 0;
  #bytes = 0;
  #tail: number;

  /** `seq` is the position of the directory when recording begins. */
  constructor(seq: number, bytesMax: number) {
    this.#tail = seq;
    this.#bytesMax = bytesMax;
  }

  /** The smallest position whose successors are all kept. */
  get tail(): number {
    return this.#tail;
  }

  push(item: T): void {
    this.#items.push(item);
    this.#bytes += item.bytes;
    while (this.#bytes > this.#bytesMax) this.#dropOldest();
  }

  #dropOldest(): void {
    const oldest = this.#items[this.#start];
    if (oldest === undefined) return;
    this.#start++;
    this.#bytes -= oldest.bytes;
    this.#tail = oldest.last;
    if (this.#start * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Items that reach beyond `after`, oldest first. Only valid for `after` >= `tail`, and while nothing is pushed. */
  *since(after: number): Iterable<T> {
    for (let at = this.#firstBeyond(after); at < this.#items.length; at++) {
      const item = this.#items[at];
      if (item !== undefined) yield item;
    }
  }

  #firstBeyond(after: number): number {
    let low = this.#start;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#items[middle]?.last ?? 0) > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
