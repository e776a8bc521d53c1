/**
 * The segment that is written. It gathers records in memory, where they can be found at once, and writes them as a block when
 * told to. Blocks are not synced one by one: what a loss of power takes away is in the log, and is read from there again.
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

/** Records gathered in memory before they should be written. */
const GATHERED_BYTES = 512 * 1024;
/** Written bytes that the kernel may hold back: a sync at the end should not be a big one, and what lies further back is durable. */
const UNSYNCED_BYTES_MAX = 4 * 1024 * 1024;

/** Where a block is, all that lies further back than may be unsynced was durable when it was written. */
const PROOF: SyncProof = {
  magic: BLOCK_MAGIC,
  headerBytes: BLOCK_HEADER_BYTES,
  durableBefore: (view, index, at) =>
    decodeBlockHeader(view.subarray(index, index + BLOCK_HEADER_BYTES)) === undefined ? undefined : at - UNSYNCED_BYTES_MAX,
};

/** Not to be changed while `flush` or `seal` is under way. */
export class ActiveSegment implements HistorySegment {
  readonly place: SegmentPlace;
  readonly header: SegmentHeader;
  readonly #file: AppendFile;
  readonly #slots: Slots;
  /** The block that is gathered: room for its header, and its records. */
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

  /** Begins a segment; it is on the disk when this resolves. */
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
    if (this.#used + RECORD_BYTES_MAX > this.#block.length) throw new Error('the block is full');
    const { prev, skip } = this.#slots.put(change.id, this.#written + this.#used);
    this.#used += this.#block.write(encodeLine(change, prev, skip), this.#used);
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

  /** Nothing more is added. All must be flushed. */
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
    // What is in memory is copied first: while the file is read, it may be written and make room for the next block.
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
 * Opens what is there under this number. One that was not sealed is read to its last whole block; what a crash left behind that is
 * cut off. Where damage ends it, it is told, sealed up to there and otherwise left as it is. Rejects with HistoryDamaged when
 * nothing of it can be read.
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
