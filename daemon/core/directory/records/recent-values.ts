/**
 * The short values that a walk met last, each by its bytes: the custom data of most users hold the same few words. Whoever reads one
 * gets the same value again, and must not change it. Pure.
 */
import { valueIn } from './record-bytes.ts';
import type { Slab } from './slabs.ts';

/** Bytes of a value that is kept. */
const BYTES_MAX = 48;
/** Values that are kept. A power of two. */
const KEPT = 1_024;

export class RecentValues {
  readonly #bytes = new Uint8Array(KEPT * BYTES_MAX);
  readonly #lengths = new Uint8Array(KEPT);
  readonly #values: unknown[] = new Array(KEPT).fill(undefined);

  /** See `valueIn`. */
  valueIn(slab: Slab, at: number, start: number, end: number): unknown {
    const { bytes } = slab;
    const length = end - start;
    // A number is read as soon as it is found.
    if (length > BYTES_MAX || isNumber(bytes[start])) return valueIn(slab, at, start, end);
    let hash = length;
    for (let at = start; at < end; at++) hash = Math.imul(hash, 31) + (bytes[at] ?? 0);
    const slot = (hash ^ (hash >>> 15)) & (KEPT - 1);
    const from = slot * BYTES_MAX;
    if (this.#lengths[slot] === length) {
      let at = 0;
      while (at < length && this.#bytes[from + at] === bytes[start + at]) at++;
      if (at === length) return this.#values[slot];
    }
    const value = valueIn(slab, at, start, end);
    for (let at = 0; at < length; at++) this.#bytes[from + at] = bytes[start + at] ?? 0;
    this.#lengths[slot] = length;
    this.#values[slot] = value;
    return value;
  }
}

/** Whether a value that begins with this byte is a number. */
function isNumber(first = 0): boolean {
  return first === 45 || (first >= 48 && first <= 57);
}
