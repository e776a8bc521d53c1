/**
 * The reference `Log`: in memory, for the emulator, and with faults on request for tests. It keeps LG1–LG10 and LG12–LG15 as far as is possible without
 * a disk, and is the simplest reading of the contract; if another adapter differs from it, one of them is wrong.
 */
import { randomBytes } from 'node:crypto';
import type { Position } from '../protocol/base/position.ts';
import { type Entry, type EntryDraft, lastSeq } from '../protocol/log/entry.ts';
import { encodePayload } from './journal/record.ts';
import { type AppendResult, type Log, LogClosed, type LogStatus, LogTrimmed, LogUnavailable } from './log.ts';
import { Waiter, Wakeups } from './wakeups.ts';

/**
 * The fault of the next append that is not a conflict by itself:
 * - `not-written`: rejects, nothing is stored.
 * - `unknown-stored`: rejects as `unknown`, though the entry was stored.
 * - `unknown-lost`: rejects as `unknown`, and the entry was not stored.
 * - `conflict`: another writer comes first: `rival` is stored, the append answers conflict.
 */
export type MemoryFault =
  | { readonly type: 'not-written' }
  | { readonly type: 'unknown-stored' }
  | { readonly type: 'unknown-lost' }
  | { readonly type: 'conflict'; readonly rival: EntryDraft };

export interface MemoryLogOptions {
  readonly epoch?: string;
  /** The seq at which the log starts, as after a snapshot. */
  readonly start?: number;
  /** Facts kept before a saved snapshot. */
  readonly retentionFacts?: number;
  /** The newest facts that a hold can keep (LG12). Default: all. */
  readonly heldFacts?: number;
}

interface Waiting {
  readonly after: number;
  readonly draft: EntryDraft;
  readonly resolve: (result: AppendResult) => void;
  readonly reject: (error: Error) => void;
}

export class MemoryLog implements Log {
  readonly #epoch: string;
  readonly #retentionFacts: number;
  readonly #heldFacts: number;
  readonly #holds = new Map<string, number>();
  readonly #wakeups = new Wakeups();
  readonly #faults: MemoryFault[] = [];
  #entries: Entry[] = [];
  #queue: Waiting[] = [];
  #tail: number;
  #seq: number;
  /** The seq of the head after the last accepted append. */
  #promised: number;
  #gate: Promise<void> = Promise.resolve();
  #working: Promise<void> | undefined;
  #closing = false;
  #closed = false;

  constructor(options: MemoryLogOptions = {}) {
    this.#epoch = options.epoch ?? randomBytes(12).toString('hex');
    this.#retentionFacts = options.retentionFacts ?? 0;
    this.#heldFacts = options.heldFacts ?? Number.POSITIVE_INFINITY;
    this.#seq = options.start ?? 0;
    this.#tail = this.#seq;
    this.#promised = this.#seq;
  }

  get head(): Position {
    return { epoch: this.#epoch, seq: this.#seq };
  }

  get tail(): number {
    return this.#tail;
  }

  get status(): LogStatus {
    return { state: this.#closing ? 'closed' : 'ready' };
  }

  /** Adds a fault. Each fault applies to one of the next appends, in order. */
  failNext(fault: MemoryFault): void {
    this.#faults.push(fault);
  }

  /** Appends wait until the returned function is called. */
  hold(): () => void {
    let open: () => void = () => {};
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }

  append(after: number, draft: EntryDraft): Promise<AppendResult> {
    if (this.#closing) return Promise.reject(new LogClosed());
    if (after !== this.#promised) return Promise.resolve({ status: 'conflict', head: this.#promised });
    if (draft.facts.length === 0) return Promise.reject(new TypeError('an entry has at least one fact'));
    try {
      encodePayload(draft);
    } catch (error) {
      return Promise.reject(error);
    }
    this.#promised = after + draft.facts.length;
    return new Promise((resolve, reject) => {
      this.#queue.push({ after, draft, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  async end(): Promise<number> {
    if (this.#closing) throw new LogClosed();
    return this.#seq;
  }

  /** There is no other writer. */
  async turn<T>(work: (head: number) => Promise<T>): Promise<T> {
    if (this.#closing) throw new LogClosed();
    return await work(this.#promised);
  }

  async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    const waiter = new Waiter(this.#wakeups, signal);
    try {
      let at = after;
      while (!signal.aborted) {
        if (at < this.#tail) throw new LogTrimmed(at, this.#tail);
        const entry = this.#entryAfter(at);
        if (entry !== undefined) {
          at = lastSeq(entry);
          yield entry;
        } else if (this.#closed) return;
        else await waiter.wait();
      }
    } finally {
      waiter.end();
    }
  }

  async snapshotSaved(seq: number): Promise<void> {
    if (seq > this.#seq) throw new RangeError(`a snapshot at ${seq} is ahead of the log, which ends with ${this.#seq}`);
    const held = Math.max(Math.min(...this.#holds.values()), this.#seq - this.#heldFacts);
    const keepAfter = Math.min(seq, this.#seq - this.#retentionFacts, held);
    const kept = this.#entries.findIndex((entry) => lastSeq(entry) > keepAfter);
    const gone = kept === -1 ? this.#entries : this.#entries.slice(0, kept);
    const newest = gone.at(-1);
    if (newest !== undefined) this.#tail = lastSeq(newest);
    this.#entries = this.#entries.slice(gone.length);
  }

  keepAfter(name: string, after: number | undefined): void {
    if (after === undefined) this.#holds.delete(name);
    else this.#holds.set(name, after);
  }

  async close(): Promise<void> {
    this.#closing = true;
    await this.#working;
    this.#closed = true;
    this.#wakeups.wakeAll();
  }

  async #work(): Promise<void> {
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      await this.#gate;
      this.#settle(next, this.#faults.shift());
    }
    this.#working = undefined;
  }

  #settle({ draft, resolve, reject }: Waiting, fault: MemoryFault | undefined): void {
    switch (fault?.type) {
      case undefined:
        resolve({ status: 'appended', entry: this.#store(draft) });
        return;
      case 'not-written':
        reject(new LogUnavailable('not-written', 'a test asked for this fault'));
        this.#refuseWaiting();
        return;
      case 'unknown-lost':
        reject(new LogUnavailable('unknown', 'a test asked for this fault'));
        this.#refuseWaiting();
        return;
      case 'unknown-stored':
        this.#store(draft);
        reject(new LogUnavailable('unknown', 'a test asked for this fault'));
        return;
      case 'conflict':
        this.#store(fault.rival);
        resolve({ status: 'conflict', head: this.#seq });
        this.#refuseWaiting();
        return;
    }
  }

  /** Appends behind a refused one named a head that will never exist. */
  #refuseWaiting(): void {
    const waiting = this.#queue;
    this.#queue = [];
    this.#promised = this.#seq;
    for (const { reject } of waiting) reject(new LogUnavailable('not-written', 'the append before this one failed'));
  }

  #store(draft: EntryDraft): Entry {
    const entry: Entry = { id: draft.id, time: draft.time, facts: draft.facts, first: this.#seq + 1 };
    this.#entries.push(entry);
    this.#seq = lastSeq(entry);
    this.#wakeups.wakeAll();
    return entry;
  }

  /** The first entry that reaches beyond `after`. */
  #entryAfter(after: number): Entry | undefined {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle];
      if (entry !== undefined && lastSeq(entry) <= after) low = middle + 1;
      else high = middle;
    }
    return this.#entries[low];
  }
}
