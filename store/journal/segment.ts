/**
 * A segment: one file of the journal, named by the seq of its first fact, holding a header record and then one record per entry.
 *
 * This file has the names of segments, the creation of a new one, and the state of one in memory: its end, its last
 * seq, and a sparse index of marks (about one per block) so that a reader never scans from the segment's start.
 */
import { join } from 'node:path';
import { isObject } from '../../protocol/base/json.ts';
import { AppendFile } from '../append-file.ts';
import type { FileSystem } from '../file-system.ts';
import { encodeRecord, KIND_SEGMENT, SEGMENT_VERSION, segmentSeed } from './record.ts';

const NAME = /^(\d{16})\.journal$/;

/** The epoch of a segment and the origin of that epoch. Every segment has it, so that the oldest kept segment suffices to know it. */
export interface Lineage {
  readonly epoch: string;
  /** The seq at which the epoch began: 0, or that of the snapshot from which it began. */
  readonly start: number;
  /** The epoch of that snapshot. */
  readonly parent: string | null;
}

export interface Mark {
  /** Seq of the first fact of the record at `offset`. */
  readonly seq: number;
  readonly offset: number;
}

export function segmentName(first: number): string {
  return `${String(first).padStart(16, '0')}.journal`;
}

/** The first seq in a segment's name, or undefined when the file is not a segment. */
export function segmentFirst(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

export class Segment {
  readonly path: string;
  readonly first: number;
  readonly seed: number;
  readonly lineage: Lineage;
  /** Records begin here, bytes. */
  readonly start: number;
  readonly marks: Mark[] = [];
  readonly #blockBytes: number;
  /** Everything before this offset is durable and checked. */
  #end: number;
  #last: number;
  #lastTime = 0;
  #firstTime: number | undefined;

  constructor(path: string, first: number, lineage: Lineage, headerBytes: number, blockBytes: number) {
    this.path = path;
    this.first = first;
    this.seed = segmentSeed(first);
    this.lineage = lineage;
    this.start = headerBytes;
    this.#blockBytes = blockBytes;
    this.#end = headerBytes;
    this.#last = first - 1;
  }

  get end(): number {
    return this.#end;
  }

  /** Seq of the last fact; `first - 1` while the segment holds no entry. */
  get last(): number {
    return this.#last;
  }

  /** Time of the last entry in microseconds, for its age; 0 while there is none. */
  get lastTime(): number {
    return this.#lastTime;
  }

  /** Of the first entry, as above; undefined while there is none. */
  get firstTime(): number | undefined {
    return this.#firstTime;
  }

  get facts(): number {
    return this.#last - this.first + 1;
  }

  /** Adds a durable record of `bytes` bytes with `facts` facts after the known ones. */
  add(bytes: number, facts: number, time: number): void {
    const mark = this.marks.at(-1);
    if (mark === undefined || this.#end + bytes - mark.offset > this.#blockBytes)
      this.marks.push({ seq: this.#last + 1, offset: this.#end });
    this.#end += bytes;
    this.#last += facts;
    this.#lastTime = time;
    this.#firstTime ??= time;
  }
}

/** Creates the segment that begins at `first`, durably, and returns it with its file open for writing. */
export async function createSegment(
  fs: FileSystem,
  directory: string,
  first: number,
  lineage: Lineage,
  blockBytes: number,
): Promise<{ segment: Segment; file: AppendFile }> {
  const name = segmentName(first);
  const header = encodeRecord(KIND_SEGMENT, SEGMENT_VERSION, first, JSON.stringify(lineage), segmentSeed(first));
  const file = await AppendFile.create(fs, directory, name, header, 'synced');
  return { segment: new Segment(join(directory, name), first, lineage, header.length, blockBytes), file };
}

/** The lineage in the payload of a segment header, or undefined when it is not one. */
export function parseLineage(payload: string): Lineage | undefined {
  let value: unknown;
  try {
    value = JSON.parse(payload);
  } catch {
    return undefined;
  }
  if (!isObject(value) || typeof value.epoch !== 'string' || typeof value.start !== 'number') return undefined;
  const parent = value.parent;
  return parent === null || typeof parent === 'string' ? { epoch: value.epoch, start: value.start, parent } : undefined;
}
