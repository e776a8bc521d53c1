/**
 * Imports of users from an uploaded file: `uploaded → analyzing → analyzed → importing → completed`, with `analyze_failed`
 * and `import_failed` as the other ends. The history of the import holds each step with its time.
 *
 * It keeps IM1–IM5 and IM12 (daemon/RULES.md).
 */

import type { JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { type ImportTask, isImportOver } from '../../../protocol/transfer/imports.ts';
import { BUILT_IN_ROLES, isAlive } from '../../../protocol/users/user.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import type { SyncCounts } from '../../sync/counts.ts';
import { jsonItems } from '../../sync/json-rows.ts';
import type { ReportEntry, Report as RunReport } from '../../sync/report.ts';
import { BrokenSource, type RowError } from '../../sync/rows.ts';
import type { RunProgress } from '../../sync/run.ts';
import { type CheckRow, readBatches } from '../../sync/source.ts';
import { type SyncSummary, syncUsers } from '../../sync/sync-users.ts';
import type { Send } from '../../sync/transport.ts';
import { Documents } from '../tasks/documents.ts';
import type { JobError, Work } from '../tasks/runner.ts';
import type { Files } from './files.ts';
import { checkItem, type ImportUser } from './import-item.ts';
import { createInsideSender } from './inside-sender.ts';

export interface ImportOptions {
  readonly roster: Pick<Roster, 'directory' | 'submit'>;
  readonly files: Pick<Files, 'openUpload'>;
  readonly clock: Clock;
  readonly random: () => number;
  readonly logger: RosterLogger;
  /** Whether the id of a hard-deleted user may be used again. */
  readonly reuseHardDeleted: boolean;
  /** Interval at which a running import reports its progress, milliseconds. */
  readonly progressMs?: number;
}

const PROGRESS_MS = 1_000;
/** Time that an import waits for a directory that cannot store anything. */
const PATIENCE_MS = 24 * 3_600_000;
const REASON_CHARS_MAX = 300;
/** Longest pause, however long a batch took and whatever the clock was set to meanwhile. */
const PAUSE_MS_MAX = 1_000;

/** The content of `result`, in which an import reports on itself. */
interface Report {
  /** Items of the file: known after the analysis. */
  users?: number;
  /** Items that are done; in a file of lines, the number of lines. */
  done?: number;
  created?: number;
  updated?: number;
  unchanged?: number;
  failed?: number;
  errors?: { item: number; id?: string; code: number | string; reason: string }[];
  /** The reason for an early end. */
  reason?: string;
}

export function importWork(options: ImportOptions): Work {
  const job = new ImportJob(options);
  return {
    kind: 'import',
    // One after the other: an import reads as fast as the directory stores, so two would only share that speed.
    concurrency: 1,
    isOpen: ({ kind, doc }) => kind === 'import' && doc !== null && !isImportOver(doc),
    openIds: () => job.openIds(),
    accept: async () => {},
    run: (id, stopping) => job.run(id, stopping),
    fail: (id, error) => job.fail(id, error),
  };
}

class ImportJob {
  readonly #options: ImportOptions;
  readonly #imports: Documents<'import'>;

  constructor(options: ImportOptions) {
    this.#options = options;
    this.#imports = new Documents(options.roster, 'import', () => options.clock.now());
  }

  *openIds(): Iterable<string> {
    for (const task of this.#imports.all()) if (!isImportOver(task)) yield task.id;
  }

  async fail(id: string, { description }: JobError): Promise<void> {
    const task = this.#imports.get(id);
    const state = task?.state === 'analyzed' || task?.state === 'importing' ? 'import_failed' : 'analyze_failed';
    await this.#move(id, state, { ...reportOf(task), reason: description });
  }

  async run(id: string, stopping: AbortSignal): Promise<void> {
    for (;;) {
      const task = this.#imports.get(id);
      if (task === undefined || isImportOver(task) || stopping.aborted) return;
      switch (task.state) {
        case 'uploaded':
          await this.#move(id, 'analyzing', {});
          break;
        case 'analyzing':
          await this.#analyze(task, stopping);
          break;
        case 'analyzed':
          await this.#move(id, 'importing', reportOf(task));
          break;
        default:
          await this.#import(task, stopping);
      }
    }
  }

  /** Moves the import to this state. Resolves when that is stored. */
  async #move(id: string, state: string, report: Report, more: Partial<ImportTask> = {}): Promise<void> {
    const task = this.#imports.get(id);
    if (task === undefined) return;
    const step = { prev_state: task.state, next_state: state, created_at: this.#imports.now() };
    await this.#imports.change(id, { ...more, state, history: [...task.history, step], result: asJson(report) });
  }

  /** IM1: reads the file to its end and writes nothing. */
  async #analyze({ id, path }: ImportTask, stopping: AbortSignal): Promise<void> {
    const upload = await this.#options.files.openUpload(path);
    if (upload === undefined) return await this.#move(id, 'analyze_failed', { reason: 'the uploaded file is no longer there' });
    const { stream, bytes } = upload;
    const errors = new ErrorList();
    let users = 0;
    let reason: string | undefined;
    try {
      for await (const batch of readBatches(jsonItems(stream), this.#check())) {
        if (stopping.aborted) return;
        users += batch.users.length + batch.errors.length;
        for (const error of batch.errors) errors.note(error);
      }
    } catch (error) {
      if (!(error instanceof BrokenSource)) throw error;
      reason = error.message;
    } finally {
      stream.destroy();
    }
    if (users === 0) reason ??= 'there is no item in the file';
    const isFine = reason === undefined && errors.count === 0;
    const report = { users, failed: errors.count, errors: errors.list, ...(reason === undefined ? undefined : { reason }) };
    await this.#move(id, isFine ? 'analyzed' : 'analyze_failed', isFine ? { users } : report, { size: bytes });
  }

  /** IM2 to IM4. */
  async #import({ id, path, mode, merge_custom, result }: ImportTask, stopping: AbortSignal): Promise<void> {
    const { files, roster, clock, random, logger, progressMs = PROGRESS_MS } = this.#options;
    const upload = await files.openUpload(path);
    const before: Report = { ...result };
    if (upload === undefined) return await this.#move(id, 'import_failed', { ...before, reason: 'the uploaded file is no longer there' });
    const errors = new ErrorList(before);
    let saidMs = clock.now();
    let saying: Promise<void> = Promise.resolve();
    const say = (progress: RunProgress) => {
      if (clock.now() - saidMs < progressMs) return;
      saidMs = clock.now();
      const change = { result: asJson(added(before, progress, errors)) };
      // One write at a time, or an older state could replace a newer one. A failure shows at the end, when it matters.
      saying = saying.then(() => this.#imports.change(id, change)).catch(() => {});
    };
    const change = mode === 'insert' ? { existing: 'keep' as const } : { existing: 'replace' as const, mergeCustom: merge_custom ?? false };
    const summary = await syncUsers(
      { concurrency: 1, retryForMs: PATIENCE_MS },
      {
        source: jsonItems(upload.stream, before.done),
        check: this.#check(),
        send: givingWay(createInsideSender(roster, change, id), clock),
        clock,
        random,
        report: errors,
        onProgress: say,
        onTalk: (text) => logger.info({ import: id }, text),
        stop: stopping,
      },
    ).finally(() => upload.stream.destroy());
    await saying;
    await this.#finish(id, summary, added(before, summary, errors));
  }

  async #finish(id: string, { status, problem }: SyncSummary, report: Report): Promise<void> {
    if (status === 'done') return await this.#move(id, (report.failed ?? 0) > 0 ? 'import_failed' : 'completed', report);
    if (status === 'gave-up')
      return await this.#move(id, 'import_failed', { ...report, ...(problem === undefined ? undefined : { reason: problem }) });
    // Interrupted: the next start continues from here.
    await this.#imports.change(id, { result: asJson(report) });
  }

  #check(): CheckRow<ImportUser> {
    const { roster, reuseHardDeleted } = this.#options;
    const { directory } = roster;
    const rules = {
      hasRole: (role: string) => BUILT_IN_ROLES.has(role) || directory.docs.get('role', role) !== undefined,
      wasDeleted: (id: string) => {
        const record = directory.record(id);
        if (record === undefined) return false;
        // A tombstone is no user.
        return 'rev' in record ? !isAlive(record) : !reuseHardDeleted;
      },
    };
    return (row) => checkItem(row, rules);
  }
}

