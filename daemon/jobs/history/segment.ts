/**
 * Segments: the pieces of the history, oldest first. Each finds the records of a user by itself, so the oldest goes by
 * removing its files, and nothing is ever rewritten.
 *
 * An id falls into one of the slots. Every record says where the one before it in its slot lies, so a lookup begins at the
 * last record of the slot and reads backwards. A record about somebody else also says where the last one lies that is surely
 * about another user than it is: a user who changes all the time costs a neighbour in the slot one step, not thousands.
 *
 * The active segment gathers records in memory, where they can be found at once, and writes them as a block when told to.
 */
import { join } from 'node:path';
import type { Micros } from '../../../protocol/base/time.ts';
import { createWhole, type HistoryDisk, type HistoryFile, readInto, writeAll } from './disk.ts';
import {
  BLOCK_BYTES_MAX,
  BLOCK_HEADER_BYTES,
  crcOf,
  decodeBlockHeader,
  decodeHeadsHeader,
  decodeSegmentHeader,
  encodeHeads,
  encodeSegmentHeader,
  headsName,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  sealBlock,
  segmentName,
} from './format.ts';
import { encodeLine, type HistoryChange, hashOf, idInLine, LINE_BYTES_MAX } from './record.ts';

/** Records gathered in memory before they should be written. */
const GATHERED_BYTES = 512 * 1024;
/** Written bytes that the kernel may hold back: a sync at the end should not be a big one. */
const UNSYNCED_BYTES_MAX = 4 * 1024 * 1024;
const LINE_END = 0x0a;

/** The files of a segment are not what the history wrote. */
export class HistoryDamaged extends Error {
  constructor(file: string, reason: string) {
    super(`${file} is damaged: ${reason}`);
    this.name = 'HistoryDamaged';
  }
}

export interface SegmentPlace {
  readonly disk: HistoryDisk;
  readonly folder: string;
  readonly number: number;
}

/** What a lookup needs of a segment. */
export interface Segment {
  readonly place: SegmentPlace;
  readonly header: SegmentHeader;
  /** The position up to which it goes, and its time. */
  readonly seq: number;
  readonly time: Micros;
  /** Bytes on the disk. */
  readonly bytes: number;
  /** Where the last record of a slot lies; 0 for nowhere. */
  head(slot: number): Promise<number>;
  /** Fills the buffer from this place on. Resolves with how many bytes there were. */
  read(buffer: Buffer, position: number): Promise<number>;
}

/** A segment to which nothing is added any more. Costs two open files and no memory. */
export class SealedSegment implements Segment {
  readonly place: SegmentPlace;
  readonly header: SegmentHeader;
  readonly seq: number;
  readonly time: Micros;
  readonly bytes: number;
  readonly #file: HistoryFile;
  readonly #heads: HistoryFile;

