/**
 * Writes groups of records to the active segment, one at a time, and returns the outcome of each.
 *
 * After a failed sync the state of the disk is unknown, and another call could report success for pages that the kernel has already dropped:
 * the writer then fails permanently. A failed write is cut off, and the writer continues, because the cut was made durable and so proves that
 * the disk still works; but where one call writes and syncs (`WriteKind`), an error of the device may be that of the sync.
 *
 * A file that was removed, or a directory that was renamed, takes writes and syncs as before, and nobody will find them. So the writer looks
 * whether its segment still has its name: a first group after a pause is never acknowledged otherwise, and under load it looks often.
 */
import { basename } from 'node:path';
import type { AppendFile } from '../append-file.ts';
import { hasCode } from '../disk-errors.ts';
import { type FileSystem, toError } from '../file-system.ts';
import { type CleanMarker, removeCleanMarker } from './clean-marker.ts';
import type { Group } from './group.ts';
import type { OnStored } from './options.ts';
import { createSegment, type Segment } from './segment.ts';

/** The time between two looks whether the segment is still there. */
const LOOK_MS = 100;

export interface SegmentWriterOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly segmentBytes: number;
  readonly blockBytes: number;
  /** Oldest first, the last one is active. The writer adds to it when it rotates. */
  readonly segments: Segment[];
  readonly file: AppendFile;
  readonly active: Segment;
  readonly clean: boolean;
  /** Drops the torn tail that could not be dropped at recovery, because the disk was full. */
  readonly dropTail: (() => Promise<void>) | undefined;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  readonly onStored: OnStored | undefined;
}

export type WriteOutcome =
  | { readonly status: 'durable' }
  /** Nothing of the group is stored, and the next one may be tried. */
  | { readonly status: 'rolled-back'; readonly error: Error }
  /** If `wrote`, it is unknown whether the group is stored. No further group will be written. */
  | { readonly status: 'failed'; readonly error: Error; readonly wrote: boolean };

export class SegmentWriter {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #blockBytes: number;
  readonly #segments: Segment[];
  readonly #now: () => number;
  readonly #onStored: OnStored | undefined;
  #active: Segment;
  #file: AppendFile;
  #clean: boolean;
  #dropTail: (() => Promise<void>) | undefined;
  /** A rotation began and may have created the next segment, so the active one must not grow any more. */
  #rotating = false;
  #lookedMs = Number.NEGATIVE_INFINITY;

  constructor(options: SegmentWriterOptions) {
    this.#fs = options.fs;
    this.#directory = options.directory;
    this.#segmentBytes = options.segmentBytes;
    this.#blockBytes = options.blockBytes;
    this.#segments = options.segments;
    this.#active = options.active;
    this.#file = options.file;
    this.#clean = options.clean;
    this.#dropTail = options.dropTail;
    this.#now = options.now;
    this.#onStored = options.onStored;
  }

  /** Writes one group after the last durable record. The caller awaits the outcome before it passes the next. */
  async write(group: Group): Promise<WriteOutcome> {
    const startedMs = performance.now();
    try {
      await this.#prepare(group.length);
    } catch (error) {
      // A full disk may have space again later; a disk that fails to sync is not tried again.
      return hasCode(error, 'EIO')
        ? { status: 'failed', error: toError(error), wrote: false }
        : { status: 'rolled-back', error: toError(error) };
    }
    const active = this.#active;
    const nowMs = this.#now();
    group.seal(active.seed, active.end, nowMs);
    // Beside the write, which takes longer.
    const isThere = this.#isThere();
    try {
      await this.#file.append(group.buffer, group.length);
    } catch (error) {
      return this.#file.isFrayed || hasCode(error, 'EIO')
        ? { status: 'failed', error: toError(error), wrote: true }
        : { status: 'rolled-back', error: toError(error) };
    }
    try {
      await this.#file.sync();
      if (!(await isThere)) throw new Error(`ENOENT: the segment was removed or renamed while it was written, '${active.path}'`);
    } catch (error) {
      return { status: 'failed', error: toError(error), wrote: true };
    }
    for (const record of group.records) active.add(record.bytes, record.entry.facts.length, Math.min(record.entry.time, nowMs * 1_000));
    this.#onStored?.(performance.now() - startedMs);
    return { status: 'durable' };
  }

  /** The end of the journal, for the marker of a clean close. */
  get end(): CleanMarker {
    const { path, last, end, lineage } = this.#active;
    return { epoch: lineage.epoch, seq: last, segment: basename(path), bytes: end };
  }

  /** True while the marker of the last clean close exists: nothing was written since. */
  get clean(): boolean {
    return this.#clean;
  }

  /** Whether the torn tail of a crash is still there. */
  get hasTail(): boolean {
    return this.#dropTail !== undefined;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #isThere(): Promise<boolean> {
    const nowMs = performance.now();
    if (nowMs - this.#lookedMs < LOOK_MS) return true;
    this.#lookedMs = nowMs;
    return await this.#fs.isThere(this.#active.path);
  }

  async #prepare(bytes: number): Promise<void> {
    await this.#dropTail?.();
    this.#dropTail = undefined;
    if (this.#clean) {
      await removeCleanMarker(this.#fs, this.#directory);
      this.#clean = false;
    }
    const { end, start, last, lineage } = this.#active;
    if (!this.#rotating && (end + bytes <= this.#segmentBytes || end === start)) return;
    this.#rotating = true;
    const next = await createSegment(this.#fs, this.#directory, last + 1, lineage, this.#blockBytes);
    this.#rotating = false;
    const old = this.#file;
    this.#file = next.file;
    this.#active = next.segment;
    this.#segments.push(next.segment);
    await old.close();
  }
}