/** IM12. When other work slows down its batches, the pauses grow with them. */
function givingWay<User>(send: Send<User>, clock: Clock): Send<User> {
  return async (users, signal) => {
    const startMs = clock.now();
    const reply = await send(users, signal);
    await clock.sleep(Math.min(clock.now() - startMs, PAUSE_MS_MAX), signal);
    return reply;
  };
}

/** The first errors of an import, and the number of all errors. */
class ErrorList implements RunReport {
  readonly isFull = false;
  readonly list: NonNullable<Report['errors']>;
  count: number;

  constructor({ errors = [], failed = 0 }: Report = {}) {
    this.list = [...errors];
    this.count = failed;
  }

  /** Users not sent because the run ended are no errors: `done` and `reason` report them. */
  async add(entries: readonly ReportEntry[]): Promise<void> {
    for (const entry of entries) if (entry.result === 'failed' || entry.result === 'error') this.note(entry);
  }

  note({ line, id, code, reason }: RowError): void {
    this.count++;
    if (this.list.length >= LIMITS.importErrorsKept) return;
    const text = reason.length > REASON_CHARS_MAX ? `${reason.slice(0, REASON_CHARS_MAX)}…` : reason;
    this.list.push({ item: line, ...(id === undefined ? undefined : { id }), code, reason: text });
  }
}

/** The results of this run added to those of earlier runs of the same import. */
function added(before: Report, { counts, at }: { readonly counts: SyncCounts; readonly at: number }, errors: ErrorList): Report {
  return {
    ...before,
    done: Math.max(before.done ?? 0, at),
    created: (before.created ?? 0) + counts.created,
    updated: (before.updated ?? 0) + counts.updated,
    unchanged: (before.unchanged ?? 0) + counts.unchanged,
    failed: errors.count,
    ...(errors.list.length === 0 ? undefined : { errors: [...errors.list] }),
  };
}

function reportOf(task: ImportTask | undefined): Report {
  return { ...task?.result };
}

function asJson(report: Report): JsonObject {
  return JSON.parse(JSON.stringify(report));
}
