/**
 * The history of all users on one daemon, in files of its own.
 *
 * It keeps HY5 and HY8 (daemon/RULES.md).
 */
import { rm } from 'node:fs/promises';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { FileSystem } from '../../../store/file-system.ts';
import { type Clock, systemClock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import { HistoryFiles } from './files.ts';
import type { HistoryPage, HistoryQuestion } from './lookup.ts';
import { HistoryRecorder, type HistoryRecorderOptions } from './recorder.ts';

export interface HistoryJobOptions {
  readonly roster: HistoryRecorderOptions['roster'];
  readonly folder: string;
  /** Time for which a change is kept, milliseconds. 0: nothing is kept. */
  readonly keepMs: number;
  readonly bytesMax: number;
  readonly logger: RosterLogger;
  readonly clock?: Clock;
  readonly fileSystem?: FileSystem;
}

/** Until changes are flushed, lookups find them in memory, and after a crash they are in the log. */
const PACE = { flushMs: 1_000, positionMs: 60_000 };
/** Longest time that a lookup waits for changes acknowledged before it. */
const WAIT_MS = 5_000;

type Waiter = { readonly seq: number; readonly resolve: () => void };

export class HistoryJob {
  readonly #options: HistoryJobOptions;
  readonly #clock: Clock;
  readonly #recorder: HistoryRecorder;
  #files: HistoryFiles | undefined;
  #waiters: Waiter[] = [];
  #forgetting: Promise<void> | undefined;

  constructor(options: HistoryJobOptions) {
    const { roster, keepMs, logger, clock = systemClock } = options;
    this.#options = options;
    this.#clock = clock;
    const open = async (): Promise<HistoryFiles> => {
      this.#files = await this.#open();
      return this.#files;
    };
    this.#recorder = new HistoryRecorder({ roster, open, keepMs, pace: PACE, logger, clock, onReached: (seq) => this.#settle(seq) });
  }

  start(): void {
    if (this.#options.keepMs === 0) this.#forgetting = this.#forget();
    else this.#recorder.start();
  }

  /** Writes the changes that were read. Resolves when everything has stopped. */
  async stop(): Promise<void> {
    await this.#forgetting;
    await this.#recorder.stop();
    await this.#files?.close().catch((error: unknown) => {
      this.#options.logger.error({ err: error }, 'the history of users could not be closed');
    });
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
    if (this.#readyAt(seq) === undefined && !this.#recorder.isStuck) {
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
    const { reached } = this.#recorder;
    return reached !== undefined && reached >= seq ? this.#files : undefined;
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

  async #open(): Promise<HistoryFiles> {
    const { folder, bytesMax, logger, fileSystem } = this.#options;
    return await HistoryFiles.open({
      folder,
      bytesMax,
      onDamaged: (error) => logger.error({ err: error }, 'a part of the history of users cannot be read'),
      ...(fileSystem === undefined ? undefined : { fileSystem }),
    });
  }
}
