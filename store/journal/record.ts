/**
 * The record: the unit in which a segment is written, checked and read. All integers are little-endian.
 *
 *   byte  bytes
 *      0      4  magic: ff 52 53 54. UTF-8 text never contains the byte ff, so no payload can look like a record.
 *      4      1  kind: 1 segment header, 2 entry
 *      5      1  version: SEGMENT_VERSION for a segment header, ENTRY_VERSION for an entry
 *      6      2  zero
 *      8      4  length of the payload
 *     12      4  number of facts (0 for a segment header)
 *     16      8  seq of the first fact
 *     24      8  synced: everything before this offset of the segment was durable when the record was written
 *     32      8  time of the entry for its age, microseconds: never ahead of the wall clock at which it was written
 *     40      4  CRC-32 of the payload
 *     44      4  CRC-32 of bytes 0–43, continued from the CRC-32 of the segment's first seq, so that a record is valid only in its own segment
 *     48         payload: compact JSON
 *
 * `synced` distinguishes a torn tail from damage: a valid record that says "offset x was durable before me" proves that
 * a bad record at x was once good.
 */
import { crc32 } from 'node:zlib';
import { isObject } from '../../protocol/base/json.ts';
import { LIMITS } from '../../protocol/base/limits.ts';
import { ENTRY_VERSION, type Entry, type EntryDraft } from '../../protocol/log/entry.ts';

export const RECORD_HEADER_BYTES = 48;
export const SEGMENT_VERSION = 1;
export const KIND_SEGMENT = 1;
export const KIND_ENTRY = 2;
export const MAGIC = Buffer.from([0xff, 0x52, 0x53, 0x54]);

const MAGIC_NUMBER = MAGIC.readUInt32LE(0);
const CHECKED_BYTES = 44;
const TWO_32 = 2 ** 32;

export interface RecordHeader {
  readonly kind: number;
  readonly version: number;
  readonly payloadBytes: number;
  readonly facts: number;
  readonly first: number;
  readonly synced: number;
  /** Microseconds. */
  readonly time: number;
  readonly payloadCrc: number;
}

/** The data directory was written by a version of rosterd with another format. It is not damaged, and must not be treated as damaged. */
export class StoreVersionMismatch extends Error {
  readonly file: string;

  constructor(file: string, found: number, known: number) {
    super(`${file} has format version ${found}, this rosterd knows ${known}: start the version that wrote it`);
    this.name = 'StoreVersionMismatch';
    this.file = file;
  }
}

function writeUint64(buffer: Buffer, value: number, at: number): void {
  buffer.writeUInt32LE(value % TWO_32, at);
  buffer.writeUInt32LE(Math.floor(value / TWO_32), at + 4);
}

function readUint64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * TWO_32;
}

/** The start value for the header checksums of the segment that begins at seq `first`. */
export function segmentSeed(first: number): number {
  const bytes = Buffer.alloc(8);
  writeUint64(bytes, first, 0);
  return crc32(bytes);
}

export function writeRecordHeader(buffer: Buffer, at: number, header: RecordHeader, seed: number): void {
  buffer.writeUInt32LE(MAGIC_NUMBER, at);
  buffer[at + 4] = header.kind;
  buffer[at + 5] = header.version;
  buffer.writeUInt16LE(0, at + 6);
  buffer.writeUInt32LE(header.payloadBytes, at + 8);
  buffer.writeUInt32LE(header.facts, at + 12);
  writeUint64(buffer, header.first, at + 16);
  writeUint64(buffer, header.synced, at + 24);
  writeUint64(buffer, header.time, at + 32);
  buffer.writeUInt32LE(header.payloadCrc, at + 40);
  buffer.writeUInt32LE(crc32(buffer.subarray(at, at + CHECKED_BYTES), seed), at + CHECKED_BYTES);
}

/** The header at `at`, or undefined when the 48 bytes there are not a whole header. */
export function readRecordHeader(buffer: Buffer, at: number, seed: number): RecordHeader | undefined {
  if (at + RECORD_HEADER_BYTES > buffer.length || buffer.readUInt32LE(at) !== MAGIC_NUMBER) return undefined;
  if (buffer.readUInt32LE(at + CHECKED_BYTES) !== crc32(buffer.subarray(at, at + CHECKED_BYTES), seed)) return undefined;
  return {
    kind: buffer[at + 4] ?? 0,
    version: buffer[at + 5] ?? 0,
    payloadBytes: buffer.readUInt32LE(at + 8),
    facts: buffer.readUInt32LE(at + 12),
    first: readUint64(buffer, at + 16),
    synced: readUint64(buffer, at + 24),
    time: readUint64(buffer, at + 32),
    payloadCrc: buffer.readUInt32LE(at + 40),
  };
}

/** A whole record in a new buffer; for segment headers, where speed does not matter. */
export function encodeRecord(kind: number, version: number, first: number, payload: string, seed: number): Buffer {
  const payloadBytes = Buffer.byteLength(payload);
  const buffer = Buffer.alloc(RECORD_HEADER_BYTES + payloadBytes);
  buffer.write(payload, RECORD_HEADER_BYTES);
  const payloadCrc = crc32(buffer.subarray(RECORD_HEADER_BYTES));
  writeRecordHeader(buffer, 0, { kind, version, payloadBytes, facts: 0, first, synced: 0, time: 0, payloadCrc }, seed);
  return buffer;
}

/** The payload of an entry's record. Throws a RangeError when it is longer than LIMITS.entryBytes. */
export function encodePayload(draft: EntryDraft): string {
  const text = JSON.stringify({ id: draft.id, time: draft.time, facts: draft.facts });
  if (text.length > LIMITS.entryBytes || (text.length > LIMITS.entryBytes / 3 && Buffer.byteLength(text) > LIMITS.entryBytes)) {
    throw new RangeError(`an entry may have at most ${LIMITS.entryBytes} bytes`);
  }
  return text;
}

/** The entry in a payload whose checksum was verified, or undefined when it does not match its header. */
export function decodeEntry(payload: string, header: RecordHeader): Entry | undefined {
  if (header.version !== ENTRY_VERSION) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (!isObject(value) || typeof value.id !== 'string' || typeof value.time !== 'number') return undefined;
  if (!Array.isArray(value.facts) || value.facts.length !== header.facts) return undefined;
  // The checksums prove that an append wrote these bytes, and appends write only facts: they need no further validation.
  return { id: value.id, time: value.time, first: header.first, facts: value.facts };
}
