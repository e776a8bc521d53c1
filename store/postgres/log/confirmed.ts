/**
 * What is known of the log, and how much of it may be read (PL4). An entry that is visible in the database need not be replicated: a commit
 * whose wait for the standby was cut short is visible, and a failover loses it. Readers get entries only up to the confirmed end.
 */
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { RecentEntries } from '../../journal/recent-entries.ts';
import { Wakeups } from '../../wakeups.ts';
import type { EntryFormats } from './formats.ts';
import type { KnownEnd } from './head.ts';
import type { ReadEntry } from './wire.ts';

/** Entries that a conflict brought along and nobody has confirmed yet: a few answers of the server at most. */
const AHEAD_MAX = 200;

export class Confirmed {
  readonly wakeups = new Wakeups();
  readonly #recentBytes: number;
  #recent: RecentEntries;
  /** The last seq in `#recent`; undefined while it is empty. */
  #recentEnd: number | undefined;
  #ahead: ReadEntry[] = [];
  #end: KnownEnd;
  #tail: number;
  /** The value that the next append names; another writer raises it when its answer was lost. */
  fence: number;
  /** Of the entries that are written. */
  format: number;
  readonly formats: EntryFormats;

  constructor(end: KnownEnd, tail: number, head: { fence: number; format: number }, recentBytes: number, formats: EntryFormats) {
    this.#end = end;
    this.#tail = tail;
    this.fence = head.fence;
    this.format = head.format;
    this.formats = formats;
    this.#recentBytes = recentBytes;
    this.#recent = new RecentEntries(recentBytes);
  }

  /** Everything up to here was acknowledged by a clean commit after it. */
  get end(): KnownEnd {
    return this.#end;
  }

  get tail(): number {
    return this.#tail;
  }

  raiseTail(tail: number): void {
    if (tail <= this.#tail) return;
    this.#tail = tail;
    this.wakeups.wakeAll();
  }

  /** Everything up to `seq`, where the entry `id` ends, is confirmed. */
  raise(seq: number, id: string | undefined): void {
    if (seq <= this.#end.seq) return;
    this.#end = { epoch: this.#end.epoch, seq, id };
    const due = this.#ahead.filter(({ entry }) => lastSeq(entry) <= seq);
    this.#ahead = this.#ahead.filter(({ entry }) => lastSeq(entry) > seq);
    this.keep(due);
    this.wakeups.wakeAll();
  }

  /** Entries that this process stored, with a clean acknowledgement. */
  own(stored: readonly ReadEntry[]): void {
    this.keep(stored);
    const newest = stored.at(-1);
    if (newest !== undefined) this.raise(lastSeq(newest.entry), newest.entry.id);
  }

  /** Entries that exist and may vanish again. */
  offer(entries: readonly ReadEntry[]): void {
    const after = this.#ahead.at(-1);
    const from = Math.max(this.#end.seq, after === undefined ? 0 : lastSeq(after.entry));
    this.#ahead.push(...entries.filter(({ entry }) => entry.first > from));
    if (this.#ahead.length > AHEAD_MAX) this.#ahead = [];
  }

  /** After another connection was made, what was not confirmed may have become something else. */
  forgetAhead(): void {
    this.#ahead = [];
  }

  /** Keeps confirmed entries for readers, as far as they follow what is kept without a hole. */
  keep(entries: readonly ReadEntry[]): void {
    for (const { entry, bytes } of entries) {
      const end = this.#recentEnd;
      if (end !== undefined && entry.first <= end) continue;
      if (end !== undefined && entry.first > end + 1) this.#recent = new RecentEntries(this.#recentBytes);
      this.#recent.push(entry, bytes);
      this.#recentEnd = lastSeq(entry);
    }
  }

  /** The entry with seq `after + 1`, if it is in memory and confirmed. */
  recent(after: number): Entry | undefined {
    const entry = this.#recent.after(after);
    return entry !== undefined && lastSeq(entry) <= this.#end.seq ? entry : undefined;
  }
}
