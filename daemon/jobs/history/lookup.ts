/**
 * Finds the changes of one user, newest first, over all segments.
 *
 * Where a segment begins after the end of the one before it, changes are missing: an item `gap` between the changes on both
 * sides shows this, and so does the time from which nothing is missing. Where it begins before that end (the log lost its
 * end, or began again from a snapshot), undone changes are left out.
 */

import type { Micros } from '../../../protocol/base/time.ts';
import type { HistoryItem } from '../../../protocol/users/history.ts';
import { decodeLine, type HistoryRecord, hashOf, RECORD_BYTES_MAX } from './record.ts';
import { HistoryDamaged, type HistorySegment } from './segment.ts';

export interface HistoryQuestion {
  readonly id: string;
  /** Items of the page, 1 or more. */
  readonly limit: number;
  /** Only changes with a smaller seq. */
  readonly before?: number | undefined;
}

export interface HistoryPage {
  /** Newest first. */
  readonly items: readonly HistoryItem[];
  /** When there are more items: `before` of the next page. */
  readonly next?: number;
  /** From this time on the history is complete. */
  readonly from: Micros;
}

export interface LookupOptions {
  /** Oldest first, at least one. */
  readonly segments: readonly HistorySegment[];
  /** Older changes are not shown. */
  readonly notBefore: Micros;
  /** Whether a segment was removed during the lookup, because it expired. */
  readonly isGone: (segment: HistorySegment) => boolean;
  /** Called when a segment cannot be read; the history ends after it. */
  readonly onDamaged: (error: HistoryDamaged) => void;
}

/** Bytes per read; the records of a user that changes often lie close together. */
const WINDOW_BYTES = 16 * 1024;
/** Bytes of a read that follow the wanted record. */
const AHEAD_BYTES = 2 * 1024;
const LINE_END = 0x0a;

/** A page of the history of one user. Rejects with an error of the file system. */
export async function lookUp({ id, limit, before }: HistoryQuestion, options: LookupOptions): Promise<HistoryPage> {
  const { segments, notBefore, isGone, onDamaged } = options;
  const items: HistoryItem[] = [];
  const end = (from: Micros): HistoryPage => {
    const page = { items: items.slice(0, limit), from: Math.max(from, notBefore) };
    const last = page.items.at(-1);
    return items.length > limit && last !== undefined ? { ...page, next: last.seq } : page;
  };
  let below = before ?? Number.POSITIVE_INFINITY;
  let newer: HistorySegment | undefined;
  let gap: HistoryItem | undefined;
  const from = completeFrom(segments);
  for (const segment of segments.toReversed()) {
    if (newer !== undefined && segment.seq < newer.header.after) gap = { seq: newer.header.after, at: newer.header.time, event: 'gap' };
    if (newer !== undefined) below = Math.min(below, newer.header.after + 1);
    newer = segment;
    if (segment.header.after + 1 >= below) continue;
    try {
      for await (const item of recordsOf(segment, id, below)) {
        // Later ones need not be older: the clock may have been set back.
        if (item.at < notBefore) continue;
        if (gap !== undefined && gap.seq < (before ?? Number.POSITIVE_INFINITY)) items.push(gap);
        gap = undefined;
        items.push(item);
        if (items.length > limit) return end(from);
      }
    } catch (error) {
      if (isGone(segment)) return end(Math.max(from, segment.time));
      if (!(error instanceof HistoryDamaged)) throw error;
      onDamaged(error);
      return end(Math.max(from, segment.time));
    }
  }
  return end(from);
}

/** Start of the newest stretch without a gap. */
function completeFrom(segments: readonly HistorySegment[]): Micros {
  let at = segments.length - 1;
  while (at > 0 && (segments[at - 1]?.seq ?? 0) >= (segments[at]?.header.after ?? 0)) at--;
  return segments[at]?.header.time ?? 0;
}

/** The records of the user in the segment, newest first. */
async function* recordsOf(segment: HistorySegment, id: string, below: number): AsyncGenerator<HistoryItem, void, undefined> {
  const { salt, slots } = segment.header;
  const hash = hashOf(id, salt);
  const window = new Window(segment);
  let at = await segment.head(hash & (slots - 1));
  while (at !== 0) {
    const { id: found, item, prev, skip } = window.record(at) ?? (await window.load(at));
    if (found === id && item.seq < below) yield item;
    // For ids with the same hash, records are compared one by one.
    const next: number = found === id || hashOf(found, salt) === hash ? prev : skip;
    if (next >= at) throw new HistoryDamaged(`segment ${segment.place.number}`, `the record at ${at} leads to ${next}`);
    at = next;
  }
}

/** The part of a segment that was read last. */
class Window {
  readonly #segment: HistorySegment;
  #bytes: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(segment: HistorySegment) {
    this.#segment = segment;
  }

  /** The record at this place, if it is in the part read last. */
  record(at: number): HistoryRecord | undefined {
    if (at < this.#start) return undefined;
    const line = at - this.#start;
    const end = this.#bytes.indexOf(LINE_END, line);
    return end < 0 ? undefined : decodeLine(this.#bytes.toString('utf8', line, end));
  }

  /** Reads the record at this place. Rejects with HistoryDamaged when there is none. */
  async load(at: number): Promise<HistoryRecord> {
    await this.#read(Math.max(0, at + AHEAD_BYTES - WINDOW_BYTES), WINDOW_BYTES);
    const record = this.record(at);
    if (record !== undefined) return record;
    await this.#read(at, RECORD_BYTES_MAX);
    const long = this.record(at);
    if (long === undefined) throw new HistoryDamaged(`segment ${this.#segment.place.number}`, `there is no record at ${at}`);
    return long;
  }

  async #read(start: number, length: number): Promise<void> {
    const buffer = Buffer.allocUnsafe(length);
    const read = await this.#segment.read(buffer, start);
    this.#bytes = buffer.subarray(0, read);
    this.#start = start;
  }
}
