/**
 * The format of a history segment on disk: lines of JSON, padded with spaces where a length is fixed.
 *
 *   00000007.ndjson   a header line of 256 bytes, then blocks: a header line of 128 bytes, and the records it counts
 *   00000007.heads    once nothing more is added: a header line of 256 bytes, then for each slot the offset of its last record (u32, LE)
 *
 * The header of a block holds the log position up to which the history is complete with this block, and the checksum of its
 * records. So records and position are stored in one write: after a crash both exist or neither.
 */
import { crc32 } from 'node:zlib';
import { parseObject } from '../../../protocol/base/json.ts';
import type { Micros } from '../../../protocol/base/time.ts';

export const SEGMENT_HEADER_BYTES = 256;
export const BLOCK_HEADER_BYTES = 128;
/** Largest size of a block. */
export const BLOCK_BYTES_MAX = 1024 * 1024;
const FORMAT = 1;

/** The beginning of a segment in the history. */
export interface SegmentHeader {
  readonly epoch: string;
  /** It holds changes after this seq. */
  readonly after: number;
  /** From this time on it misses nothing. */
  readonly time: Micros;
  /** Salt of the hash that chooses the slot of an id. */
  readonly salt: number;
  /** A power of two. */
  readonly slots: number;
}

export interface BlockHeader {
  /** Bytes of the records that follow. */
  readonly bytes: number;
  readonly crc: number;
  /** The history is complete up to this seq. */
  readonly seq: number;
  /** Time of that position. */
  readonly time: Micros;
}

export interface HeadsHeader {
  /** Length of the segment. */
  readonly bytes: number;
  readonly crc: number;
  readonly seq: number;
  readonly time: Micros;
}

export function blocksName(number: number): string {
  return `${String(number).padStart(8, '0')}.ndjson`;
}

export function headsName(number: number): string {
  return `${String(number).padStart(8, '0')}.heads`;
}

/** The number of a segment; undefined for other files. */
export function segmentNumber(name: string): number | undefined {
  const match = /^(\d{8})\.ndjson$/.exec(name);
  return match === null ? undefined : Number(match[1]);
}

function padded(value: object, bytes: number): Buffer {
  return Buffer.from(`${JSON.stringify(value).padEnd(bytes - 1)}\n`, 'latin1');
}

function numbers(bytes: Buffer, names: readonly string[]): readonly number[] | undefined {
  const read = parseObject(bytes.toString('latin1'));
  const values = names.map((name) => read?.[name]).filter((value) => typeof value === 'number');
  return values.length === names.length ? values : undefined;
}

export function encodeSegmentHeader({ epoch, after, time, salt, slots }: SegmentHeader): Buffer {
  return padded({ history: FORMAT, epoch, after, time, salt, slots }, SEGMENT_HEADER_BYTES);
}

/** The beginning of each block. A record is JSON and escapes quotes, so no record contains these bytes. */
export const BLOCK_MAGIC = Buffer.from('{"block":');

/** Undefined when it is damaged, or has a format that this daemon does not know. */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  const epoch = parseObject(bytes.toString('latin1'))?.epoch;
  const [history, after = 0, time = 0, salt = 0, slots = 0] = numbers(bytes, ['history', 'after', 'time', 'salt', 'slots']) ?? [];
  if (history !== FORMAT || typeof epoch !== 'string' || slots < 1 || slots > 2 ** 24 || (slots & (slots - 1)) !== 0) return undefined;
  return { epoch, after, time, salt, slots };
}

/** Writes the header of a block over the first bytes of `block`; the other bytes are its records. */
export function sealBlock(block: Buffer, seq: number, time: Micros): void {
  const records = block.subarray(BLOCK_HEADER_BYTES);
  padded({ block: records.length, seq, time, crc: crcOf(records, seq, time) }, BLOCK_HEADER_BYTES).copy(block);
}

export function decodeBlockHeader(bytes: Buffer): BlockHeader | undefined {
  const [block, seq = 0, time = 0, crc = 0] = numbers(bytes, ['block', 'seq', 'time', 'crc']) ?? [];
  return block === undefined || block < 0 || block > BLOCK_BYTES_MAX ? undefined : { bytes: block, crc, seq, time };
}

/** Checksum of the records and of the position in their header. */
export function crcOf(records: Buffer, seq: number, time: Micros): number {
  return crc32(`${seq} ${time}`, crc32(records));
}

export function encodeHeads(heads: Uint32Array, { bytes, seq, time }: Omit<HeadsHeader, 'crc'>): Buffer {
  const file = Buffer.allocUnsafe(SEGMENT_HEADER_BYTES + heads.length * 4);
  for (const [slot, offset] of heads.entries()) file.writeUInt32LE(offset, SEGMENT_HEADER_BYTES + slot * 4);
  const crc = crc32(file.subarray(SEGMENT_HEADER_BYTES));
  padded({ bytes, seq, time, crc }, SEGMENT_HEADER_BYTES).copy(file);
  return file;
}

/** Undefined unless the file is whole. */
export function decodeHeadsHeader(file: Buffer, slots: number): HeadsHeader | undefined {
  if (file.length !== SEGMENT_HEADER_BYTES + slots * 4) return undefined;
  const found = numbers(file.subarray(0, SEGMENT_HEADER_BYTES), ['bytes', 'seq', 'time', 'crc']);
  const [bytes = 0, seq = 0, time = 0, crc = 0] = found ?? [];
  return found === undefined || crc !== crc32(file.subarray(SEGMENT_HEADER_BYTES)) ? undefined : { bytes, seq, time, crc };
}
