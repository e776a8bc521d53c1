/** The slots of the segment being written: the offset of the last record of each. Pure. */
import type { SegmentHeader } from './format.ts';
import { hashOf, idInLine } from './record.ts';

const LINE_END = 0x0a;

export class Slots {
  readonly #salt: number;
  readonly #mask: number;
  /** The offset of the last record of each slot. The two tables below hold the hash of its id and its skip link. */
  readonly heads: Uint32Array;
  readonly #hashes: Uint32Array;
  readonly #skips: Uint32Array;

  constructor({ salt, slots }: SegmentHeader) {
    this.#salt = salt;
    this.#mask = slots - 1;
    this.heads = new Uint32Array(slots);
    this.#hashes = new Uint32Array(slots);
    this.#skips = new Uint32Array(slots);
  }

  /** Puts a record at offset `at` into the slot of its id. Returns its link (record.ts). */
  put(id: string, at: number): { readonly prev: number; readonly skip: number } {
    const hash = hashOf(id, this.#salt);
    const slot = hash & this.#mask;
    const prev = this.heads[slot] ?? 0;
    const skip = (this.#hashes[slot] === hash ? this.#skips[slot] : prev) ?? 0;
    this.heads[slot] = at;
    this.#hashes[slot] = hash;
    this.#skips[slot] = skip;
    return { prev, skip };
  }

  /** Puts the records of a block that was read back, which begin at offset `at`. */
  putAll(records: Buffer, at: number): void {
    let start = 0;
    for (let end = records.indexOf(LINE_END); end >= 0; end = records.indexOf(LINE_END, start)) {
      this.put(idInLine(records, start), at + start);
      start = end + 1;
    }
  }
}