  constructor(place: SegmentPlace, header: SegmentHeader, end: SegmentEnd, file: HistoryFile, heads: HistoryFile) {
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
    await readInto(this.#heads, bytes, SEGMENT_HEADER_BYTES + slot * 4);
    return bytes.readUInt32LE();
  }

  read(buffer: Buffer, position: number): Promise<number> {
    return readInto(this.#file, buffer, position);
  }

  async close(): Promise<void> {
    await this.#file.close();
    await this.#heads.close();
  }

  /** The table goes first: a segment without one is whole, a table without its segment is nothing. */
  async remove(): Promise<void> {
    const { disk, folder, number } = this.place;
    await disk.remove(join(folder, headsName(number)));
    await disk.remove(join(folder, segmentName(number)));
    await this.close();
  }
}

interface SegmentEnd {
  readonly seq: number;
  readonly time: Micros;
  readonly bytes: number;
}

/** The segment that is written. Not to be changed while `flush` or `seal` is under way. */
export class ActiveSegment implements Segment {
  readonly place: SegmentPlace;
  readonly header: SegmentHeader;
  readonly #file: HistoryFile;
  readonly #mask: number;
  readonly #heads: Uint32Array;
  /** For each slot: the hash of its last record, and what that record skips to. */
  readonly #hashes: Uint32Array;
  readonly #skips: Uint32Array;
  /** The block that is gathered: room for its header, and its records. */
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES_MAX);
  #used = BLOCK_HEADER_BYTES;
  #written: number;
  #unsynced = 0;
  #seq: number;
  #time: Micros;
  #writtenSeq: number;
  #isFlushing = false;

  private constructor(place: SegmentPlace, header: SegmentHeader, file: HistoryFile) {
    this.place = place;
    this.header = header;
    this.#file = file;
    this.#mask = header.slots - 1;
    this.#heads = new Uint32Array(header.slots);
    this.#hashes = new Uint32Array(header.slots);
    this.#skips = new Uint32Array(header.slots);
    this.#written = SEGMENT_HEADER_BYTES;
    this.#seq = header.after;
    this.#writtenSeq = header.after;
    this.#time = header.time;
  }

  /** Begins a segment; it is on the disk when this resolves. */
  static async create(place: SegmentPlace, header: SegmentHeader): Promise<ActiveSegment> {
    const { disk, folder, number } = place;
    return new ActiveSegment(place, header, await createWhole(disk, folder, segmentName(number), encodeSegmentHeader(header)));
  }

  /** Reads a segment from the beginning to the last whole block, and cuts off what a crash left behind it. */
  static async recover(place: SegmentPlace, header: SegmentHeader, file: HistoryFile): Promise<ActiveSegment> {
    const segment = new ActiveSegment(place, header, file);
    const head = Buffer.alloc(BLOCK_HEADER_BYTES);
    while ((await readInto(file, head, segment.#written)) === head.length) {
      const block = decodeBlockHeader(head);
      if (block === undefined) break;
      const records = segment.#block.subarray(0, block.bytes);
      const at = segment.#written + BLOCK_HEADER_BYTES;
      if ((await readInto(file, records, at)) < block.bytes || crcOf(records, block.seq, block.time) !== block.crc) break;
      segment.#find(records, at);
      segment.#written = at + block.bytes;
      segment.#seq = block.seq;
      segment.#writtenSeq = block.seq;
      segment.#time = block.time;
    }
    if ((await file.stat()).size > segment.#written) await file.truncate(segment.#written);
    return segment;
  }

  /** Puts the records of a block that was read back into their slots. */
  #find(records: Buffer, at: number): void {
    let start = 0;
    for (let end = records.indexOf(LINE_END); end >= 0; end = records.indexOf(LINE_END, start)) {
      const hash = hashOf(idInLine(records, start), this.header.salt);
      this.#put(hash, this.#skipFrom(hash), at + start);
      start = end + 1;
    }
  }

  /** The last record in the slot of this hash that is surely about another user. */
  #skipFrom(hash: number): number {
    const slot = hash & this.#mask;
    return (this.#hashes[slot] === hash ? this.#skips[slot] : this.#heads[slot]) ?? 0;
  }

  #put(hash: number, skip: number, at: number): void {
    const slot = hash & this.#mask;
    this.#heads[slot] = at;
    this.#hashes[slot] = hash;
    this.#skips[slot] = skip;
  }

  get seq(): number {
    return this.#seq;
  }

  get time(): Micros {
    return this.#time;
  }

  get bytes(): number {
    return this.#written;
  }

  /** Whether records wait to be written. */
  get hasRecords(): boolean {
    return this.#used > BLOCK_HEADER_BYTES;
  }

  /** Whether nothing was written to it. */
  get isEmpty(): boolean {
    return this.#written === SEGMENT_HEADER_BYTES && !this.hasRecords;
  }

  /** Whether it takes nothing more before what was gathered is written. */
  get isFull(): boolean {
    return this.#used >= GATHERED_BYTES;
  }

  /** Takes a change, unless it has it already. There must be room. */
  append(change: HistoryChange): void {
    if (change.seq <= this.#seq) return;
    if (this.#isFlushing) throw new Error('a change came while the block was written');
    const hash = hashOf(change.id, this.header.salt);
    const skip = this.#skipFrom(hash);
    const line = encodeLine(change, this.#heads[hash & this.#mask] ?? 0, skip);
    if (this.#used + LINE_BYTES_MAX > this.#block.length) throw new Error('the block is full');
    this.#put(hash, skip, this.#written + this.#used);
    this.#used += this.#block.write(line, this.#used);
    this.#seq = change.seq;
    this.#time = change.at;
  }

  /** Everything up to here was seen, also where it was nothing to write down. */
  advance(seq: number, time: Micros): void {
    if (seq <= this.#seq) return;
    this.#seq = seq;
    this.#time = time;
  }

  /** Writes what was gathered, and how far that goes. What could not be written stays, and is found, and can be tried again. */
  async flush(): Promise<void> {
    if (this.#seq === this.#writtenSeq) return;
    const block = this.#block.subarray(0, this.#used);
    const seq = this.#seq;
    sealBlock(block, seq, this.#time);
    this.#isFlushing = true;
    await writeAll(this.#file, block, this.#written).finally(() => {
      this.#isFlushing = false;
    });
    this.#written += this.#used;
    this.#unsynced += this.#used;
    this.#used = BLOCK_HEADER_BYTES;
    this.#writtenSeq = seq;
    if (this.#unsynced > UNSYNCED_BYTES_MAX) await this.sync();
  }

  async sync(): Promise<void> {
    await this.#file.datasync();
    this.#unsynced = 0;
  }

  /** Writes the table of slots, so that nobody has to read the segment again to find something in it. All must be flushed. */
  async seal(): Promise<SealedSegment> {
    const { disk, folder, number } = this.place;
    await this.sync();
    const end = { bytes: this.#written, seq: this.#seq, time: this.#time };
    const heads = await createWhole(disk, folder, headsName(number), encodeHeads(this.#heads, end));
    return new SealedSegment(this.place, this.header, end, this.#file, heads);
  }

  head(slot: number): Promise<number> {
    return Promise.resolve(this.#heads[slot] ?? 0);
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    // What is in memory is copied first: while the file is read, it may be written and make room for the next block.
    const written = this.#written;
    const end = Math.min(position + buffer.length, written + this.#used);
    const from = Math.max(position, written);
    if (from < end) this.#block.copy(buffer, from - position, from - written, end - written);
    if (position < written) await readInto(this.#file, buffer.subarray(0, Math.min(buffer.length, written - position)), position);
    return Math.max(0, end - position);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Opens what is there under this number: sealed where its table is whole. Rejects with HistoryDamaged. */
export async function openSegment(place: SegmentPlace): Promise<ActiveSegment | SealedSegment> {
  const { disk, folder, number } = place;
  const path = join(folder, segmentName(number));
  const file = await disk.open(path);
  try {
    const head = Buffer.alloc(SEGMENT_HEADER_BYTES);
    await readInto(file, head, 0);
    const header = decodeSegmentHeader(head);
    if (header === undefined) throw new HistoryDamaged(path, 'its first line is not that of a history');
    const { size } = await file.stat();
    return (await openSealed(place, header, file, size)) ?? (await ActiveSegment.recover(place, header, file));
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openSealed(place: SegmentPlace, header: SegmentHeader, file: HistoryFile, size: number): Promise<SealedSegment | undefined> {
  const name = headsName(place.number);
  if (!(await place.disk.list(place.folder)).includes(name)) return undefined;
  const heads = await place.disk.open(join(place.folder, name));
  const table = Buffer.alloc(SEGMENT_HEADER_BYTES + header.slots * 4);
  const read = await readInto(heads, table, 0);
  const end = decodeHeadsHeader(table.subarray(0, read), header.slots);
  if (end !== undefined && end.bytes === size) return new SealedSegment(place, header, end, file, heads);
  await heads.close();
  return undefined;
}
