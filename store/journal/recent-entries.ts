/**
 * The newest entries, kept in memory up to a bound in bytes, so that a reader that keeps up gets them by reference
 * and never parses entries that this process has just written.
 */
import { type Entry, lastSeq } from '../../protocol/log/entry.ts';

const COMPACT_AT = 1024;

export class RecentEntries {
  readonly #bytesMax: number;
  #entries: (Entry | undefined)[] = [];
  #sizes: number[] = [];
  /** Index of the oldest entry still kept. */
  #from = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** `bytes` is the size of the entry's record. Entries follow one another without holes. */
  push(entry: Entry, bytes: number): void {
    this.#entries.push(entry);
    this.#sizes.push(bytes);
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax && this.#from < this.#entries.length) {
      this.#bytes -= this.#sizes[this.#from] ?? 0;
      this.#entries[this.#from] = undefined;
      this.#from++;
    }
    if (this.#from < COMPACT_AT || this.#from * 2 < this.#entries.length) return;
    this.#entries = this.#entries.slice(this.#from);
    this.#sizes = this.#sizes.slice(this.#from);
    this.#from = 0;
  }

  /** The entry that holds seq `after + 1`, or undefined when it is not kept here (any more, or yet). */
  after(after: number): Entry | undefined {
    let low = this.#from;
    let high = this.#entries.length - 1;
    const newest = this.#entries[high];
    const oldest = this.#entries[low];
    if (newest === undefined || oldest === undefined || after + 1 < oldest.first || after >= lastSeq(newest)) return undefined;
    if (after + 1 >= newest.first) return newest;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && entry.first <= after + 1) low = middle;
      else high = middle - 1;
    }
    return this.#entries[low];
  }
}
