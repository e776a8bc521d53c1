/**
 * The common format of snapshots and backups: newline-delimited JSON, with a header line before and a trailer line after the lines
 * of a directory, which are equal in both. A newline inside a JSON string is escaped, so the byte 0a is always the end of a line.
 *
 * A file whose header says so may also hold blocks: a line `[5,{…}]`, so many bytes of any value, and 0a. Every other line is an object.
 */
import { createHash, type Hash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { isObject } from '../../protocol/base/json.ts';
import type { Rest, SnapshotLine } from '../snapshot.ts';

const NEWLINE = 0x0a;
const COMMA = 0x2c;
const LIST = 0x5b;
const CHUNK_BYTES = 256 * 1024;
/** Short, since two backups and a snapshot may share a turn of the event loop with all other work. */
const SLICE_MS = 2;
/** Lines between two checks of the clock, and characters that count as one more. */
const LINES_PER_LOOK = 16;
const CHARS_PER_LINE = 4_096;
/** Far longer than any line of a directory, with its block; a longer one is invalid, and must not fill the memory. */
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
  /** Whether the bytes of lines are blocks. Default: lines are JSON, and nothing else. */
  readonly hasBlocks?: boolean | undefined;
  readonly rest?: Rest | undefined;
}

/** In chunks of about 256 KiB; each chunk is made on request, in slices of a few milliseconds. */
export async function* encodeLines(toEncode: LinesToEncode): AsyncGenerator<Buffer, void, undefined> {
  const { header, lines, trailer, sums, reusesBuffer, onLine, hasBlocks = false, rest = nextTurn } = toEncode;
  let chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let used = chunk.write(header);
  let count = 0;
  let unlooked = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  for (const line of lines) {
    onLine?.(line);
    const block = hasBlocks ? blockOf(line) : undefined;
    const text = `${JSON.stringify(block === undefined ? line : [block.length, { ...line, bytes: undefined }])}\n`;
    const blockBytes = block === undefined ? 0 : block.length + 1;
    // Three bytes per unit of UTF-16 are always enough, and cheaper to compute than the exact number.
    const enough = text.length * 3 + blockBytes;
    if (used + enough > chunk.length) {
      const full = chunk.subarray(0, used);
      sums.add(full);
      yield full;
      if (!reusesBuffer || enough > chunk.length) chunk = Buffer.allocUnsafe(Math.max(CHUNK_BYTES, enough));
      used = 0;
    }
    used += chunk.write(text, used);
    if (block !== undefined) {
      chunk.set(block, used);
      used += blockBytes;
      chunk[used - 1] = NEWLINE;
    }
    count++;
    unlooked += 1 + (text.length + blockBytes) / CHARS_PER_LINE;
    if (unlooked < LINES_PER_LOOK) continue;
    unlooked = 0;
    if (performance.now() >= sliceEnd) {
      await rest();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
  const last = chunk.subarray(0, used);
  sums.add(last);
  yield Buffer.concat([last, Buffer.from(trailer(count))]);
}

/** The bytes that a line has beside its JSON. */
function blockOf(line: SnapshotLine): Uint8Array | undefined {
  return 'bytes' in line && line.bytes instanceof Uint8Array ? line.bytes : undefined;
}

/** Whole lines of a file; where there are `bytes`, the last line is that of a block, and they are the block. */
export interface Piece {
  readonly lines: Buffer;
  readonly bytes: Buffer | undefined;
}

export interface LineReaderOptions {
  readonly sums: Sums;
  /** The error text for a file without a first line. */
  readonly noHeader: string;
  readonly damaged: (reason: string, offset: number) => Error;
  /** Whether a file with this header may hold blocks. Default: none does. */
  readonly hasBlocks?: (header: string) => boolean;
}

/** Takes a file in any pieces, and separates header, lines, blocks and trailer as a stream. */
export class LineReader {
  readonly sums: Sums;
  readonly #options: LineReaderOptions;
  #header: string | undefined;
  #hasBlocks = false;
  #bytes = 0;
  /** The bytes of the last complete line, which may be the trailer, and of the rest after it. They are from `#from` to `#to`. */
  #buffer = Buffer.allocUnsafeSlow(2 * CHUNK_BYTES);
  #from = 0;
  #to = 0;

  constructor(options: LineReaderOptions) {
    this.sums = options.sums;
    this.#options = options;
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
   * Takes the next bytes of the file. Returns the lines and blocks, between header and trailer, that are now complete; valid until the next
   * call, and the caller may write in them. Throws the error of `damaged` for bytes that cannot be lines.
   */
  push(chunk: Buffer): readonly Piece[] {
    this.#hold(chunk);
    this.#bytes += chunk.length;
    const pieces = this.#header !== undefined || this.#tookHeader() ? this.#complete() : [];
    if (this.#to - this.#from > LINE_BYTES_MAX) throw this.#options.damaged('a line is too long', this.sums.bytes);
    return pieces;
  }

  #hold(chunk: Buffer): void {
    const held = this.#to - this.#from;
    const room = held + chunk.length;
    const to = room <= this.#buffer.length ? this.#buffer : Buffer.allocUnsafeSlow(Math.max(room, this.#buffer.length * 2));
    this.#buffer.copy(to, 0, this.#from, this.#to);
    chunk.copy(to, held);
    this.#buffer = to;
    this.#from = 0;
    this.#to = room;
  }

  #tookHeader(): boolean {
    const all = this.#buffer.subarray(0, this.#to);
    const end = all.indexOf(NEWLINE) + 1;
    if ((end === 0 ? all.length : end) > HEADER_BYTES_MAX) throw this.#options.damaged(this.#options.noHeader, 0);
    // Without another line, it may be the trailer.
    if (end === 0 || !all.includes(NEWLINE, end)) return false;
    this.#header = this.#taken(end).toString();
    this.#hasBlocks = this.#options.hasBlocks?.(this.#header) === true;
    return true;
  }

  /** What is complete, but for the last line. */
  #complete(): readonly Piece[] {
    if (this.#hasBlocks) return this.#withBlocks();
    const all = this.#buffer.subarray(this.#from, this.#to);
    const end = all.lastIndexOf(NEWLINE);
    const lastLine = end < 1 ? 0 : all.lastIndexOf(NEWLINE, end - 1) + 1;
    return lastLine === 0 ? [] : [{ lines: this.#taken(this.#from + lastLine), bytes: undefined }];
  }

  #withBlocks(): readonly Piece[] {
    const pieces: Piece[] = [];
    const all = this.#buffer.subarray(0, this.#to);
    // Of what is in no piece yet; of the last line, which may be the trailer; of what comes after it.
    let [start, last, at] = [this.#from, this.#from, this.#from];
    for (let end = all.indexOf(NEWLINE, at) + 1; end > 0; end = all.indexOf(NEWLINE, at) + 1) {
      if (all[at] !== LIST) {
        last = at;
        at = end;
        continue;
      }
      const blockEnd = end + this.#blockBytes(at, end);
      if (blockEnd >= all.length) break;
      if (all[blockEnd] !== NEWLINE) throw this.#damagedAt(at, 'a block does not end where its line says');
      pieces.push({ lines: all.subarray(start, end), bytes: all.subarray(end, blockEnd) });
      at = blockEnd + 1;
      start = at;
      last = at;
    }
    if (last > start) pieces.push({ lines: all.subarray(start, last), bytes: undefined });
    this.#taken(last);
    return pieces;
  }

  /** The number of bytes that the line of a block says. */
  #blockBytes(at: number, end: number): number {
    const [, digits = ''] = /^\[(\d{1,9}),/.exec(this.#buffer.toString('latin1', at, Math.min(at + 11, end))) ?? [];
    if (digits === '') throw this.#damagedAt(at, 'a line is no object, and says no length of a block');
    if (Number(digits) > LINE_BYTES_MAX) throw this.#damagedAt(at, 'a block is too long');
    return Number(digits);
  }

  /** The bytes that are held, up to there, which are summed and held no longer. */
  #taken(to: number): Buffer {
    const taken = this.#buffer.subarray(this.#from, to);
    this.sums.add(taken);
    this.#from = to;
    return taken;
  }

  #damagedAt(at: number, reason: string): Error {
    return this.#options.damaged(reason, this.sums.bytes + at - this.#from);
  }
}

/** The lines of a piece, the last one with the bytes of its block. Undefined when one of them is not JSON. */
export function parsePiece({ lines, bytes }: Piece): readonly SnapshotLine[] | undefined {
  const parsed = parseLines(lines);
  if (parsed === undefined || bytes === undefined) return parsed;
  const last: unknown = parsed.at(-1);
  if (!Array.isArray(last) || last.length !== 2 || !isObject(last[1])) return undefined;
  return [...parsed.slice(0, -1), { ...last[1], bytes }];
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
