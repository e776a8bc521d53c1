/**
 * Reads entries from segment files in blocks of about `blockBytes`, and keeps the newest blocks, so that a thousand readers
 * that resume from about the same place cause one read and one parse. Every read from a file verifies the checksums.
 */
import { crc32 } from 'node:zlib';
import type { Entry } from '../../protocol/log/entry.ts';
import { type FileSystem, readFully } from '../file-system.ts';
import { LogDamaged } from '../log.ts';
import { decodeEntry, RECORD_HEADER_BYTES, readRecordHeader } from './record.ts';
import type { Segment } from './segment.ts';

/** Concurrent file reads. Each costs a file descriptor and a buffer of one block, whatever the number of readers. */
const LOADS_MAX = 8;

interface CachedBlock {
  readonly bytes: number;
  readonly entries: Promise<readonly Entry[]>;
}

export class BlockReader {
  readonly #fs: FileSystem;
  readonly #cacheBytesMax: number;
  readonly #cache = new Map<string, CachedBlock>();
  readonly #queue: (() => void)[] = [];
  #cacheBytes = 0;
  #loading = 0;

  constructor(fs: FileSystem, cacheBytesMax: number) {
    this.#fs = fs;
    this.#cacheBytesMax = cacheBytesMax;
  }

  /**
   * The whole entries of the block of `segment` that holds seq `after + 1`. Rejects with LogDamaged, or with an error of the file
   * system when retention has removed the file.
   */
  block(segment: Segment, after: number): Promise<readonly Entry[]> {
    const { from, to } = blockBounds(segment, after + 1);
    const key = `${segment.first}:${from}:${to}`;
    const cached = this.#cache.get(key);
    if (cached !== undefined) {
      this.#cache.delete(key);
      this.#cache.set(key, cached);
      return cached.entries;
    }
    const entries = this.#load(segment, from, to);
    this.#keep(key, { bytes: to - from, entries });
    // A failure reaches the readers that wait for it, and the next reader tries again.
    entries.catch(() => this.#forget(key));
    return entries;
  }

  #keep(key: string, block: CachedBlock): void {
    this.#cache.set(key, block);
    this.#cacheBytes += block.bytes;
    for (const oldest of this.#cache.keys()) {
      if (this.#cacheBytes <= this.#cacheBytesMax) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    const block = this.#cache.get(key);
    if (block === undefined) return;
    this.#cache.delete(key);
    this.#cacheBytes -= block.bytes;
  }

  async #load(segment: Segment, from: number, to: number): Promise<readonly Entry[]> {
    if (this.#loading >= LOADS_MAX) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#loading++;
    try {
      const file = await this.#fs.openRead(segment.path);
      try {
        const buffer = Buffer.allocUnsafe(to - from);
        const bytes = await readFully(file, buffer, buffer.length, from);
        return decodeBlock(segment, buffer.subarray(0, bytes), from, to);
      } finally {
        await file.close();
      }
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#loading--;
      else next();
    }
  }
}

/** From the last mark at or before `seq` to the next mark, or to the durable end. */
function blockBounds(segment: Segment, seq: number): { from: number; to: number } {
  const { marks } = segment;
  let low = 0;
  let high = marks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    const mark = marks[middle];
    if (mark !== undefined && mark.seq <= seq) low = middle;
    else high = middle - 1;
  }
  return { from: marks[low]?.offset ?? segment.start, to: marks[low + 1]?.offset ?? segment.end };
}

function decodeBlock(segment: Segment, block: Buffer, from: number, to: number): readonly Entry[] {
  const entries: Entry[] = [];
  let at = 0;
  while (from + at < to) {
    const header = readRecordHeader(block, at, segment.seed);
    const end = at + RECORD_HEADER_BYTES + (header?.payloadBytes ?? 0);
    if (header === undefined || end > block.length) throw new LogDamaged(segment.path, from + at, 'no whole record where one was written');
    const payload = block.subarray(at + RECORD_HEADER_BYTES, end);
    const entry = crc32(payload) === header.payloadCrc ? decodeEntry(payload.toString(), header) : undefined;
    if (entry === undefined) throw new LogDamaged(segment.path, from + at, 'the payload does not match its checksum');
    entries.push(entry);
    at = end;
  }
  return entries;
}
