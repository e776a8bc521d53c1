/**
 * Cuts a stream of bytes of any length into lines. At most one line is held in memory.
 * CRLF and LF end a line. A byte order mark at the start and a missing last newline are accepted.
 */

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

  constructor(maxBytes = SOURCE_LINE_BYTES_MAX) {
    this.#maxBytes = maxBytes;
  }

  push(chunk: Buffer): RawLine[] {
    const lines: RawLine[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LF, start); end !== -1; end = chunk.indexOf(LF, start)) {
      this.#hold(chunk.subarray(start, end));
      lines.push(this.#take(1));
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start));
    return lines;
  }

  /** The last line, when it has no end. */
  end(): RawLine[] {
    return this.#heldBytes === 0 ? [] : [this.#take(0)];
  }

  #hold(part: Buffer): void {
    this.#heldBytes += part.length;
    // The carriage return and the byte order mark do not count towards the limit.
    if (this.#heldBytes > this.#maxBytes + 1 + BOM.length) this.#held = [];
    else this.#held.push(part);
  }

  #take(endBytes: number): RawLine {
    const bytes = this.#heldBytes;
    const [first] = this.#held;
    let content = this.#held.length === 1 && first !== undefined ? first : Buffer.concat(this.#held);
    const isWhole = content.length === bytes;
    this.#held = [];
    this.#heldBytes = 0;
    this.#line++;
    if (this.#line === 1 && content.subarray(0, BOM.length).equals(BOM)) content = content.subarray(BOM.length);
    if (content.at(-1) === CR) content = content.subarray(0, -1);
    return { line: this.#line, bytes: bytes + endBytes, content: isWhole && content.length <= this.#maxBytes ? content : undefined };
  }
}

/** Yields the lines of each chunk together: a step per line would cost more than the line itself. */
export async function* readLines(source: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<readonly RawLine[]> {
  const splitter = new LineSplitter(maxBytes);
  for await (const chunk of source) yield splitter.push(chunk);
  yield splitter.end();
}
