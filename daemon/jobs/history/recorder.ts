/**
 * Writes the history of all users: who changed a user, from where, which fields, when. It follows the log independently of
 * requests, and records what it reads.
 *
 * It keeps HY6 and HY7 (daemon/RULES.md).
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Micros } from '../../../protocol/base/time.ts';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import { changeOf } from './record.ts';
import type { HistoryStorage } from './storage.ts';

export interface HistoryRecorderOptions {
  readonly roster: Pick<Roster, 'follow' | 'keptAfter' | 'position'>;
  readonly open: () => Promise<HistoryStorage>;
  /** Time for which a change is kept, milliseconds. */
  readonly keepMs: number;
  /** How long changes are gathered, and the interval at which the position is written when there are no records to write; milliseconds. */
  readonly pace: { readonly flushMs: number; readonly positionMs: number };
  readonly logger: RosterLogger;
  readonly clock: Clock;
  /** Called when everything up to this position was taken. Infinity: nothing more is, for the time being. */
  readonly onReached: (seq: number) => void;
  /** Called when a write failed, and nothing more is done then. Without it, the write is tried again. */
  readonly onFailed?: (error: unknown) => void;
}

const TIDY_MS = 3_600_000;
const RETRY_MS = 5_000;
/** Time of reading after which other work has a turn. */
const SLICE_MS = 2;
/** The clock here and the one of the log are read a little apart. */
const CLOCKS_APART: Micros = 1_000_000;

