/**
 * The segment that is being written. It gathers records in memory, where lookups find them at once, and `flush` writes them as a
 * block. Blocks are not synced one by one: records that a power failure takes away are in the log, and are read from there again.
 */
import type { Micros } from '../../../protocol/base/time.ts';
import { AppendFile, FileDamaged, type RecordStep, type SyncProof } from '../../../store/append-file.ts';
import {
  BLOCK_BYTES_MAX,
  BLOCK_HEADER_BYTES,
  BLOCK_MAGIC,
  type BlockHeader,
  blocksName,
  crcOf,
  decodeBlockHeader,
  encodeSegmentHeader,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
  sealBlock,
} from './format.ts';
import { encodeLine, type HistoryChange, RECORD_BYTES_MAX } from './record.ts';
import {
  blocksPath,
  HistoryDamaged,
  type HistorySegment,
  readSegmentHeader,
  SealedSegment,
  type SegmentEnd,
  type SegmentPlace,
} from './segment.ts';
import { Slots } from './slots.ts';

/** Size of gathered records at which they should be written. */
const GATHERED_BYTES = 512 * 1024;
/** Written bytes that may be unsynced: this keeps the final sync small, and everything before them is durable. */
const UNSYNCED_BYTES_MAX = 4 * 1024 * 1024;

/** When a block exists, everything further back than the largest unsynced part was durable when it was written. */
const PROOF: SyncProof = {
  magic: BLOCK_MAGIC,
  headerBytes: BLOCK_HEADER_BYTES,
  durableBefore: (view, index, at) =>
    decodeBlockHeader(view.subarray(index, index + BLOCK_HEADER_BYTES)) === undefined ? undefined : at - UNSYNCED_BYTES_MAX,
};

/** Do not change it while `flush` or `seal` runs. */
export class ActiveSegment implements HistorySegment {
  readonly place: SegmentPlace;
  readonly header: SegmentHeader;
  readonly #file: AppendFile;
  readonly #slots: Slots;
  /** The block being gathered: room for its header, and its records. */
  readonly #block = Buffer.allocUnsafe(BLOCK_BYTES_MAX);
  #used = BLOCK_HEADER_BYTES;
  #written: number;
  #seq: number;
  #time: Micros;
  #writtenSeq: number;
  #isFlushing = false;

  constructor(place: SegmentPlace, header: SegmentHeader, file: AppendFile, slots: Slots, end: SegmentEnd) {
    this.place = place;
    this.header = header;
    this.#file = file;
    this.#slots = slots;
    this.#written = end.bytes;
    this.#seq = end.seq;
    this.#writtenSeq = end.seq;
    this.#time = end.time;
  }

