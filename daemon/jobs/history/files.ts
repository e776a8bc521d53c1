/**
 * The history of all users on disk: a row of segments (segment.ts). Only the last one is written.
 *
 * It keeps HY1–HY4 (daemon/RULES.md).
 *
 * Blocks are not synced one by one: records that a power failure takes away are in the log, and are read from there again.
 * Do not overlap calls of `append` … `close`; `page` may be called at any time.
 */
import { randomInt } from 'node:crypto';
import type { Position } from '../../../protocol/base/position.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import { type FileSystem, listWithoutLeftovers } from '../../../store/file-system.ts';
import type { Beginning } from '../../../store/history.ts';
import { nodeFileSystem } from '../../../store/node-file-system.ts';
import { ActiveSegment, openSegment } from './active-segment.ts';
import { segmentNumber } from './format.ts';
import { type HistoryPage, type HistoryQuestion, lookUp } from './lookup.ts';
import type { HistoryChange } from './record.ts';
import { HistoryDamaged, type HistorySegment, SealedSegment } from './segment.ts';
import type { HistoryStorage } from './storage.ts';

export interface HistoryFilesOptions {
  readonly folder: string;
  /** Limit for all files together. At least 1 MiB. */
  readonly bytesMax: number;
  readonly onDamaged: (error: HistoryDamaged) => void;
  readonly fileSystem?: FileSystem;
}

/** Age and bytes are each divided into this number of segments, so that little is removed at a time. */
const PARTS = 32;
const SEGMENT_BYTES_MIN = 256 * 1024;
const SEGMENT_BYTES_MAX = 256 * 1024 * 1024;
/** There are at least as many slots as records of usual size, so that few records share a slot. */
const BYTES_PER_SLOT = 128;
const HOUR_MICROS = 3_600_000_000;

export class HistoryFiles implements HistoryStorage {
  readonly #options: HistoryFilesOptions;
  readonly #fs: FileSystem;
  readonly #segmentBytes: number;
  #sealed: readonly SealedSegment[] = [];
  #active: ActiveSegment | undefined;
  #lastNumber = 0;

