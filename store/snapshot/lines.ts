/**
 * The common format of snapshots and backups: newline-delimited JSON, with a header line before and a trailer line after the lines
 * of a directory, which are equal in both. A newline inside a JSON string is escaped, so the byte 0a is always the end of a line.
 */
import { createHash, type Hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import type { SnapshotLine } from '../snapshot.ts';

const NEWLINE = 0x0a;
const COMMA = 0x2c;
const CHUNK_BYTES = 256 * 1024;
/** Short, since two backups and a snapshot may share a turn of the event loop with all other work. */
const SLICE_MS = 2;
/** Lines between two checks of the clock, and characters that count as one more. */
const LINES_PER_LOOK = 16;
const CHARS_PER_LINE = 4_096;
/** Far longer than any line of a directory; a longer line is invalid, and must not fill the memory. */
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

  /** SHA-256 in hex, empty when none is computed. Call only once, at the end. */
  sha256(): string {
    return this.#sha?.digest('hex') ?? '';
  }
}

export interface LinesToEncode {
  /** Includes its line end, like the trailer. */
  readonly header: string;
  readonly lines: Iterable<SnapshotLine>;
  /** Makes the trailer for this number of lines, once all of them are in the sums. */
  readonly trailer: (lines: number) => string;
  readonly sums: Sums;
  /** Each chunk reuses the buffer of the last one: it is valid until the next one is requested. */
  readonly reusesBuffer: boolean;
  readonly onLine?: (line: SnapshotLine) => void;
}

/** In chunks of about 256 KiB; each chunk is made on request, in slices of a few milliseconds. */
export async function* encodeLines(toEncode: LinesToEncode): AsyncGenerator<Buffer, void, undefined> {
  const { header, lines, trailer, sums, reusesBuffer, onLine } = toEncode;
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let used = chunk.write(header);
  let count = 0;
  let unlooked = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  for (const line of lines) {
    onLine?.(line);
    const text = `${JSON.stringify(line)}\n`;
    // Three bytes per unit of UTF-16 are always enough, and cheaper to compute than the exact number.
    const enough = text.length * 3;
    if (used + enough > chunk.length) {
      const full = chunk.subarray(0, used);
      sums.add(full);
      yield full;
      if (!reusesBuffer || enough > chunk.length) chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, enough));
      used = 0;
    }
    used += chunk.write(text, used);
    count++;
    unlooked += 1 + text.length / CHARS_PER_LINE;
    if (unlooked < LINES_PER_LOOK) continue;
    unlooked = 0;
    if (performance.now() >= sliceEnd) {
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
  const rest = chunk.subarray(0, used);
  sums.add(rest);
  yield Buffer.concat([rest, Buffer.from(trailer(count))]);
}

/** Takes a file in any pieces, and separates header, lines and trailer as a stream. */
export class LineReader {
  readonly sums: Sums;
  readonly #damaged: (reason: string, offset: number) => Error;
  readonly #noHeader: string;
  #header: string | undefined;
  #bytes = 0;
  /** The bytes of the last complete line, which may be the trailer, and of the rest after it. They are from `#from` to `#to`. */
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  #from = 0;
  #to = 0;

  /** @param noHeader the error text for a file without a first line */
  constructor(sums: Sums, noHeader: string, damaged: (reason: string, offset: number) => Error) {
    this.sums = sums;
    this.#noHeader = noHeader;
    this.#damaged = damaged;
  }

  /** The first line, with its end, as soon as another line was seen after it. */
  get header(): string | undefined {
    return this.#header;
  }

  /** Number of bytes taken. */
  get bytes(): number {
    return this.#bytes;
  }

  /** After the whole file: the last line, with its end if it has one. All bytes before it are in the sums. */
  get trailer(): string {
    return this.#buffer.toString('utf8', this.#from, this.#to);
  }

  /**
   * Returns the lines, between header and trailer, that are now complete; valid until the next call, and the caller may write in them.
   * Throws the error of `damaged` for bytes that cannot be lines.
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

  /** The held bytes and the chunk after them, moved to the beginning of the buffer. */
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

/** Whether the first line ends within `max` bytes, or still may. */
function startsWithin(bytes: Buffer, max: number): boolean {
  return bytes.length <= max || bytes.subarray(0, max).includes(NEWLINE);
}

/** Parses many whole lines with one call of the parser, replacing their ends by commas in place. Undefined when one of them is not JSON. */
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
