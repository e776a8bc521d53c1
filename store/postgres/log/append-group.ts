/** Entries that one call stores, all or none, and whoever waits for them. */
import { crc32 } from 'node:zlib';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { RECORD_HEADER_BYTES } from '../../journal/record.ts';
import type { AppendResult } from '../../log.ts';
import { byteaArray, type ReadEntry } from './wire.ts';

/** One append. It is answered once: by its outcome, or at its deadline, whichever comes first. */
export interface PendingAppend extends ReadEntry {
  readonly payload: string;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
  readonly deadline: NodeJS.Timeout;
}

export class AppendGroup {
  readonly records: readonly PendingAppend[];
  readonly after: number;
  /**
   * - `waiting`: nothing was sent; it is safe to forget it.
   * - `sent`: an answer is expected.
   * - `unknown`: it was sent, and the answer was lost or unclean. It must be found out before anything else is sent.
   */
  state: 'waiting' | 'sent' | 'unknown' = 'waiting';
  /** Its callers were answered at their deadline. */
  isAbandoned = false;

  constructor(after: number, records: readonly PendingAppend[]) {
    this.after = after;
    this.records = records;
  }

  /** The entry at the end; the group is stored exactly when this one is. */
  get newest(): Entry {
    const newest = this.records.at(-1);
    if (newest === undefined) throw new Error('a group has at least one entry');
    return newest.entry;
  }

  /** The arguments of `rosterd.append` after the application, the epoch, the head and the fence, for entries of this format. */
  arguments(format: number): readonly unknown[] {
    const entries = this.records.map(({ entry }) => entry);
    const payloads = this.records.map(({ payload }) => payload);
    let sum = 0;
    const sums = this.records.map(({ bytes }) => {
      sum += bytes;
      return sum;
    });
    return [
      entries.map(lastSeq),
      entries.map(({ first }) => first),
      entries.map(({ id }) => id),
      entries.map(({ time }) => time),
      format,
      payloads.map((payload) => crc32(payload)),
      sums,
      byteaArray(payloads),
    ];
  }
}

export function pendingBytes(payload: string): number {
  return Buffer.byteLength(payload) + RECORD_HEADER_BYTES;
}

/** As many as one call takes, each naming the head that the one before it leaves. At least one. */
export function takeGroup(queue: PendingAppend[], bytesMax: number): AppendGroup | undefined {
  const [first] = queue;
  if (first === undefined) return undefined;
  let count = 0;
  let bytes = 0;
  let next = first.entry.first;
  for (const record of queue) {
    if (record.entry.first !== next || (count > 0 && bytes + record.bytes > bytesMax)) break;
    next = lastSeq(record.entry) + 1;
    bytes += record.bytes;
    count++;
  }
  return new AppendGroup(first.entry.first - 1, queue.splice(0, count));
}
