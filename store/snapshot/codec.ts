/**
 * The format of a snapshot file: newline-delimited JSON.
 *
 *   {"format":"rosterd-snapshot","version":2,"epoch":"…","seq":500}    header
 *   {…}                                                                one line per saved object
 *   {"lines":2,"bytes":210,"crc32":3735928559}                         trailer; the CRC-32 and the bytes are those before it
 *
 * A newline inside a JSON string is escaped, so the byte 0a is always the end of a line. A file is whole if and only if the
 * trailer is its last line and agrees with everything before it. The trailer stays as it is in all versions.
 */
import { crc32 } from 'node:zlib';
import { parseObject } from '../../protocol/base/json.ts';
import type { Position } from '../../protocol/base/position.ts';
import { type OpenFile, readFully } from '../file-system.ts';
import { StoreVersionMismatch } from '../journal/record.ts';
import type { SnapshotLine } from '../snapshot.ts';

const FORMAT = 'rosterd-snapshot';
/** Of the header and of the lines. */
export const SNAPSHOT_VERSION = 2;
const NEWLINE = 0x0a;
const COMMA = 0x2c;
/** Longer than any header or trailer. */
const EDGE_BYTES = 1024;
const CHECK_BYTES = 1024 * 1024;
/** About a millisecond of parsing. */
const PARSE_BYTES = 256 * 1024;

/** The file is not what a finished save leaves. */
export class SnapshotDamaged extends Error {
  readonly file: string;
  readonly reason: string;

  constructor(file: string, reason: string) {
    super(`${file} is damaged: ${reason}`);
    this.name = 'SnapshotDamaged';
    this.file = file;
    this.reason = reason;
  }
}

/** What was learned of a file by reading all of it. */
export interface CheckedFile {
  readonly path: string;
  readonly position: Position;
  /** Lines are between these offsets. */
  readonly from: number;
  readonly to: number;
  readonly lines: number;
}

export function encodeHeader({ epoch, seq }: Position): string {
  return `${JSON.stringify({ format: FORMAT, version: SNAPSHOT_VERSION, epoch, seq })}\n`;
}

export function encodeTrailer(lines: number, bytes: number, crc: number): string {
  return `${JSON.stringify({ lines, bytes, crc32: crc })}\n`;
}

/** Reads the whole file once. Throws SnapshotDamaged, or StoreVersionMismatch. */
export async function checkFile(file: OpenFile, path: string): Promise<CheckedFile> {
  const size = await file.size();
  const edge = Math.max(0, size - EDGE_BYTES);
  const end = await readEdge(file, edge, size - edge);
  if (end.at(-1) !== NEWLINE) throw new SnapshotDamaged(path, 'it does not end with a trailer');
  const trailerAt = end.length < 2 ? 0 : end.lastIndexOf(NEWLINE, end.length - 2) + 1;
  const trailer = parseTrailer(end.toString('utf8', trailerAt));
  const to = edge + trailerAt;
  if (trailer === undefined || trailer.bytes !== to) throw new SnapshotDamaged(path, 'it does not end with its trailer');
  if ((await crcOf(file, to)) !== trailer.crc) throw new SnapshotDamaged(path, 'it does not match its checksum');

  // Only now: a version that a flipped bit has made must not look like a later version.
  const header = await readEdge(file, 0, Math.min(to, EDGE_BYTES));
  const from = header.indexOf(NEWLINE) + 1;
  const position = parseHeader(header.toString('utf8', 0, from), path);
  return { path, position, from, to, lines: trailer.lines };
}

/** The lines of a checked file, parsed in chunks of about a millisecond. Throws SnapshotDamaged when they are no longer those checked. */
export async function* parseLines(file: OpenFile, checked: CheckedFile): AsyncGenerator<readonly SnapshotLine[], void, undefined> {
  let buffer = Buffer.allocUnsafe(PARSE_BYTES);
  let lines = 0;
  for (let at = checked.from; at < checked.to; ) {
    const wanted = Math.min(buffer.length, checked.to - at);
    const count = await readFully(file, buffer, wanted, at);
    const used = buffer.lastIndexOf(NEWLINE, count - 1) + 1;
    if (count < wanted) throw new SnapshotDamaged(checked.path, 'it became shorter while it was read');
    if (used === 0) {
      // A line longer than the buffer: take a bigger one.
      if (wanted === checked.to - at) throw new SnapshotDamaged(checked.path, 'its last line has no end');
      buffer = Buffer.allocUnsafe(buffer.length * 2);
      continue;
    }
    const chunk = parseChunk(buffer, used, checked.path);
    lines += chunk.length;
    at += used;
    yield chunk;
  }
  if (lines !== checked.lines) throw new SnapshotDamaged(checked.path, `it has ${lines} lines, its trailer says ${checked.lines}`);
}

/** One call of the parser for many lines: the ends of the lines become commas. */
function parseChunk(buffer: Buffer, bytes: number, path: string): readonly SnapshotLine[] {
  for (let at = buffer.indexOf(NEWLINE); at !== -1 && at < bytes - 1; at = buffer.indexOf(NEWLINE, at + 1)) buffer[at] = COMMA;
  try {
    const lines: unknown = JSON.parse(`[${buffer.toString('utf8', 0, bytes - 1)}]`);
    if (Array.isArray(lines)) return lines;
  } catch {
    // Told below.
  }
  throw new SnapshotDamaged(path, 'a line is not JSON');
}

async function readEdge(file: OpenFile, from: number, bytes: number): Promise<Buffer> {
  const buffer = Buffer.alloc(bytes);
  return buffer.subarray(0, await readFully(file, buffer, bytes, from));
}

async function crcOf(file: OpenFile, bytes: number): Promise<number> {
  const buffer = Buffer.allocUnsafe(CHECK_BYTES);
  let crc = 0;
  for (let at = 0; at < bytes; ) {
    const count = await readFully(file, buffer, Math.min(buffer.length, bytes - at), at);
    if (count === 0) break;
    crc = crc32(buffer.subarray(0, count), crc);
    at += count;
  }
  return crc;
}

function parseHeader(text: string, path: string): Position {
  const { format, version, epoch, seq } = parseObject(text) ?? {};
  if (format !== FORMAT || typeof version !== 'number') throw new SnapshotDamaged(path, 'it has no header');
  if (version !== SNAPSHOT_VERSION) throw new StoreVersionMismatch(path, version, SNAPSHOT_VERSION);
  if (typeof epoch !== 'string' || typeof seq !== 'number') throw new SnapshotDamaged(path, 'its header names no position');
  return { epoch, seq };
}

function parseTrailer(text: string): { lines: number; bytes: number; crc: number } | undefined {
  const { lines, bytes, crc32: crc } = parseObject(text) ?? {};
  return typeof lines === 'number' && typeof bytes === 'number' && typeof crc === 'number' ? { lines, bytes, crc } : undefined;
}
