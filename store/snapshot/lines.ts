/**
 * What snapshots and backups have in common: newline-delimited JSON, with a header line before and a trailer line behind the lines
 * of a directory, which are the same in both. A newline inside a JSON string is escaped, so the byte 0a is always the end of a line.
 */
import { createHash, type Hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { SnapshotLine } from '../snapshot.ts';

const NEWLINE = 0x0a;
const COMMA = 0x2c;
const CHUNK_BYTES = 256 * 1024;
/** Short, since two backups and a snapshot may share a turn with everything else. */
const SLICE_MS = 2;
/** The clock is looked at every so many lines. */
const LINES_PER_LOOK = 16;
/** Far longer than any line of a directory; what is longer is none, and must not fill the memory. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;
/** Longer than any header. */
const HEADER_BYTES_MAX = 4 * 1024;

/** Checksums of everything before the trailer. */
export class Sums {
  readonly #sha: Hash | undefined;
  bytes = 0;
  crc = 0;

  constructor({ hasSha }: { readonly hasSha: boolean }) {
    this.#sha = hasSha ? createHash('sha256') : undefined;
  }

  add(chunk: Uint8Array): void {
    this.#sha?.update(chunk);
    this.crc = crc32(chunk, this.crc);
    this.bytes += chunk.length;
  }

  /** SHA-256 in hex, empty where none is kept. Only once, at the end. */
  sha256(): string {
    return this.#sha?.digest('hex') ?? '';
  }
}

export interface LinesToEncode {
  /** With its line end, as the trailer. */
  readonly header: string;
  readonly lines: Iterable<SnapshotLine>;
  /** Of how many lines, once all of them are in the sums. */
  readonly trailer: (lines: number) => string;
  readonly sums: Sums;
  /** Each chunk is made where the last one was: it is valid until the next one is asked for. */
  readonly reusesBuffer: boolean;
  readonly onLine?: (line: SnapshotLine) => void;
}

/** In chunks of about 256 KiB; a chunk is made when it is asked for, in slices of a few milliseconds. */
export async function* encodeLines(toEncode: LinesToEncode): AsyncGenerator<Buffer, void, undefined> {
  const { header, lines, trailer, sums, reusesBuffer, onLine } = toEncode;
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let used = chunk.write(header);
  let count = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  for (const line of lines) {
    onLine?.(line);
    const text = `${JSON.stringify(line)}\n`;
    // Three bytes per unit of UTF-16 are always enough, and cheaper to know than the exact number.
    const enough = text.length * 3;
    if (used + enough > chunk.length) {
      const full = chunk.subarray(0, used);
      sums.add(full);
      yield full;
      if (!reusesBuffer || enough > chunk.length) chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, enough));
      used = 0;
    }
    used += chunk.write(text, used);
    if (++count % LINES_PER_LOOK === 0 && performance.now() >= sliceEnd) {
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
  const rest = chunk.subarray(0, used);
  sums.add(rest);
  yield Buffer.concat([rest, Buffer.from(trailer(count))]);
}

/** Takes a file in any pieces, and tells header, lines and trailer apart while it goes by. */
export class LineReader {
  readonly sums: Sums;
  readonly #damaged: (reason: string, offset: number) => Error;
  readonly #noHeader: string;
  #header: string | undefined;
  #bytes = 0;
  /** Bytes from the beginning of the last line that is known to be whole on, which may be the trailer. They are from `#from` to `#to`. */
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #from = 0;
  #to = 0;

  /** @param noHeader what is wrong with a file that has no first line */
  constructor(sums: Sums, noHeader: string, damaged: (reason: string, offset: number) => Error) {
    this.sums = sums;
    this.#noHeader = noHeader;
    this.#damaged = damaged;
  }

  /** The first line, with its end, as soon as it and another one were seen. */
  get header(): string | undefined {
    return this.#header;
  }

  /** All that was taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Once everything was taken: the last line, with whatever end it has. All before it is in the sums. */
  get trailer(): string {
    return this.#buffer.toString('utf8', this.#from, this.#to);
  }

  /**
   * Returns lines, between header and trailer, that are complete now; valid until the next call, and the caller's to write in.
   * Throws what `damaged` makes when they can be none.
   */
  push(chunk: Buffer): Buffer {
    this.#bytes += chunk.length;
    const all = this.#joined(chunk);
    const end = all.lastIndexOf(NEWLINE);
    const lastLine = end < 1 ? 0 : all.lastIndexOf(NEWLINE, end - 1) + 1;
    if (this.sums.bytes === 0 && !startsWithin(all, HEADER_BYTES_MAX)) throw this.#damaged(this.#noHeader, 0);
    if (all.length - lastLine > LINE_BYTES_MAX) throw this.#damaged('a line is too long', this.sums.bytes + lastLine);
    this.#from = lastLine;
    const complete = all.subarray(0, lastLine);
    this.sums.add(complete);
    if (this.#header !== undefined || complete.length === 0) return complete;
    const from = complete.indexOf(NEWLINE) + 1;
    this.#header = complete.toString('utf8', 0, from);
    return complete.subarray(from);
  }

  /** What is held and the chunk behind it, from the beginning of the buffer on. */
  #joined(chunk: Buffer): Buffer {
    const held = this.#to - this.#from;
    const length = held + chunk.length;
    const to = length <= this.#buffer.length ? this.#buffer : Buffer.allocUnsafe(Math.max(length, this.#buffer.length * 2));
    this.#buffer.copy(to, 0, this.#from, this.#to);
    chunk.copy(to, held);
    this.#buffer = to;
    this.#from = 0;
    this.#to = length;
    return to.subarray(0, length);
  }
}

/** Whether the first line ends within so many bytes, or may still do. */
function startsWithin(bytes: Buffer, max: number): boolean {
  return bytes.length <= max || bytes.subarray(0, max).includes(NEWLINE);
}

/** Many whole lines with one call of the parser, for which their ends become commas, in place. Undefined when one of them is not JSON. */
export function parseLines(list: Buffer): readonly SnapshotLine[] | undefined {
  let count = 1;
  for (let at = list.indexOf(NEWLINE); at !== -1 && at < list.length - 1; at = list.indexOf(NEWLINE, at + 1)) {
    list[at] = COMMA;
    count++;
  }
  try {
    const parsed: unknown = JSON.parse(`[${list.toString('utf8', 0, list.length - 1)}]`);
    return Array.isArray(parsed) && parsed.length === count ? parsed : undefined;
  } catch {
    return undefined;
  }
}
