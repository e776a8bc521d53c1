/**
 * Cuts a stream of bytes of any length into lines. At most one line is held in memory.
 * CRLF, LF and CR end a line, as in an editor. A byte order mark at the start and a missing last newline are accepted.
 */
import { joined } from '../base/joined.ts';

/** Longest line in bytes, without its end. */
export const SOURCE_LINE_BYTES_MAX = 64 * 1024;

export interface RawLine {
  /** Number of the line, from 1. */
  readonly line: number;
  /** Bytes of the line in the source, including its end. */
  readonly bytes: number;
  /** Without the line end; undefined when it is longer than the limit. Shares memory with the chunk that it came in. */
  readonly content: Buffer | undefined;
}

const LF = 0x0a;
const CR = 0x0d;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

export class LineSplitter {
  readonly #maxBytes: number;
  #line = 0;
  /** Start of a line whose end has not come yet; emptied as soon as the line is too long. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The last chunk ended with a carriage return: the next one shows whether a line feed belongs to it. */
  #isCrOpen = false;

  constructor(maxBytes = SOURCE_LINE_BYTES_MAX) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): RawLine[] {
    if (chunk.length === 0) return [];
    const lines: RawLine[] = [];
    let start = 0;
    if (this.#isCrOpen) {
      start = chunk[0] === LF ? 1 : 0;
      lines.push(this.#take(1 + start));
    }
    let lf = chunk.indexOf(LF, start);
    let cr = chunk.indexOf(CR, start);
    this.#isCrOpen = chunk.at(-1) === CR;
    const last = this.#isCrOpen ? chunk.length - 1 : chunk.length;
    for (;;) {
      const isCr = cr !== -1 && (lf === -1 || cr < lf);
      const end = isCr ? cr : lf;
      if (end === -1 || end >= last) break;
      const endBytes = isCr && chunk[end + 1] === LF ? 2 : 1;
      this.#hold(chunk.subarray(start, end));
      lines.push(this.#take(endBytes));
      start = end + endBytes;
      if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start);
      if (cr !== -1 && cr < start) cr = chunk.indexOf(CR, start);
    }
    this.#hold(chunk.subarray(start, last));
    return lines;
  }

  /** The last line, when it has no end. */
  end(): RawLine[] {
    if (this.#isCrOpen) return [this.#take(1)];
    return this.#heldBytes === 0 ? [] : [this.#take(0)];
  }

  #hold(part: Buffer): void {
    this.#heldBytes += part.length;
    // The byte order mark does not count towards the limit.
    if (this.#heldBytes > this.#maxBytes + BOM.length) this.#held = [];
    else this.#held.push(part);
  }

  #take(endBytes: number): RawLine {
    const bytes = this.#heldBytes;
    let content = joined(this.#held);
    const isWhole = content.length === bytes;
    this.#held = [];
    this.#heldBytes = 0;
    this.#line++;
    if (this.#line === 1 && content.subarray(0, BOM.length).equals(BOM)) content = content.subarray(BOM.length);
    return { line: this.#line, bytes: bytes + endBytes, content: isWhole && content.length <= this.#maxBytes ? content : undefined };
  }
}

/** Yields the lines of each chunk together: a step per line would cost more than the line itself. */
export async function* readLines(source: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<readonly RawLine[]> {
  const splitter = new LineSplitter(maxBytes);
  for await (const chunk of source) yield splitter.push(chunk);
  yield splitter.end();
}
