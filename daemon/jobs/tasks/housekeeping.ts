/**
 * Work caused by time alone: ends bans and mutes, and removes expired tasks, imports and files.
 *
 * It keeps JB6–JB8 (daemon/RULES.md).
 */

import { LIMITS } from '../../../protocol/base/limits.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import type { Entry } from '../../../protocol/log/entry.ts';
import { isImportOver } from '../../../protocol/transfer/imports.ts';
import { isPlanWork } from '../../../protocol/transfer/plans.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';

export interface HousekeepingOptions {
  readonly roster: {
    readonly directory: { readonly docs: Roster['directory']['docs']; readonly expiry: Pick<Roster['directory']['expiry'], 'next'> };
    readonly submit: Roster['submit'];
    onApplied(listener: (entry: Entry) => void, signal: AbortSignal): void;
  };
  /** Removes expired exports and uploads. Resolves with their number. */
  readonly files: { removeOld(ages: Ages): Promise<number> };
  readonly logger: RosterLogger;
  /** The wall clock by which the directory ends bans and mutes, milliseconds. It may be set forward and back. */
  readonly nowMs: () => number;
  readonly exportsKeptMs: number;
  /** Finished imports are kept as long as finished tasks. */
  readonly tasksKeptMs: number;
}

const HOUR_MS = 3_600_000;
const UPLOADS_KEPT_MS = 7 * 24 * HOUR_MS;
/** A file is stored before its plan says that there is one. */
const STRAY_PLANS_KEPT_MS = HOUR_MS;
/** Thousands of entries may arrive per second; their effect on the next end is checked at this interval. */
const REARM_MS = 250;
const RETRY_MS = 30_000;
/** A timer that fires slightly early would find nothing to do. */
const SLACK_MS = 5;
/** Timers do not notice that the wall clock was set: it is compared with them at this interval. */
const LOOK_MS = 500;
const STEP_MS = 100;

export class Housekeeping {
  readonly #options: HousekeepingOptions;
  #timer: NodeJS.Timeout | undefined;
  #rearm: NodeJS.Timeout | undefined;
  #hourly: NodeJS.Timeout | undefined;
  #look: NodeJS.Timeout | undefined;
  /** How far the wall clock is ahead of the clock of the timers. */
  #aheadMs = 0;
  #working: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  #isExpiring = false;

  constructor(options: HousekeepingOptions) {
    this.#options = options;
  }

  start(): void {
    this.#options.roster.onApplied(({ facts }) => {
      if (this.#rearm !== undefined || this.#stopping.signal.aborted) return;
      if (!facts.some((fact) => fact.t === 'user' || fact.t === 'deleted')) return;
      this.#rearm = setTimeout(() => {
        this.#rearm = undefined;
        this.#arm();
      }, REARM_MS);
    }, this.#stopping.signal);
    this.#hourly = setInterval(() => this.#clean(), HOUR_MS);
    this.#aheadMs = this.#ahead();
    this.#look = setInterval(() => this.#lookAtClock(), LOOK_MS);
    this.#clean();
  }

  /** Resolves when everything has stopped. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    clearTimeout(this.#timer);
    clearTimeout(this.#rearm);
    clearInterval(this.#hourly);
    clearInterval(this.#look);
    await this.#working;
  }

  #ahead(): number {
    return this.#options.nowMs() - performance.now();
  }

  #lookAtClock(): void {
    const aheadMs = this.#ahead();
    const stepMs = Math.abs(aheadMs - this.#aheadMs);
    if (stepMs < STEP_MS) return;
    this.#aheadMs = aheadMs;
    // The next hourly round would be late by as much as the clock was set forward.
    if (stepMs >= HOUR_MS) this.#clean();
    else this.#arm();
  }

  /** Sleeps until the first ban or mute ends, at most until the hourly round. */
  #arm(): void {
    clearTimeout(this.#timer);
    const { roster, nowMs } = this.#options;
    const { next } = roster.directory.expiry;
    if (next === undefined || this.#stopping.signal.aborted) return;
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

  /** One command ends a bounded number of bans and mutes, so it is repeated until its outcome is empty. */
  async #expireAll(): Promise<void> {
    const { roster, nowMs, logger } = this.#options;
    while (!this.#stopping.signal.aborted) {
      const { users, docs = [] } = await roster.submit({ kind: 'expire' }, 'bulk');
      if (users.length + docs.length === 0) break;
    }
    const { next } = roster.directory.expiry;
    if (next === undefined || next > nowMs() * 1_000) return this.#arm();
    logger.error({ next }, 'bans, mutes or tasks that are over could not be ended; this is tried again');
    this.#again();
  }

  #again(): void {
    clearTimeout(this.#timer);
    if (!this.#stopping.signal.aborted) this.#timer = setTimeout(() => this.#expire(), RETRY_MS);
  }

  #clean(): void {
    this.#expire();
    this.#run(
      async () => {
        await this.#removeOldJobs();
        await this.#removeOldFiles();
      },
      () => {},
    );
  }

  async #removeOldJobs(): Promise<void> {
    const { roster, nowMs, tasksKeptMs } = this.#options;
    const before = (nowMs() - tasksKeptMs) * 1_000;
    const changes: DocChange[] = [];
    for (const task of roster.directory.docs.all('import')) {
      if (isImportOver(task) && task.updated_at < before) changes.push({ kind: 'import', id: task.id, doc: null });
      if (changes.length === LIMITS.batchUsers) break;
    }
    // One that waits for an answer goes, too: the directory has changed too much since.
    for (const plan of roster.directory.docs.all('plan')) {
      if (!isPlanWork(plan) && plan.updated_at < before) changes.push({ kind: 'plan', id: plan.id, doc: null });
    }
    if (changes.length > 0) await roster.submit({ kind: 'docs', changes }, 'bulk');
  }

  async #removeOldFiles(): Promise<void> {
    const { roster, files, nowMs, exportsKeptMs, logger } = this.#options;
    const neededUploads = new Set<string>();
    for (const task of roster.directory.docs.all('import')) if (!isImportOver(task)) neededUploads.add(task.path);
    const plans = [...roster.directory.docs.all('plan')];
    for (const plan of plans) if (isPlanWork(plan)) neededUploads.add(plan.path);
    const now = nowMs();
    const removed = await files.removeOld({
      ...{ exportsBeforeMs: now - exportsKeptMs, uploadsBeforeMs: now - UPLOADS_KEPT_MS, neededUploads },
      ...{ plansBeforeMs: now - STRAY_PLANS_KEPT_MS, neededPlans: new Set(plans.map(({ id }) => id)) },
    });
    if (removed > 0) logger.info({ files: removed }, 'old exports, uploads and plans removed');
  }

  /** Runs one piece of work after the other. A failure is logged, and the round is repeated. */
  #run(work: () => Promise<void>, done: () => void): void {
    this.#working = this.#working
      .then(() => (this.#stopping.signal.aborted ? undefined : work()))
      .catch((error: unknown) => {
        if (this.#stopping.signal.aborted) return;
        this.#options.logger.error({ err: error }, 'housekeeping could not be done; it is tried again');
        this.#again();
      })
      .finally(done);
  }
}

/** Files older than these times are removed. Milliseconds since 1970. */
export interface Ages {
  readonly exportsBeforeMs: number;
  readonly uploadsBeforeMs: number;
  /** Uploads that are still needed, whatever their age. */
  readonly neededUploads: ReadonlySet<string>;
  readonly plansBeforeMs: number;
  /** Ids of the plans that exist. */
  readonly neededPlans: ReadonlySet<string>;
}
