/**
 * The journal: the `Log` on a local disk. It keeps LG1–LG10 and LG12–LG15 (store/log.ts) with one fdatasync per group of appends.
 *
 * Appends are encoded when they arrive and gathered into a group; while one group is being written, the next one
 * forms. Nothing is served, counted in `head` or answered before its group is durable. Readers that keep up get the
 * entries by reference; all others read the files.
 */
import type { Position } from '../../protocol/base/position.ts';
import { type Entry, type EntryDraft, lastSeq } from '../../protocol/log/entry.ts';
import { hasCode, notWritten } from '../disk-errors.ts';
import type { OnStoreEvent } from '../events.ts';
import { type FileSystem, toError } from '../file-system.ts';
import { type AppendResult, type Log, LogClosed, LogDamaged, type LogStatus, LogTrimmed, LogUnavailable } from '../log.ts';
import { nodeFileSystem } from '../node-file-system.ts';
import { Waiter, Wakeups } from '../wakeups.ts';
import { BlockReader } from './block-reader.ts';
import { writeCleanMarker } from './clean-marker.ts';
import { Group } from './group.ts';
import { JOURNAL_DEFAULTS, type JournalOptions } from './options.ts';
import { Pace } from './pace.ts';
import { RecentEntries } from './recent-entries.ts';
import { encodePayload, RECORD_HEADER_BYTES } from './record.ts';
import { type Recovered, recover } from './recovery.ts';
import { DEFAULT_RETENTION } from './retention.ts';
import type { Segment } from './segment.ts';
import { SegmentWriter, type WriteOutcome } from './segment-writer.ts';
import { Trimmer } from './trimmer.ts';

/** Two buffers alternate: one is filled while the other is written. Longer ones are not kept. */
const SPARE_BUFFERS = 2;
const SPARE_BYTES = 1024 * 1024;

/** A reader that got this many entries without waiting is catching up, and observes the pace. */
const PACED_ENTRIES = 8;

/** `failed` is permanent: only a new process can find out the state of the disk. */
type State = { readonly name: 'open' } | { readonly name: 'failed'; readonly error: Error } | { readonly name: 'closed' };

export class Journal implements Log {
  readonly #fs: FileSystem;
  readonly #directory: string;
  readonly #groupBytes: number;
  readonly #pendingBytesMax: number;
  readonly #onEvent: OnStoreEvent;
  readonly #epoch: string;
  readonly #segments: Segment[];
  readonly #writer: SegmentWriter;
  readonly trimmer: Trimmer;
  readonly #recent: RecentEntries;
  readonly #blocks: BlockReader;
  readonly #wakeups = new Wakeups();
  readonly #pace = new Pace();
  readonly #spares: Buffer[] = [];
  /** Groups not yet handed to the writer, oldest first. The last one still accepts records. */
  #groups: Group[] = [];
  #pendingBytes = 0;
  #state: State = { name: 'open' };
  #head: Position;
  /** The seq of the head after the last accepted append. */
  #promised: number;
  /** Resolves when all accepted appends are answered. */
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  /** Opens or begins the journal. Throws LogDamaged (LG9), StoreVersionMismatch, or an error of the file system. */
  static async open(options: JournalOptions): Promise<Journal> {
    const fs = options.fileSystem ?? nodeFileSystem;
    await fs.makeDirectory(options.directory);
    const recovered = await recover({
      fs,
      directory: options.directory,
      ...{ snapshot: options.snapshot, begin: options.begin },
      blockBytes: options.blockBytes ?? JOURNAL_DEFAULTS.blockBytes,
      onEvent: options.onEvent ?? (() => {}),
    });
    return new Journal(options, fs, recovered);
  }