  /** Begins a segment. Resolves when it is on disk. */
  static async create(place: SegmentPlace, header: SegmentHeader): Promise<ActiveSegment> {
    const { fs, folder, number } = place;
    const file = await AppendFile.create(fs, folder, blocksName(number), encodeSegmentHeader(header));
    return new ActiveSegment(place, header, file, new Slots(header), beginningOf(header));
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

  /** Whether it holds no records at all. */
  get isEmpty(): boolean {
    return this.#written === SEGMENT_HEADER_BYTES && !this.hasRecords;
  }

  /** Whether the gathered records must be written before it takes more. */
  get isFull(): boolean {
    return this.#used >= GATHERED_BYTES;
  }

  /** Takes a change, unless it has it already. There must be room. */
  append(change: HistoryChange): void {
    if (change.seq <= this.#seq) return;
    if (this.#isFlushing) throw new Error('a change came while the block was written');
    if (this.#used + RECORD_BYTES_MAX > this.#block.length) throw new Error('the block is full');
    const { prev, skip } = this.#slots.put(change.id, this.#written + this.#used);
    this.#used += this.#block.write(encodeLine(change, prev, skip), this.#used);
    this.#seq = change.seq;
    this.#time = change.at;
  }

  /** Notes that everything up to this position was seen, also where there was nothing to record. */
  advance(seq: number, time: Micros): void {
    if (seq <= this.#seq) return;
    this.#seq = seq;
    this.#time = time;
  }

  /** Writes the gathered records and the position. After a failure they stay in memory, are found, and can be written again. */
  async flush(): Promise<void> {
    if (this.#seq === this.#writtenSeq) return;
    this.#isFlushing = true;
    try {
      await this.#writeBlock();
    } finally {
      this.#isFlushing = false;
    }
  }

  async #writeBlock(): Promise<void> {
    const block = this.#block.subarray(0, this.#used);
    const seq = this.#seq;
    if (this.#file.unsynced + block.length > UNSYNCED_BYTES_MAX) await this.sync();
    sealBlock(block, seq, this.#time);
    await this.#file.append(block);
    this.#written += this.#used;
    this.#used = BLOCK_HEADER_BYTES;
    this.#writtenSeq = seq;
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  /** Ends the segment: nothing more is added. Everything must be flushed. */
  async seal(): Promise<SealedSegment> {
    await this.sync();
    const end = { bytes: this.#written, seq: this.#seq, time: this.#time };
    const sealed = await SealedSegment.seal(this.place, this.header, end, this.#slots.heads);
    await this.close();
    return sealed;
  }

  head(slot: number): Promise<number> {
    return Promise.resolve(this.#slots.heads[slot] ?? 0);
  }

  async read(buffer: Buffer, position: number): Promise<number> {
    // Copies the part in memory first: during the read of the file it may be written, and the next block may replace it.
    const written = this.#written;
    const end = Math.min(position + buffer.length, written + this.#used);
    const from = Math.max(position, written);
    if (from < end) this.#block.copy(buffer, from - position, from - written, end - written);
    if (position < written) await this.#file.read(buffer.subarray(0, Math.min(buffer.length, written - position)), position);
    return Math.max(0, end - position);
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function beginningOf({ after, time }: SegmentHeader): SegmentEnd {
  return { seq: after, time, bytes: SEGMENT_HEADER_BYTES };
}

/**
 * Opens the segment with this number. An unsealed segment is read to its last whole block; bytes that a crash left after
 * it are cut off. Damage is reported: the segment is sealed up to there and otherwise left as it is. Rejects with HistoryDamaged
 * when nothing of it can be read.
 */
export async function openSegment(place: SegmentPlace, onDamaged: (error: HistoryDamaged) => void): Promise<ActiveSegment | SealedSegment> {
  const header = await readSegmentHeader(place);
  const sealed = await SealedSegment.open(place, header);
  if (sealed !== undefined) return sealed;
  const slots = new Slots(header);
  let end = beginningOf(header);
  const read = (view: Buffer, at: number): RecordStep => {
    const step = readBlock(view);
    if (step.kind !== 'whole') return step;
    slots.putAll(step.records, at + BLOCK_HEADER_BYTES);
    end = { seq: step.block.seq, time: step.block.time, bytes: at + step.bytes };
    return step;
  };
  try {
    const file = await AppendFile.open(place.fs, blocksPath(place), { start: SEGMENT_HEADER_BYTES, read, proof: PROOF });
    return new ActiveSegment(place, header, file, slots, end);
  } catch (error) {
    if (!(error instanceof FileDamaged)) throw error;
    onDamaged(new HistoryDamaged(error.file, `${error.reason} (at byte ${error.offset})`));
    return await SealedSegment.seal(place, header, end, slots.heads);
  }
}

type BlockStep =
  | Exclude<RecordStep, { readonly kind: 'whole' }>
  | { readonly kind: 'whole'; readonly bytes: number; readonly block: BlockHeader; readonly records: Buffer };

function readBlock(view: Buffer): BlockStep {
  if (view.length < BLOCK_HEADER_BYTES) return { kind: 'more', bytes: BLOCK_HEADER_BYTES, reason: 'the header of a block is cut off' };
  const block = decodeBlockHeader(view.subarray(0, BLOCK_HEADER_BYTES));
  if (block === undefined) return { kind: 'bad', reason: 'there is no header of a block' };
  const bytes = BLOCK_HEADER_BYTES + block.bytes;
  if (view.length < bytes) return { kind: 'more', bytes, reason: 'a block is cut off' };
  const records = view.subarray(BLOCK_HEADER_BYTES, bytes);
  if (crcOf(records, block.seq, block.time) !== block.crc) return { kind: 'bad', reason: 'a block does not match its checksum' };
  return { kind: 'whole', bytes, block, records };
}
