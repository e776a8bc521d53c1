/**
 * Keeps the history of all users: who changed a user, from where, which fields, when. It follows the log independently of
 * requests, and records what it reads (files.ts).
 *
 * It keeps HY5–HY8 (daemon/RULES.md).
 */
import { rm } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import type { FileSystem } from '../../../store/file-system.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import { HistoryFiles } from './files.ts';
import type { HistoryPage, HistoryQuestion } from './lookup.ts';
import { changeOf } from './record.ts';

export interface HistoryJobOptions {
  readonly roster: Pick<Roster, 'follow' | 'keptAfter' | 'position'>;
  readonly folder: string;
  /** Time for which a change is kept, milliseconds. 0: nothing is kept. */
  readonly keepMs: number;
  readonly bytesMax: number;
  readonly logger: RosterLogger;
  readonly clock?: Clock;
  readonly fileSystem?: FileSystem;
}

/** Changes are gathered for this time. Until then lookups find them in memory, and after a crash they are in the log. */
const FLUSH_MS = 1_000;
/** Interval at which the position is written when there are no records to write. */
const POSITION_MS = 60_000;
const TIDY_MS = 3_600_000;
const RETRY_MS = 5_000;
/** Longest time that a lookup waits for changes acknowledged before it. */
const WAIT_MS = 5_000;
/** Time of reading after which other work has a turn. */
const SLICE_MS = 2;
/** The clock here and the one of the log are read a little apart. */
const CLOCKS_APART: Micros = 1_000_000;

type Waiter = { readonly seq: number; readonly resolve: () => void };

export class HistoryJob {
  readonly #options: HistoryJobOptions;
  readonly #clock: Clock;
  readonly #stopping = new AbortController();
  #files: HistoryFiles | undefined;
  /** Whether the files continue where the log does. */
  #hasBegun = false;
  /** Whether the position in the files was compared with the log of this daemon. */
  #isKnown = false;
  /** Whether reading has stopped until the next attempt. */
  #isStuck = false;
  #isFailing = false;
  #waiters: Waiter[] = [];
  #flushTimer: NodeJS.Timeout | undefined;
  #tidyTimer: NodeJS.Timeout | undefined;
  #positionMs = 0;
  #sliceEndMs = 0;
  /** The operation that changes the files at the moment. No change is taken meanwhile. */
  #writing: Promise<void> | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: HistoryJobOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  start(): void {
    this.#running = this.#options.keepMs === 0 ? this.#forget() : this.#run();
    if (this.#options.keepMs === 0) return;
    this.#tidyTimer = setInterval(() => void this.#tidy().catch((error: unknown) => this.#failed(error)), TIDY_MS).unref();
  }

