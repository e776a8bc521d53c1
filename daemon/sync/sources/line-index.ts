/** Finds the line of a byte, as an editor numbers lines: CRLF, LF and CR each end one. */

const LF = 0x0a;
const CR = 0x0d;
/** Line ends that are forgotten at once: fewer would copy the rest every time. */
const FORGOTTEN = 64 * 1024;

export class LineIndex {
  /** Offsets behind the line ends that were not asked for yet, in ascending order. */
  #ends: number[] = [];
  #first = 0;
  #line = 1;
  #bytes = 0;
  #isAfterCr = false;

  /** The line of the last byte added. */
  get last(): number {
    return this.#line + this.#ends.length - this.#first;
  }

  add(chunk: Buffer): void {
    let start = 0;
    if (this.#isAfterCr && chunk[0] === LF) {
      // The line end is one byte longer than it seemed.
      if (this.#ends.length > 0) this.#ends[this.#ends.length - 1] = this.#bytes + 1;
      start = 1;
    }
    let lf = chunk.indexOf(LF, start);
    let cr = chunk.indexOf(CR, start);
    while (lf !== -1 || cr !== -1) {
      const isCr = cr !== -1 && (lf === -1 || cr < lf);
      const end = isCr ? cr : lf;
      start = end + (isCr && chunk[end + 1] === LF ? 2 : 1);
      this.#ends.push(this.#bytes + start);
      if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start);
      if (cr !== -1 && cr < start) cr = chunk.indexOf(CR, start);
    }
    if (chunk.length > 0) this.#isAfterCr = chunk.at(-1) === CR;
    this.#bytes += chunk.length;
  }

  /** The line of the byte at this offset. Ask for ascending offsets: what lies before is forgotten. */
  at(offset: number): number {
    const ends = this.#ends;
    while (this.#first < ends.length && (ends[this.#first] ?? 0) <= offset) {
      this.#first++;
      this.#line++;
    }
    if (this.#first > FORGOTTEN) {
      this.#ends = ends.slice(this.#first);
      this.#first = 0;
    }
    return this.#line;
  }
}