  private constructor(options: JournalOptions, fs: FileSystem, recovered: Recovered) {
    const { segments, file, clean, lineage, dropTail } = recovered;
    const active = segments.at(-1);
    if (active === undefined) throw new Error('a journal has at least one segment');
    this.#fs = fs;
    this.#directory = options.directory;
    const { segmentBytes, heldBytes, groupBytes, pendingBytes, recentBytes, blockBytes, cacheBytes } = { ...JOURNAL_DEFAULTS, ...options };
    this.#groupBytes = groupBytes;
    this.#pendingBytesMax = pendingBytes;
    this.#onEvent = options.onEvent ?? (() => {});
    this.#epoch = lineage.epoch;
    this.#segments = segments;
    const now = options.now ?? Date.now;
    const place = { fs, directory: options.directory, segments, now };
    this.#writer = new SegmentWriter({ ...place, segmentBytes, blockBytes, file, active, clean, dropTail, onStored: options.onStored });
    this.#recent = new RecentEntries(recentBytes);
    this.#blocks = new BlockReader(fs, cacheBytes);
    this.#head = { epoch: lineage.epoch, seq: active.last };
    this.#promised = active.last;
    this.trimmer = new Trimmer({
      ...{ ...place, heldBytes, onEvent: this.#onEvent },
      covered: options.snapshot?.seq ?? 0,
      retention: { ...DEFAULT_RETENTION, ...options.retention },
    });
  }

  get head(): Position {
    return this.#head;
  }

  get tail(): number {
    return this.trimmer.tail;
  }

  get status(): LogStatus {
    if (this.#closing !== undefined) return { state: 'closed' };
    return this.#state.name === 'failed' ? { state: 'failed', reason: this.#state.error.message } : { state: 'ready' };
  }

  append(after: number, draft: EntryDraft): Promise<AppendResult> {
    if (this.#closing !== undefined) return Promise.reject(new LogClosed());
    if (this.#state.name === 'failed')
      return Promise.reject(notWritten('the journal has failed and must be reopened by a restart', this.#state.error));
    if (after !== this.#promised) return Promise.resolve({ status: 'conflict', head: this.#promised });
    if (draft.facts.length === 0) return Promise.reject(new TypeError('an entry has at least one fact'));
    let payload: string;
    try {
      payload = encodePayload(draft);
    } catch (error) {
      // Not a LogUnavailable, since another attempt would not help.
      return Promise.reject(toError(error));
    }
    const payloadBytes = Buffer.byteLength(payload);
    if (this.#pendingBytes + payloadBytes > this.#pendingBytesMax)
      return Promise.reject(notWritten('too many appends are waiting for the disk'));
    const entry: Entry = { id: draft.id, time: draft.time, facts: draft.facts, first: after + 1 };
    return new Promise((resolve, reject) => {
      this.#openGroup(payloadBytes).add(entry, payload, payloadBytes, resolve, reject);
      this.#pendingBytes += payloadBytes + RECORD_HEADER_BYTES;
      this.#promised = lastSeq(entry);
      this.#writing ??= this.#writeGroups();
    });
  }

  /** The directory is locked: nobody else writes, so what this process knows is the newest state. */
  async end(): Promise<number> {
    if (this.#closing !== undefined) throw new LogClosed();
    return this.#head.seq;
  }

  async turn<T>(work: (head: number) => Promise<T>): Promise<T> {
    if (this.#closing !== undefined) throw new LogClosed();
    return await work(this.#promised);
  }

  async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    const waiter = new Waiter(this.#wakeups, signal);
    try {
      if (after < this.tail) throw new LogTrimmed(after, this.tail);
      let at = after;
      let inARow = 0;
      while (!signal.aborted) {
        if (at >= this.#head.seq) {
          if (this.#state.name === 'closed') return;
          await waiter.wait();
          inARow = 0;
          continue;
        }
        const recent = this.#recent.after(at);
        const entries = recent === undefined ? await this.#readBlock(at) : [recent];
        for (const entry of entries) {
          if (lastSeq(entry) <= at) continue;
          if (signal.aborted) return;
          at = lastSeq(entry);
          yield entry;
          if (++inARow % PACED_ENTRIES === 0) await this.#pace.keep();
        }
      }
    } finally {
      waiter.end();
    }
  }

  snapshotSaved(seq: number): Promise<void> {
    if (seq > this.#head.seq)
      return Promise.reject(new RangeError(`a snapshot at ${seq} is ahead of the journal, which ends with ${this.#head.seq}`));
    if (this.#closing !== undefined) return Promise.reject(new LogClosed());
    return this.trimmer.snapshotSaved(seq);
  }

  keepAfter(name: string, after: number | undefined): void {
    this.trimmer.hold(name, after);
  }

  close(): Promise<void> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  /** The group for the next record; a new one when the last is full. */
  #openGroup(payloadBytes: number): Group {
    const last = this.#groups.at(-1);
    if (last !== undefined && last.length + payloadBytes + RECORD_HEADER_BYTES <= this.#groupBytes) return last;
    const group = new Group(this.#spares.pop() ?? Buffer.allocUnsafeSlow(SPARE_BYTES));
    this.#groups.push(group);
    return group;
  }

  async #writeGroups(): Promise<void> {
    // Callers that were answered together append again together: waits until all of them have run, so that they share a sync.
    await new Promise<void>((resolve) => process.nextTick(resolve));
    for (let group = this.#groups.shift(); group !== undefined; group = this.#groups.shift()) {
      this.#settle(group, await this.#writer.write(group));
      if (group.buffer.length <= SPARE_BYTES * 2 && this.#spares.length < SPARE_BUFFERS) this.#spares.push(group.buffer);
      if (this.#groups.length === 0) await new Promise<void>((resolve) => process.nextTick(resolve));
    }
    this.#writing = undefined;
  }

  #settle(group: Group, outcome: WriteOutcome): void {
    switch (outcome.status) {
      case 'durable':
        this.#commit(group);
        return;
      case 'rolled-back':
        this.#onEvent({ type: 'append-rolled-back', error: outcome.error });
        this.#refuse([group, ...this.#groups], notWritten('the disk refused the entry', outcome.error));
        return;
      case 'failed': {
        this.#state = { name: 'failed', error: outcome.error };
        this.#onEvent({ type: 'journal-failed', error: outcome.error });
        const text = 'the disk failed; restart to find out what is stored';
        const waiting = this.#groups;
        this.#refuse([group], new LogUnavailable(outcome.wrote ? 'unknown' : 'not-written', text, { cause: outcome.error }));
        this.#refuse(waiting, notWritten(text, outcome.error));
        return;
      }
    }
  }

  #commit(group: Group): void {
    const last = group.records.at(-1);
    if (last === undefined) throw new Error('a group has at least one record');
    this.#head = { epoch: this.#epoch, seq: lastSeq(last.entry) };
    for (const { entry, bytes, resolve } of group.records) {
      this.#pendingBytes -= bytes;
      this.#recent.push(entry, bytes);
      resolve({ status: 'appended', entry });
    }
    this.#wakeups.wakeAll();
  }

  /** Appends behind a refused one named a head that will never exist, so they are refused with it. */
  #refuse(groups: readonly Group[], error: LogUnavailable): void {
    this.#groups = [];
    this.#promised = this.#head.seq;
    for (const group of groups) {
      for (const { bytes, reject } of group.records) {
        this.#pendingBytes -= bytes;
        reject(error);
      }
    }
  }

  async #readBlock(after: number): Promise<readonly Entry[]> {
    if (after < this.tail) throw new LogTrimmed(after, this.tail);
    const segment = this.#segments.find(({ last }) => last > after);
    if (segment === undefined) throw new Error(`no segment holds seq ${after + 1}`);
    try {
      return await this.#blocks.block(segment, after);
    } catch (error) {
      // Retention may have removed the file meanwhile; then nothing is damaged.
      if (after < this.tail) throw new LogTrimmed(after, this.tail);
      if (hasCode(error, 'ENOENT')) throw new LogDamaged(segment.path, 0, 'the file is gone');
      throw error;
    }
  }

  async #finish(): Promise<void> {
    await this.#writing;
    await this.trimmer.idle();
    const unchanged = this.#writer.clean;
    const failed = this.#state.name === 'failed';
    this.#state = { name: 'closed' };
    this.#wakeups.wakeAll();
    await this.#writer.close();
    // A torn tail that is still there must not look like the end of a clean close.
    if (failed || unchanged || this.#writer.hasTail) return;
    // All accepted appends are durable; without the marker, the next open only has to be more tolerant of the last record.
    const noMarker = (error: unknown): void => this.#onEvent({ type: 'clean-marker-failed', error: toError(error) });
    await writeCleanMarker(this.#fs, this.#directory, this.#writer.end).catch(noMarker);
  }
}