  /** Writes the changes that were read. Resolves when everything has stopped. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearInterval(this.#tidyTimer);
    this.#settle(Number.POSITIVE_INFINITY);
    await this.#running;
    clearTimeout(this.#flushTimer);
    await this.#exclusive((files) => files.flush()).catch((error: unknown) => this.#failed(error));
    await this.#files?.close().catch((error: unknown) => this.#failed(error));
  }

  /**
   * A page of the history of a user. Rejects with RosterError: `not_found` when no history is kept, `unavailable` while the
   * history is behind changes acknowledged before, or cannot be read.
   */
  async page(question: HistoryQuestion): Promise<HistoryPage> {
    const { keepMs, roster, logger } = this.#options;
    if (keepMs === 0) throw new RosterError('not_found', 'no history of users is kept (history.keep_h is 0)');
    const files = await this.#reached(roster.position.seq);
    try {
      return await files.page(question, (this.#clock.now() - keepMs) * 1_000);
    } catch (error) {
      logger.error({ err: error, user_id: question.id }, 'the history of a user could not be read');
      throw new RosterError('unavailable', 'the history cannot be read at the moment');
    }
  }

  /** Resolves with the files once everything up to `seq` was read from the log. */
  async #reached(seq: number): Promise<HistoryFiles> {
    if (this.#readyAt(seq) === undefined && !this.#isStuck) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, WAIT_MS);
        this.#waiters.push({ seq, resolve: () => resolve(clearTimeout(timer)) });
      });
    }
    const files = this.#readyAt(seq);
    if (files === undefined) throw new RosterError('unavailable', 'the history is behind the directory at the moment');
    return files;
  }

  #readyAt(seq: number): HistoryFiles | undefined {
    const position = this.#hasBegun ? this.#files?.position : undefined;
    return position !== undefined && position.seq >= seq && !this.#stopping.signal.aborted ? this.#files : undefined;
  }

  /** Resumes the lookups that waited for this position. */
  #settle(seq: number): void {
    if (this.#waiters.length === 0) return;
    const due = this.#waiters.filter((waiter) => waiter.seq <= seq);
    this.#waiters = this.#waiters.filter((waiter) => waiter.seq > seq);
    for (const waiter of due) waiter.resolve();
  }

  async #forget(): Promise<void> {
    const { folder, logger } = this.#options;
    await rm(folder, { recursive: true, force: true }).catch((error: unknown) => {
      logger.error({ err: error }, 'the history of users that is no longer to be kept could not be removed');
    });
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        this.#files ??= await this.#open();
        await this.#begin(this.#files);
        await this.#follow(this.#files);
        // The log is closed: another round would find it so again.
        return;
      } catch (error) {
        if (signal.aborted) return;
        const isBehindLog = this.#hasBegun && (this.#files?.position?.seq ?? 0) < this.#options.roster.keptAfter;
        this.#hasBegun = false;
        // The log has dropped the next entries: the next round begins with those that it still has.
        if (isBehindLog) continue;
        this.#failed(error);
        this.#isStuck = true;
        this.#settle(Number.POSITIVE_INFINITY);
        await this.#clock.sleep(RETRY_MS, signal);
        this.#isStuck = false;
      }
    }
  }

  async #open(): Promise<HistoryFiles> {
    const { folder, bytesMax, logger, fileSystem } = this.#options;
    return await HistoryFiles.open({
      folder,
      bytesMax,
      onDamaged: (error) => logger.error({ err: error }, 'a part of the history of users cannot be read'),
      ...(fileSystem === undefined ? undefined : { fileSystem }),
    });
  }

  /** Continues the files where they ended, or begins again where the log does if it no longer has, or never had, that position. */
  async #begin(files: HistoryFiles): Promise<void> {
    const { roster, logger } = this.#options;
    const { epoch, seq: head } = roster.position;
    const tail = roster.keptAfter;
    const { position } = files;
    const isSame = position?.epoch === epoch;
    // Only at the start: later the files may be ahead of the applied directory.
    const isAhead = isSame && position.seq > head && !this.#isKnown;
    if (!isSame || position.seq < tail || isAhead) {
      const after = isAhead ? head : tail;
      const time = await this.#timeAfter(after, head);
      logger.info({ epoch, after, was: position }, 'the history of users begins anew');
      await this.#exclusive(() => files.begin({ epoch, after, time }));
    }
    this.#isKnown = true;
    await this.#tidy();
    this.#hasBegun = true;
    this.#succeeded();
    this.#settle(files.position?.seq ?? 0);
  }

  /** The time from which on nothing is missing for a reader that begins after `after`. */
  async #timeAfter(after: number, head: number): Promise<Micros> {
    if (after < head) for await (const entry of this.#options.roster.follow(after, this.#stopping.signal)) return this.#timeOf(entry);
    return this.#clock.now() * 1_000;
  }

  async #follow(files: HistoryFiles): Promise<void> {
    const { signal } = this.#stopping;
    for await (const entry of this.#options.roster.follow(files.position?.seq ?? 0, signal)) {
      if (performance.now() >= this.#sliceEndMs) {
        await nextTurn();
        this.#sliceEndMs = performance.now() + SLICE_MS;
      }
      await this.#take(files, entry);
      if (signal.aborted) return;
    }
  }

  async #take(files: HistoryFiles, entry: Entry): Promise<void> {
    let seq = entry.first;
    const time = this.#timeOf(entry);
    for (const fact of entry.facts) {
      const change = changeOf(fact, seq++, time);
      if (change === undefined) continue;
      while (this.#mustWait(files)) await this.#makeRoom();
      files.append(change);
    }
    while (this.#mustWait(files)) await this.#makeRoom();
    files.advance(lastSeq(entry), time);
    this.#settle(lastSeq(entry));
    this.#flushTimer ??= setTimeout(() => this.#flushInTime(), FLUSH_MS);
  }

  /** Ages are counted from the wall clock, and the log may be ahead of it: nothing happened later than now. */
  #timeOf({ time }: Entry): Micros {
    const now = Math.round(this.#clock.now() * 1_000);
    return time > now + CLOCKS_APART ? now : time;
  }

  #mustWait(files: HistoryFiles): boolean {
    return this.#writing !== undefined || files.isFull;
  }

  /** Rejects when the files are full and cannot be written. Failures of other writes are reported by those who started them. */
  #makeRoom(): Promise<void> {
    return this.#writing === undefined ? this.#flush() : this.#writing.catch(() => {});
  }

  #flushInTime(): void {
    this.#flushTimer = undefined;
    const nowMs = this.#clock.now();
    if (this.#files?.hasRecords !== true && nowMs - this.#positionMs < POSITION_MS) return;
    void this.#flush().catch((error: unknown) => this.#failed(error));
  }

  async #flush(): Promise<void> {
    await this.#exclusive((files) => files.flush());
    this.#positionMs = this.#clock.now();
    this.#succeeded();
  }

  #succeeded(): void {
    if (!this.#isFailing) return;
    this.#isFailing = false;
    this.#options.logger.info({}, 'the history of users goes on');
  }

  #tidy(): Promise<void> {
    return this.#exclusive(async (files) => {
      await files.flush();
      await files.tidy(this.#clock.now() * 1_000, this.#options.keepMs * 1_000);
    });
  }

  /** Runs one operation on the files at a time, and never while a change is taken. */
  async #exclusive(work: (files: HistoryFiles) => Promise<void>): Promise<void> {
    while (this.#writing !== undefined) await this.#writing.catch(() => {});
    const files = this.#files;
    if (files === undefined) return;
    const writing = work(files).finally(() => {
      if (this.#writing === writing) this.#writing = undefined;
    });
    this.#writing = writing;
    await writing;
  }

  /** Reports the first failure only, until a write succeeds. */
  #failed(error: unknown): void {
    if (!this.#isFailing) this.#options.logger.error({ err: error }, 'the history of users cannot be written; it is tried again');
    this.#isFailing = true;
    this.#flushTimer ??= this.#stopping.signal.aborted ? undefined : setTimeout(() => this.#flushInTime(), RETRY_MS);
  }
}
