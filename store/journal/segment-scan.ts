/**
 * Reads a segment from its first byte and says how far it is good. It decides nothing: what a bad record means
 * (torn tail or damage) is the business of recovery.ts.
 */
import { basename } from 'node:path';
import { crc32 } from 'node:zlib';
import { LIMITS } from '../../protocol/base/limits.ts';
import { ENTRY_VERSION } from '../../protocol/log/entry.ts';
import { type OpenFile, readFully } from '../file-system.ts';
import { LogDamaged } from '../log.ts';
import {
  KIND_ENTRY,
  KIND_SEGMENT,
  MAGIC,
  RECORD_HEADER_BYTES,
  type RecordHeader,
  readRecordHeader,
  SEGMENT_VERSION,
  StoreVersionMismatch,
  segmentSeed,
} from './record.ts';
import { parseHistory, Segment, segmentFirst } from './segment.ts';

const WINDOW_BYTES = 1024 * 1024;

export interface Bad {
  readonly offset: number;
  readonly reason: string;
}

export interface Scan {
  /** The records up to the first bad one. */
  readonly segment: Segment;
  /** Size of the file, bytes. */
  readonly size: number;
  readonly bad: Bad | undefined;
}

/** A view of the file that moves forward, so that scanning costs one buffer whatever the size of the segment. */
class Window {
  readonly #file: OpenFile;
  #buffer = Buffer.allocUnsafe(WINDOW_BYTES);
  #start = 0;
  #filled = 0;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** At least `bytes` bytes from `offset` on, fewer only at the end of the file. Valid until the next call. */
  async at(offset: number, bytes: number): Promise<Buffer> {
    if (offset < this.#start || offset + bytes > this.#start + this.#filled) {
      if (bytes > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(bytes);
      this.#start = offset;
      this.#filled = await readFully(this.#file, this.#buffer, this.#buffer.length, offset);
    }
    return this.#buffer.subarray(offset - this.#start, this.#filled);
  }
}

async function readHeaderRecord(window: Window, path: string, size: number, blockBytes: number): Promise<Segment> {
  const first = segmentFirst(basename(path));
  if (first === undefined) throw new Error(`${path} is not a segment`);
  // A segment gets its name only when its header is durable, so a bad header is never a torn one.
  const header = readRecordHeader(await window.at(0, RECORD_HEADER_BYTES), 0, segmentSeed(first));
  if (header === undefined || header.kind !== KIND_SEGMENT) throw new LogDamaged(path, 0, 'the segment header is not whole');
  if (header.version > SEGMENT_VERSION) throw new StoreVersionMismatch(path, header.version, SEGMENT_VERSION);
  const end = RECORD_HEADER_BYTES + header.payloadBytes;
  if (end > size) throw new LogDamaged(path, 0, 'the segment header is cut off');
  const payload = (await window.at(RECORD_HEADER_BYTES, header.payloadBytes)).subarray(0, header.payloadBytes);
  const history = crc32(payload) === header.payloadCrc ? parseHistory(payload.toString()) : undefined;
  if (history === undefined || header.first !== first) throw new LogDamaged(path, 0, 'the segment header does not match its checksum');
  return new Segment(path, first, history, end, blockBytes);
}

/** Why the record cannot be the next one of the segment, or undefined when its header is good. */
function headerFault(header: RecordHeader | undefined, segment: Segment, size: number): string | undefined {
  if (header === undefined) return 'no whole record header';
  if (header.kind !== KIND_ENTRY || header.facts === 0) return 'a record of an unknown kind';
  if (header.first !== segment.last + 1) return `the record says seq ${header.first}, but ${segment.last + 1} comes next`;
  if (header.synced > segment.end) return 'the record says that bytes after it were durable before it';
  if (header.payloadBytes > LIMITS.entryBytes) return 'the record is longer than an entry may be';
  if (segment.end + RECORD_HEADER_BYTES + header.payloadBytes > size) return 'the record is cut off';
  return undefined;
}

/** Throws LogDamaged for a bad segment header, StoreVersionMismatch for another format than this version's. */
export async function scanSegment(file: OpenFile, path: string, blockBytes: number): Promise<Scan> {
  const size = await file.size();
  const window = new Window(file);
  const segment = await readHeaderRecord(window, path, size, blockBytes);
  while (segment.end < size) {
    const header = readRecordHeader(await window.at(segment.end, RECORD_HEADER_BYTES), 0, segment.seed);
    const fault = headerFault(header, segment, size);
    if (header === undefined || fault !== undefined) return { segment, size, bad: { offset: segment.end, reason: fault ?? 'no record' } };
    if (header.version !== ENTRY_VERSION) throw new StoreVersionMismatch(path, header.version, ENTRY_VERSION);
    const bytes = RECORD_HEADER_BYTES + header.payloadBytes;
    const record = await window.at(segment.end, bytes);
    if (crc32(record.subarray(RECORD_HEADER_BYTES, bytes)) !== header.payloadCrc) {
      return { segment, size, bad: { offset: segment.end, reason: 'the payload does not match its checksum' } };
    }
    segment.add(bytes, header.facts, header.time);
  }
  return { segment, size, bad: undefined };
}

/**
 * Looks behind a bad record for a proof that its bytes were once durable: the offset of a later record that says so, or
 * undefined. Looks at every byte, because a damaged length would otherwise hide what follows. A header suffices as proof.
 */
export async function findProofOfSync(file: OpenFile, scan: Scan, bad: Bad): Promise<number | undefined> {
  const window = new Window(file);
  let at = bad.offset + 1;
  while (at + RECORD_HEADER_BYTES <= scan.size) {
    const view = await window.at(at, RECORD_HEADER_BYTES);
    const found = view.indexOf(MAGIC);
    if (found === -1) {
      at += Math.max(1, view.length - MAGIC.length + 1);
      continue;
    }
    if (found + RECORD_HEADER_BYTES > view.length && at + view.length < scan.size) {
      at += found;
      continue;
    }
    const header = readRecordHeader(view, found, scan.segment.seed);
    if (header !== undefined && header.synced > bad.offset && header.synced <= at + found) return at + found;
    at += found + 1;
  }
  return undefined;
}