  /** Reads the existing segments. The last one is read whole, the others only where they were not finished. */
  static async open(options: HistoryFilesOptions): Promise<HistoryFiles> {
    const files = new HistoryFiles(options);
    const { folder } = options;
    await files.#fs.makeDirectory(folder);
    const names = await listWithoutLeftovers(files.#fs, folder);
    const numbers = names.flatMap((name) => segmentNumber(name) ?? []).sort((a, b) => a - b);
    files.#lastNumber = numbers.at(-1) ?? 0;
    try {
      for (const number of numbers) await files.#find(number);
    } catch (error) {
      await files.close().catch(() => {});
      throw error;
    }
    return files;
  }

  private constructor(options: HistoryFilesOptions) {
    this.#options = options;
    this.#fs = options.fileSystem ?? nodeFileSystem;
    const part = 2 ** Math.floor(Math.log2(options.bytesMax / PARTS));
    this.#segmentBytes = Math.min(SEGMENT_BYTES_MAX, Math.max(SEGMENT_BYTES_MIN, part));
  }

  async #find(number: number): Promise<void> {
    const { folder, onDamaged } = this.#options;
    try {
      const segment = await openSegment({ fs: this.#fs, folder, number }, onDamaged);
      // The previous segment is no longer the last.
      await this.#seal();
      if (segment instanceof SealedSegment) this.#sealed = [...this.#sealed, segment];
      else this.#active = segment;
    } catch (error) {
      if (!(error instanceof HistoryDamaged)) throw error;
      // Lookups show the gap, because its neighbours do not join. The file stays, so that it can be inspected.
      onDamaged(error);
    }
  }

  get #segments(): readonly HistorySegment[] {
    return this.#active === undefined ? this.#sealed : [...this.#sealed, this.#active];
  }

  /** Position up to which the log was read; undefined when there is no history. */
  get position(): Position | undefined {
    const last = this.#active ?? this.#sealed.at(-1);
    return last === undefined ? undefined : { epoch: last.header.epoch, seq: last.seq };
  }

  readonly mayBeAhead = true;

  /** Whether records wait to be written. */
  get hasRecords(): boolean {
    return this.#active?.hasRecords === true;
  }

  /** Whether `flush` must succeed before it takes another change. */
  get isFull(): boolean {
    return this.#active === undefined || this.#active.isFull;
  }

  /** Begins the history, or continues it at another place than `position`. */
  async begin({ epoch, after, time }: Beginning): Promise<void> {
    await this.#active?.flush();
    await this.#seal();
    await this.#create({ epoch, after, time });
  }

  /** Takes a change unless it has it already. Not while it is full. */
  append(change: HistoryChange): void {
    if (this.#active === undefined) throw new Error('the history has not begun');
    this.#active.append(change);
  }

  /** Notes that everything up to this position was seen. */
  advance(seq: number, time: Micros): void {
    this.#active?.advance(seq, time);
  }

  /** Writes the taken changes. Rejects with an error of the file system; a retry then loses and doubles nothing. */
  async flush(): Promise<void> {
    await this.#active?.flush();
    if (this.#active !== undefined && this.#active.bytes >= this.#segmentBytes) await this.#seal();
    if (this.#active === undefined) await this.#goOn();
  }

  /** Begins a segment where the last one ended, and removes surplus. */
  async #goOn(): Promise<void> {
    const last = this.#sealed.at(-1);
    if (last !== undefined) await this.#create({ epoch: last.header.epoch, after: last.seq, time: last.time });
    await this.#removeSurplus();
  }

  async #seal(): Promise<void> {
    if (this.#active === undefined) return;
    this.#sealed = [...this.#sealed, await this.#active.seal()];
    this.#active = undefined;
  }

  async #create(beginning: Beginning): Promise<void> {
    const number = this.#lastNumber + 1;
    const slots = 2 ** Math.round(Math.log2(this.#segmentBytes / BYTES_PER_SLOT));
    const place = { fs: this.#fs, folder: this.#options.folder, number };
    this.#active = await ActiveSegment.create(place, { ...beginning, salt: randomInt(2 ** 32), slots });
    this.#lastNumber = number;
  }

  /** Removes segments older than `keepMicros` (some of the data a little late) and beyond the byte limit. Everything must be flushed. */
  async tidy(now: Micros, keepMicros: number): Promise<void> {
    const active = this.#active;
    // With few changes, a segment would otherwise hold old changes until it is full.
    const partMicros = Math.max(HOUR_MICROS, keepMicros / PARTS);
    if (active !== undefined && !active.isEmpty && active.header.time < now - partMicros) await this.#seal();
    if (this.#active === undefined) await this.#goOn();
    while (this.#isExpired(now, keepMicros)) await this.#removeOldest();
    await this.#removeSurplus();
  }

  /** Counts the active segment with the full size of a segment. */
  async #removeSurplus(): Promise<void> {
    const used = () => this.#sealed.reduce((sum, { bytes }) => sum + bytes, this.#segmentBytes);
    while (this.#sealed.length > 0 && used() > this.#options.bytesMax) await this.#removeOldest();
  }

  /** Whether the oldest segment is. A time that has not come yet is from a clock that stood ahead: the next segment says more. */
  #isExpired(now: Micros, keepMicros: number): boolean {
    const known = this.#sealed.find(({ time }) => time <= now);
    return known !== undefined && known.time < now - keepMicros;
  }

  async #removeOldest(): Promise<void> {
    const [oldest, ...others] = this.#sealed;
    this.#sealed = others;
    await oldest?.remove();
  }

  /** A page of the history of a user, including all taken changes. Rejects with an error of the file system. */
  async page(question: HistoryQuestion, notBefore: Micros): Promise<HistoryPage> {
    const oldest = () => this.#segments[0]?.place.number ?? Number.POSITIVE_INFINITY;
    return await lookUp(question, {
      segments: this.#segments,
      notBefore,
      isGone: ({ place }) => place.number < oldest(),
      onDamaged: this.#options.onDamaged,
    });
  }

  /** Makes everything flushed durable, and closes the files. */
  async close(): Promise<void> {
    await this.#active?.sync();
    await this.#active?.close();
    for (const segment of this.#sealed) await segment.close();
  }
}
