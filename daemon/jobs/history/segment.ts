/**
 * Segments: the pieces of the history, oldest first. Each can find the records of a user by itself, so the oldest is dropped by
 * removing its files, and nothing is ever rewritten. The last one is being written (active-segment.ts), the others are sealed.
 *
 * Each id belongs to one of the slots. Every record holds the offset of the previous record in its slot, so a lookup begins at
 * the last record of the slot and reads backwards. Every record also holds the offset of the newest earlier one that certainly
 * belongs to another user, so skipping a user that changes all the time costs its slot neighbour one step, not thousands.
 */
import { join } from 'node:path';
import type { Micros } from '../../../protocol/base/time.ts';
import { hasCode } from '../../../store/disk-errors.ts';
import { createWhole, type FileSystem, type OpenFile, readFully, removeDurably } from '../../../store/file-system.ts';
import {
  blocksName,
  decodeHeadsHeader,
  decodeSegmentHeader,
  encodeHeads,
  headsName,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from './format.ts';

/** The files of a segment are not as the history wrote them. */
export class HistoryDamaged extends Error {
  constructor(file: string, reason: string) {
    super(`${file} is damaged: ${reason}`);
    this.name = 'HistoryDamaged';
  }
}

export interface SegmentPlace {
  readonly fs: FileSystem;
  readonly folder: string;
  readonly number: number;
}

/** The part of a segment that a lookup needs. */
export interface HistorySegment {
  readonly place: SegmentPlace;
  readonly header: SegmentHeader;
  /** The position at which it ends, and its time. */
  readonly seq: number;
  readonly time: Micros;
  /** Bytes on disk. */
  readonly bytes: number;
  /** Offset of the last record of a slot; 0 for none. */
  head(slot: number): Promise<number>;
  /** Fills the buffer from this place on. Resolves with the number of bytes read. */
  read(buffer: Buffer, position: number): Promise<number>;
}

/** The end of a segment. */
export interface SegmentEnd {
  readonly seq: number;
  readonly time: Micros;
  readonly bytes: number;
}

export function blocksPath({ folder, number }: SegmentPlace): string {
  return join(folder, blocksName(number));
}

/** A segment to which nothing more is added. Costs two open files and no memory. */
export class SealedSegment implements HistorySegment {
  readonly place: SegmentPlace;
  readonly header: SegmentHeader;
  readonly seq: number;
  readonly time: Micros;
  readonly bytes: number;
  readonly #file: OpenFile;
  readonly #heads: OpenFile;

  /** Writes the table of slots, so that no lookup has to read the whole segment. Its blocks are durable up to `end`. */
  static async seal(place: SegmentPlace, header: SegmentHeader, end: SegmentEnd, heads: Uint32Array): Promise<SealedSegment> {
    const { fs, folder, number } = place;
    const table = await createWhole(fs, 'side-file', folder, headsName(number), encodeHeads(heads, end));
    try {
      return new SealedSegment(place, header, end, await fs.openRead(blocksPath(place)), table);
    } catch (error) {
      await table.close();
      throw error;
    }
  }

  /** Undefined when it was not sealed, or not up to its end. */
  static async open(place: SegmentPlace, header: SegmentHeader): Promise<SealedSegment | undefined> {
    const { fs, folder, number } = place;
    const heads = await openIfThere(fs, join(folder, headsName(number)));
    if (heads === undefined) return undefined;
    const table = Buffer.alloc(SEGMENT_HEADER_BYTES + header.slots * 4);
    const read = await readFully(heads, table, table.length, 0);
    const end = decodeHeadsHeader(table.subarray(0, read), header.slots);
    const file = await fs.openRead(blocksPath(place));
    // After an incomplete sealing, more may have been written to it.
    if (end !== undefined && end.bytes === (await file.size())) return new SealedSegment(place, header, end, file, heads);
    await heads.close();
    await file.close();
    return undefined;
  }

  private constructor(place: SegmentPlace, header: SegmentHeader, end: SegmentEnd, file: OpenFile, heads: OpenFile) {
    this.place = place;
    this.header = header;
    this.seq = end.seq;
    this.time = end.time;
    this.bytes = end.bytes + SEGMENT_HEADER_BYTES + header.slots * 4;
    this.#file = file;
    this.#heads = heads;
  }

  async head(slot: number): Promise<number> {
    const bytes = Buffer.alloc(4);
    await readFully(this.#heads, bytes, 4, SEGMENT_HEADER_BYTES + slot * 4);
    return bytes.readUInt32LE();
  }

  read(buffer: Buffer, position: number): Promise<number> {
    return readFully(this.#file, buffer, buffer.length, position);
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#heads.close();
  }

  /** Removes the table first: a segment without a table is valid, a table without its segment is not. */
  async remove(): Promise<void> {
    const { fs, folder, number } = this.place;
    await removeDurably(fs, 'retention', folder, headsName(number));
    await removeDurably(fs, 'retention', folder, blocksName(number));
    await this.close();
  }
}

/** The header of the segment at this place. Rejects with HistoryDamaged. */
export async function readSegmentHeader(place: SegmentPlace): Promise<SegmentHeader> {
  const file = await place.fs.openRead(blocksPath(place));
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  await readFully(file, bytes, bytes.length, 0).finally(() => file.close());
  const header = decodeSegmentHeader(bytes);
  if (header === undefined) throw new HistoryDamaged(blocksPath(place), 'its first line is not that of a history');
  return header;
}

async function openIfThere(fs: FileSystem, path: string): Promise<OpenFile | undefined> {
  try {
    return await fs.openRead(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
