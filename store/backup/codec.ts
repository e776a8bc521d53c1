/**
 * The format of a backup: newline-delimited JSON with the lines of a snapshot, gzip-compressed or not.
 *
 *   {"format":"rosterd-backup","version":1,"snapshot_version":2,"epoch":"…","seq":500,"created_at":"2026-11-21T12:00:00.000Z"}
 *   {…}                                                                              one line per object, as in a snapshot
 *   {"lines":…,"bytes":…,"crc32":…,"sha256":"…","users":…,"deleted":…,"documents":…,"content":"…","revisions":"…"}
 *
 * `lines` and everything after `documents` is about the lines between, `bytes`, `crc32` and `sha256` are about all bytes before
 * the trailer. A backup is whole if and only if its last line is, byte for byte, the trailer that its content leads to. The
 * first four keys of the trailer stay as they are in all versions.
 */
import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { parseObject } from '../../protocol/base/json.ts';
import type { Position } from '../../protocol/base/position.ts';
import { kindOfLine } from '../../protocol/log/directory-line.ts';
import { StoreVersionMismatch } from '../journal/record.ts';
import { SNAPSHOT_VERSION } from '../snapshot/codec.ts';
import type { SnapshotSource } from '../snapshot.ts';
import { type DirectoryFacts, FactCounter, type PlacedFacts } from './facts.ts';

const FORMAT = 'rosterd-backup';
const BACKUP_VERSION = 1;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
const CHUNK_BYTES = 256 * 1024;
/** Short, since two backups may share a turn with everything else. */
const SLICE_MS = 2;
/** The clock is looked at every so many lines. */
const LINES_PER_LOOK = 16;
/** Far longer than any line of a directory; what is longer is no backup, and must not fill the memory. */
const LINE_BYTES_MAX = 64 * 1024 * 1024;
/** Longer than any header. */
const HEADER_BYTES_MAX = 4 * 1024;
const NO_HEADER = 'it does not begin with the header of a backup';

/** What is in a backup, and what it is called in one line of text. */
export interface BackupSummary extends PlacedFacts {
  /** RFC 3339. */
  readonly createdAt: string;
  readonly lines: number;
  /** All of it, uncompressed. */
  readonly bytes: number;
  /** Of everything before the trailer. */
  readonly sha256: string;
}

/** The file is not what a finished backup is. `offset` is in bytes, uncompressed, where it is known. */
export class BackupDamaged extends Error {
  readonly file: string;
  readonly offset: number | undefined;
  readonly reason: string;