export class HistoryRecorder {
  readonly #options: HistoryRecorderOptions;
  readonly #stopping = new AbortController();
  #storage: HistoryStorage | undefined;
  /** Whether the storage continues where the log does. */
  #hasBegun = false;
  /** Whether the stored position was compared with the log of this daemon. */
  #isKnown = false;
  #isStuck = false;
  #isFailing = false;
  #flushTimer: NodeJS.Timeout | undefined;
  #tidyTimer: NodeJS.Timeout | undefined;
  #positionMs = 0;
  #sliceEndMs = 0;
  /** The operation that changes the storage at the moment. No change is taken meanwhile. */
  #writing: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: HistoryRecorderOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#run();
    this.#tidyTimer = setInterval(() => void this.#tidy().catch((error: unknown) => this.#failed(error)), TIDY_MS).unref();
  }

  /** Writes the changes that were read. Resolves when everything has stopped. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#tidyTimer);
    this.#options.onReached(Number.POSITIVE_INFINITY);
    await this.#running;
    clearTimeout(this.#flushTimer);
    await this.#exclusive((storage) => storage.flush()).catch((error: unknown) => this.#failed(error));
  }

  /** The seq up to which changes were taken; undefined while it is not known what the log has after it. */
  get reached(): number | undefined {
    return this.#hasBegun && !this.#stopping.signal.aborted ? this.#storage?.position?.seq : undefined;
  }

  /** Whether reading has stopped until the next attempt. */
  get isStuck(): boolean {
    return this.#isStuck;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        this.#storage ??= await this.#options.open();
        await this.#begin(this.#storage);
        await this.#follow(this.#storage);
        // The log is closed: another round would find it so again.
        return;
      } catch (error) {
        if (signal.aborted) return;
        const isBehindLog = this.#hasBegun && (this.#storage?.position?.seq ?? 0) < this.#options.roster.keptAfter;
        this.#hasBegun = false;
        // The log has dropped the next entries: the next round begins with those that it still has.
        if (isBehindLog) continue;
        this.#failed(error);
        if (signal.aborted) return;
        this.#isStuck = true;
        this.#options.onReached(Number.POSITIVE_INFINITY);
        await this.#options.clock.sleep(RETRY_MS, signal);
        this.#isStuck = false;
      }
    }
  }

  /** Continues the history where it ended, or begins again where the log does if it no longer has, or never had, that position. */
  async #begin(storage: HistoryStorage): Promise<void> {
    const { roster, logger } = this.#options;
    const { epoch, seq: head } = roster.position;
    const tail = roster.keptAfter;
    const { position } = storage;
    const isSame = position?.epoch === epoch;
    // Only at the start: later it may be ahead of the applied directory.
    const isAhead = isSame && position.seq > head && storage.mayBeAhead && !this.#isKnown;
    if (!isSame || position.seq < tail || isAhead) {
      const after = isAhead ? head : tail;
      const time = await this.#timeAfter(after, head);
      logger.info({ epoch, after, was: position }, 'the history of users begins anew');
      await this.#exclusive(() => storage.begin({ epoch, after, time }));
    }
    this.#isKnown = true;
    await this.#tidy();
    this.#hasBegun = true;
    this.#succeeded();
    this.#options.onReached(storage.position?.seq ?? 0);
  }

  /** The time from which on nothing is missing for a reader that begins after `after`. */
  async #timeAfter(after: number, head: number): Promise<Micros> {
    if (after < head) for await (const entry of this.#options.roster.follow(after, this.#stopping.signal)) return this.#timeOf(entry);
    return this.#options.clock.now() * 1_000;
  }

  async #follow(storage: HistoryStorage): Promise<void> {
    const { signal } = this.#stopping;
    for await (const entry of this.#options.roster.follow(storage.position?.seq ?? 0, signal)) {
      if (performance.now() >= this.#sliceEndMs) {
        await nextTurn();
        this.#sliceEndMs = performance.now() + SLICE_MS;
      }
      await this.#take(storage, entry);
    }
  }

  async #take(storage: HistoryStorage, entry: Entry): Promise<void> {
    let seq = entry.first;
    const time = this.#timeOf(entry);
    for (const fact of entry.facts) {
      const change = changeOf(fact, seq++, time);
      if (change === undefined) continue;
      while (this.#mustWait(storage)) await this.#makeRoom();
      storage.append(change);
    }
    while (this.#mustWait(storage)) await this.#makeRoom();
    storage.advance(lastSeq(entry), time);
    this.#options.onReached(lastSeq(entry));
    this.#flushTimer ??= setTimeout(() => this.#flushInTime(), this.#options.pace.flushMs);
  }

  /** Ages are counted from the wall clock, and the log may be ahead of it: nothing happened later than now. */
  #timeOf({ time }: Entry): Micros {
    const now = Math.round(this.#options.clock.now() * 1_000);
    return time > now + CLOCKS_APART ? now : time;
  }

  #mustWait(storage: HistoryStorage): boolean {
    return this.#writing !== undefined || storage.isFull;
  }

  /** Rejects when the storage is full and cannot be written. Failures of other writes are reported by those who started them. */
  #makeRoom(): Promise<void> {
    return this.#writing === undefined ? this.#flush() : this.#writing.catch(() => {});
  }

  #flushInTime(): void {
    this.#flushTimer = undefined;
    // The last write is that of the stop; after a failure that ends the work, there is none.
    if (this.#stopping.signal.aborted) return;
    const nowMs = this.#options.clock.now();
    if (this.#storage?.hasRecords !== true && nowMs - this.#positionMs < this.#options.pace.positionMs) return;
    void this.#flush().catch((error: unknown) => this.#failed(error));
  }

  async #flush(): Promise<void> {
    await this.#exclusive((storage) => storage.flush());
    this.#positionMs = this.#options.clock.now();
    this.#succeeded();
  }

  #succeeded(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.logger.info({}, 'the history of users goes on');
  }

  #tidy(): Promise<void> {
    return this.#exclusive(async (storage) => {
      await storage.flush();
      await storage.tidy(this.#options.clock.now() * 1_000, this.#options.keepMs * 1_000);
    });
  }

  /** Runs one operation on the storage at a time, and never while a change is taken. */
  async #exclusive(work: (storage: HistoryStorage) => Promise<void>): Promise<void> {
    while (this.#writing !== undefined) await this.#writing.catch(() => {});
    const storage = this.#storage;
    if (storage === undefined) return;
    const writing = work(storage).finally(() => {
      if (this.#writing === writing) this.#writing = undefined;
    });
    this.#writing = writing;
    await writing;
  }

  /** Reports the first failure only, until a write succeeds. */
  #failed(error: unknown): void {
    const { onFailed } = this.#options;
    if (onFailed !== undefined) {
      this.#stopping.abort();
      onFailed(error);
      return;
    }
    if (!this.#isFailing) this.#options.logger.error({ err: error }, 'the history of users cannot be written; it is tried again');
    this.#isFailing = true;
    this.#flushTimer ??= this.#stopping.signal.aborted ? undefined : setTimeout(() => this.#flushInTime(), RETRY_MS);
  }
}
