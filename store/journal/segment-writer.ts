/**
 * Writes groups of records to the active segment, one at a time, and answers what became of each.
 *
 * After an `fdatasync` that failed nobody knows what is on the disk, and asking again would answer "fine" about pages the
 * kernel has already thrown away: the writer is then failed for good. A write that failed is cut off again, and the
 * writer goes on, because the truncation was made durable and so proves that the disk still answers.
 */
import { basename } from 'node:path';
import { type FileSystem, hasCode, type OpenFile, toError, writeFully } from '../file-system.ts';
import { type CleanMarker, removeCleanMarker } from './clean-marker.ts';
import type { Group } from './group.ts';
import { createSegment, type Segment } from './segment.ts';

export interface SegmentWriterOptions {
  readonly fs: FileSystem;
  readonly directory: string;
  readonly segmentBytes: number;
  readonly blockBytes: number;
  /** Oldest first, the last one is active. The writer adds to it when it rotates. */
  readonly segments: Segment[];
  readonly file: OpenFile;
  readonly active: Segment;
  readonly clean: boolean;
}

export type WriteOutcome =
  | { readonly status: 'durable' }
  /** Nothing of the group is stored, and the next one may be tried. */
  | { readonly status: 'rolled-back'; readonly error: Error }
  /** Nothing is known of the group if `wrote`, and no further group will be written. */
  | { readonly status: 'failed'; readonly error: Error; readonly wrote: boolean };

export class SegmentWriter {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #segmentBytes: number;
  readonly #blockBytes: number;
  readonly #segments: Segment[];
  #active: Segment;
  #file: OpenFile;
  #clean: boolean;
  /** A rotation was begun and may have left the next segment behind: the active one must not grow any more. */
  #rotating = false;

  constructor(options: SegmentWriterOptions) {
    this.#fs = options.fs;
    this.#directory = options.directory;
    this.#segmentBytes = options.segmentBytes;
    this.#blockBytes = options.blockBytes;
    this.#segments = options.segments;
    this.#active = options.active;
    this.#file = options.file;
    this.#clean = options.clean;
  }

  /** Writes one group after the last durable record. The caller awaits the outcome before it hands over the next. */
  async write(group: Group): Promise<WriteOutcome> {
    try {
      await this.#prepare(group.length);
    } catch (error) {
      // A full disk may have room again later; a disk that fails to sync is not asked again.
      return hasCode(error, 'EIO')
        ? { status: 'failed', error: toError(error), wrote: false }
        : { status: 'rolled-back', error: toError(error) };
    }
    const active = this.#active;
    const at = active.end;
    group.seal(active.seed, at);
    try {
      await writeFully(this.#file, 'group-write', group.buffer, group.length, at);
    } catch (error) {
      return this.#rollBack(at, toError(error));
    }
    try {
      await this.#file.datasync('group-sync');
    } catch (error) {
      return { status: 'failed', error: toError(error), wrote: true };
    }
    for (const record of group.records) active.add(record.bytes, record.entry.facts.length, record.entry.time);
    return { status: 'durable' };
  }

  /** The end of the journal, for the marker of a clean close. */
  get end(): CleanMarker {
    const { path, last, end, history } = this.#active;
    return { epoch: history.epoch, seq: last, segment: basename(path), bytes: end };
  }

  /** True while the marker of the last clean close is still there: nothing was written since. */
  get clean(): boolean {
    return this.#clean;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #prepare(bytes: number): Promise<void> {
    if (this.#clean) {
      await removeCleanMarker(this.#fs, this.#directory);
      this.#clean = false;
    }
    const { end, start, last, history } = this.#active;
    if (!this.#rotating && (end + bytes <= this.#segmentBytes || end === start)) return;
    this.#rotating = true;
    const next = await createSegment(this.#fs, this.#directory, last + 1, history, this.#blockBytes);
    this.#rotating = false;
    const old = this.#file;
    this.#file = next.file;
    this.#active = next.segment;
    this.#segments.push(next.segment);
    await old.close();
  }

  async #rollBack(end: number, error: Error): Promise<WriteOutcome> {
    try {
      await this.#file.truncate('rollback-truncate', end);
      await this.#file.datasync('rollback-sync');
      return { status: 'rolled-back', error };
    } catch (second) {
      return { status: 'failed', error: toError(second), wrote: true };
    }
  }
}