  constructor(file: string, reason: string, offset?: number) {
    super(`${file} is not a whole backup: ${reason}${offset === undefined ? '' : ` (at byte ${offset})`}`);
    this.name = 'BackupDamaged';
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

/** Checksums of everything before the trailer. */
class Sums {
  readonly #sha = createHash('sha256');
  bytes = 0;
  crc = 0;

  add(chunk: Buffer): void {
    this.#sha.update(chunk);
    this.crc = crc32(chunk, this.crc);
    this.bytes += chunk.length;
  }

  /** Only once, at the end. */
  finish(): { readonly bytes: number; readonly crc32: number; readonly sha256: string } {
    return { bytes: this.bytes, crc32: this.crc, sha256: this.#sha.digest('hex') };
  }
}

function encodeTrailer(lines: number, sums: ReturnType<Sums['finish']>, facts: DirectoryFacts): string {
  const { users, deleted, documents, content, revisions } = facts;
  return `${JSON.stringify({ lines, ...sums, users, deleted, documents, content, revisions })}\n`;
}

/**
 * The backup of a directory, in chunks of about 256 KiB; a chunk is made when it is asked for, in slices of a few milliseconds.
 * */
export async function* encodeBackup(source: SnapshotSource, createdAt: string): AsyncGenerator<Buffer, void, undefined> {
  const { epoch, seq } = source.position;
  const header = { format: FORMAT, version: BACKUP_VERSION, snapshot_version: SNAPSHOT_VERSION, epoch, seq, created_at: createdAt };
  const facts = new FactCounter();
  const sums = new Sums();
  let text = `${JSON.stringify(header)}\n`;
  let lines = 0;
  let sliceEnd = performance.now() + SLICE_MS;
  for (const line of source.lines()) {
    const kind = kindOfLine(line);
    if (kind === undefined) throw new Error('the directory has a line that no backup can hold');
    facts.add(kind);
    text += `${JSON.stringify(line)}\n`;
    lines++;
    if (text.length >= CHUNK_BYTES) {
      const chunk = Buffer.from(text);
      text = '';
      sums.add(chunk);
      yield chunk;
    }
    if (lines % LINES_PER_LOOK === 0 && performance.now() >= sliceEnd) {
      await nextTurn();
      sliceEnd = performance.now() + SLICE_MS;
    }
  }
  const rest = Buffer.from(text);
  sums.add(rest);
  yield Buffer.concat([rest, Buffer.from(encodeTrailer(lines, sums.finish(), facts.facts))]);
}

type Header = Position & { readonly createdAt: string };

/**
 * Checks a backup while it goes by. `push` takes its bytes, uncompressed, in any pieces; `end` says what it was, or what is wrong
 * with it. Nothing that `push` gave back may be used before `end` has returned.
 */
export class BackupReader {
  readonly #file: string;
  readonly #sums = new Sums();
  readonly #facts = new FactCounter();
  #header: Header | undefined;
  /** Of another version: only its checksum can be verified. */
  #foreign: StoreVersionMismatch | undefined;
  #lines = 0;
  #bytes = 0;
  /** From the beginning of the last line that is known to be whole. It may be the trailer. */
  #held: Buffer = Buffer.alloc(0);

  /** @param file what errors call it */
  constructor(file: string) {
    this.#file = file;
  }

  /** Returns lines, between header and trailer, that are complete now. Throws BackupDamaged. */
  push(chunk: Buffer): Buffer {
    this.#bytes += chunk.length;
    const all = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const end = all.lastIndexOf(NEWLINE);
    const lastLine = end < 1 ? 0 : all.lastIndexOf(NEWLINE, end - 1) + 1;
    if (this.#sums.bytes === 0 && !startsWithin(all, HEADER_BYTES_MAX)) throw this.#damaged(NO_HEADER, 0);
    if (all.length - lastLine > LINE_BYTES_MAX) throw this.#damaged('a line is too long', this.#sums.bytes + lastLine);
    // A copy: whoever handed the chunk over may fill it again.
    this.#held = Buffer.from(all.subarray(lastLine));
    return this.#take(all.subarray(0, lastLine));
  }

  /** Throws BackupDamaged; StoreVersionMismatch for a whole backup of another version. */
  end(): BackupSummary {
    const trailer = this.#held.toString('utf8');
    const found = parseObject(trailer);
    const { lines, bytes, crc32: crc, sha256 } = found ?? {};
    const header = this.#header;
    const sums = this.#sums.finish();
    if (header === undefined && this.#foreign === undefined) throw this.#damaged(NO_HEADER, 0);
    if (typeof lines !== 'number' || typeof bytes !== 'number' || typeof crc !== 'number' || typeof sha256 !== 'string') {
      throw this.#damaged('it does not end with a trailer, so its end is missing or damaged', sums.bytes);
    }
    if (bytes !== sums.bytes) throw this.#damaged(`its trailer is about ${bytes} bytes, there are ${sums.bytes} before it`);
    if (crc !== sums.crc32 || sha256 !== sums.sha256) throw this.#damaged('it does not match its checksums');
    if (header === undefined) throw this.#foreign ?? this.#damaged('it has no header', 0);
    const facts = this.#facts.facts;
    if (trailer !== encodeTrailer(this.#lines, sums, facts)) throw this.#damaged('its trailer does not say what it holds', sums.bytes);
    const { epoch, seq, createdAt } = header;
    return { ...facts, position: { epoch, seq }, createdAt, lines: this.#lines, bytes: this.#bytes, sha256: sums.sha256 };
  }

  #take(complete: Buffer): Buffer {
    const start = this.#sums.bytes;
    this.#sums.add(complete);
    let from = 0;
    if (this.#header === undefined && this.#foreign === undefined && complete.length > 0) {
      from = complete.indexOf(NEWLINE) + 1;
      this.#readHeader(complete.toString('utf8', 0, from));
    }
    const body = complete.subarray(from);
    if (this.#foreign === undefined && body.length > 0) this.#readLines(body, start + from);
    return body;
  }

  #readHeader(text: string): void {
    const { format, version, snapshot_version: snapshot, epoch, seq, created_at: createdAt } = parseObject(text) ?? {};
    if (format !== FORMAT || typeof version !== 'number') throw this.#damaged(NO_HEADER, 0);
    // Told at the end: a version that a flipped bit has made is damage, not another version.
    if (version !== BACKUP_VERSION) this.#foreign = new StoreVersionMismatch(this.#file, version, BACKUP_VERSION);
    else if (snapshot !== SNAPSHOT_VERSION) this.#foreign = new StoreVersionMismatch(this.#file, Number(snapshot), SNAPSHOT_VERSION);
    else if (typeof epoch !== 'string' || typeof seq !== 'number' || !Number.isSafeInteger(seq) || typeof createdAt !== 'string') {
      throw this.#damaged('its header names no position', 0);
    } else this.#header = { epoch, seq, createdAt };
  }

  /** Many lines with one call of the parser; only where that fails, one by one, to find the place. */
  #readLines(body: Buffer, start: number): void {
    const list = Buffer.from(body);
    let count = 1;
    for (let at = list.indexOf(NEWLINE); at !== -1 && at < list.length - 1; at = list.indexOf(NEWLINE, at + 1)) {
      list[at] = COMMA;
      count++;
    }
    const lines = parseList(`[${list.toString('utf8', 0, list.length - 1)}]`);
    if (lines?.length !== count) throw this.#firstBadLine(body, start);
    for (const line of lines) {
      const kind = kindOfLine(line);
      if (kind === undefined) throw this.#firstBadLine(body, start);
      this.#facts.add(kind);
    }
    this.#lines += count;
  }

  #firstBadLine(body: Buffer, start: number): BackupDamaged {
    let at = 0;
    while (at < body.length) {
      const end = body.indexOf(NEWLINE, at);
      if (kindOfLine(parseObject(body.toString('utf8', at, end))) === undefined) break;
      at = end + 1;
    }
    return this.#damaged('a line is not one of a directory', start + at);
  }

  #damaged(reason: string, offset?: number): BackupDamaged {
    return new BackupDamaged(this.#file, reason, offset);
  }
}

/** Whether the first line ends within so many bytes, or may still do. */
function startsWithin(bytes: Buffer, max: number): boolean {
  return bytes.length <= max || bytes.subarray(0, max).includes(NEWLINE);
}

function parseList(text: string): readonly unknown[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : undefined;
  } catch {
    return undefined;
  }
}
