/**
 * What time alone brings about: bans and mutes that end, tasks and imports that were kept long enough, and old files.
 *
 * It keeps JB6–JB8 (daemon/RULES.md).
 */

import { LIMITS } from '../../../protocol/base/limits.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { isImportOver } from '../../../protocol/transfer/imports.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';

export interface HousekeepingOptions {
  readonly roster: {
    readonly directory: { readonly docs: Roster['directory']['docs']; readonly expiry: Pick<Roster['directory']['expiry'], 'next'> };
    readonly submit: Roster['submit'];
    onApplied(listener: (entry: Entry) => void): void;
  };
  /** Removes exports and uploads that were kept long enough. Resolves with how many. */
  readonly files: { removeOld(ages: Ages): Promise<number> };
  readonly logger: RosterLogger;
  /** The clock by which the directory ends what is over, milliseconds. */
  readonly nowMs: () => number;
  readonly exportsKeptMs: number;
  /** Finished imports are kept as long as finished tasks. */
  readonly tasksKeptMs: number;
}

const HOUR_MS = 3_600_000;
const UPLOADS_KEPT_MS = 7 * 24 * HOUR_MS;
/** Entries come thousands a second; what they change about the next end is looked at so often. */
const REARM_MS = 250;
const RETRY_MS = 30_000;
/** A timer that goes off a little early would find nothing to do. */
const SLACK_MS = 5;

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  #timer: NodeJS.Timeout | undefined;
  #rearm: NodeJS.Timeout | undefined;
  #hourly: NodeJS.Timeout | undefined;
  #working: Promise<void> = Promise.resolve();
  #isStopped = false;
  #isExpiring = false;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.roster.onApplied(({ facts }) => {
      if (this.#rearm !== undefined || this.#isStopped) return;
      if (!facts.some((fact) => fact.t === 'user' || fact.t === 'deleted')) return;
      this.#rearm = setTimeout(() => {
        this.#rearm = undefined;
        this.#arm();
      }, REARM_MS);
    });
    this.#hourly = setInterval(() => this.#clean(), HOUR_MS);
    this.#clean();
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#rearm);
    clearInterval(this.#hourly);
    await this.#working;
  }

  /** Sleeps until the first ban or mute ends; the hourly round is what wakes it at the latest. */
  #arm(): void {
    clearTimeout(this.#timer);
    const { roster, nowMs } = this.#options;
    const { next } = roster.directory.expiry;
    if (next === undefined || this.#isStopped) return;
    const waitMs = Math.max(0, Math.ceil(next / 1_000 - nowMs())) + SLACK_MS;
    if (waitMs <= HOUR_MS) this.#timer = setTimeout(() => this.#expire(), waitMs);
  }

  #expire(): void {
    if (this.#isExpiring) return;
    this.#isExpiring = true;
    this.#run(
      () => this.#expireAll(),
      () => {
        this.#isExpiring = false;
      },
    );
  }

  /** One command ends a bounded number of things, so it is repeated until its outcome is empty. */
  async #expireAll(): Promise<void> {
    const { roster, nowMs, logger } = this.#options;
    while (!this.#isStopped) {
      const { users, docs = [] } = await roster.submit({ kind: 'expire' }, 'bulk');
      if (users.length + docs.length === 0) break;
    }
    const { next } = roster.directory.expiry;
    if (next === undefined || next > nowMs() * 1_000) return this.#arm();
    logger.error({ next }, 'what is over does not end; it is tried again');
    this.#again();
  }

  #again(): void {
    clearTimeout(this.#timer);
    if (!this.#isStopped) this.#timer = setTimeout(() => this.#expire(), RETRY_MS);
  }

  #clean(): void {
    this.#expire();
    this.#run(
      async () => {
        await this.#removeOldImports();
        await this.#removeOldFiles();
      },
      () => {},
    );
  }

  async #removeOldImports(): Promise<void> {
    const { roster, nowMs, tasksKeptMs } = this.#options;
    const before = (nowMs() - tasksKeptMs) * 1_000;
    const changes: DocChange[] = [];
    for (const task of roster.directory.docs.all('import')) {
      if (isImportOver(task) && task.updated_at < before) changes.push({ kind: 'import', id: task.id, doc: null });
      if (changes.length === LIMITS.batchUsers) break;
    }
    if (changes.length > 0) await roster.submit({ kind: 'docs', changes }, 'bulk');
  }

  async #removeOldFiles(): Promise<void> {
    const { roster, files, nowMs, exportsKeptMs, logger } = this.#options;
    const neededUploads = new Set<string>();
    for (const task of roster.directory.docs.all('import')) if (!isImportOver(task)) neededUploads.add(task.path);
    const now = nowMs();
    const removed = await files.removeOld({ exportsBeforeMs: now - exportsKeptMs, uploadsBeforeMs: now - UPLOADS_KEPT_MS, neededUploads });
    if (removed > 0) logger.info({ files: removed }, 'old exports and uploads removed');
  }

  /** One piece of work after the other. What fails is told to the log, and the round is repeated. */
  #run(work: () => Promise<void>, done: () => void): void {
    this.#working = this.#working
      .then(() => (this.#isStopped ? undefined : work()))
      .catch((error: unknown) => {
        if (this.#isStopped) return;
        this.#options.logger.error({ err: error }, 'housekeeping could not be done; it is tried again');
        this.#again();
      })
      .finally(done);
  }
}

/** What is older goes. Milliseconds since 1970. */
export interface Ages {
  readonly exportsBeforeMs: number;
  readonly uploadsBeforeMs: number;
  /** Uploads that are still needed, however old. */
  readonly neededUploads: ReadonlySet<string>;
}
