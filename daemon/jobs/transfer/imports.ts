/**
 * Imports of users from an uploaded file: `uploaded → analyzing → analyzed → importing → completed`, with `analyze_failed`
 * and `import_failed` as the other ends. The history of the import holds each step with its time.
 *
 * It keeps IM1–IM5, IM12 and IM15 (daemon/RULES.md).
 */

import type { Readable } from 'node:stream';
import { type ImportTask, isImportOver } from '../../../protocol/transfer/imports.ts';
import { BUILT_IN_ROLES, isAlive } from '../../../protocol/users/user.ts';
import { BlobsUnavailable } from '../../../store/blobs.ts';
import type { Clock } from '../../base/clock.ts';
import type { RosterLogger } from '../../base/logger.ts';
import type { Roster } from '../../pipeline/roster.ts';
import { jsonItems } from '../../sync/json-rows.ts';
import { BrokenSource, type RowError, type SourceChunk, type SourceRow } from '../../sync/rows.ts';
import { type CheckRow, readBatches } from '../../sync/source.ts';
import { type SyncSummary, syncUsers } from '../../sync/sync-users.ts';
import { Documents } from '../tasks/documents.ts';
import type { JobError, Work } from '../tasks/runner.ts';
import type { Files } from './files.ts';
import { addAllExtras } from './import-extras.ts';
import { checkItem, hasExtras, type ImportItem, isUserRow } from './import-item.ts';
import { added, asJson, ErrorList, type ImportReport, reportOf, withExtras } from './import-report.ts';
import { createInsideSender } from './inside-sender.ts';
import { givingWay, type ProgressTeller, progressTeller } from './pace.ts';

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

/** Time that an import waits for a directory that cannot store anything. */
const PATIENCE_MS = 24 * 3_600_000;

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
  async #move(id: string, state: string, report: ImportReport, more: Partial<ImportTask> = {}): Promise<void> {
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
    let items = 0;
    let users = 0;
    let extras = 0;
    let reason: string | undefined;
    try {
      for await (const batch of readBatches(jsonItems(stream), this.#check())) {
        if (stopping.aborted) return;
        items += batch.users.length + batch.errors.length;
        users += batch.errors.length;
        for (const item of batch.users) {
          if (item.user !== undefined) users++;
          if (item.extras !== undefined) extras++;
        }
        for (const error of batch.errors) errors.note(error);
      }
    } catch (error) {
      if (!(error instanceof BrokenSource)) throw error;
      reason = error.message;
    } finally {
      stream.destroy();
    }
    if (items === 0) reason ??= 'there is no item in the file';
    const isFine = reason === undefined && errors.count === 0;
    const report = { users, failed: errors.count, errors: errors.list, reason };
    await this.#move(id, isFine ? 'analyzed' : 'analyze_failed', isFine ? { users, ...(extras === 0 ? undefined : { extras }) } : report, {
      size: bytes,
    });
  }

  /** IM2 to IM4: the users, and then what belongs to them. */
  async #import(task: ImportTask, stopping: AbortSignal): Promise<void> {
    const { id, path, result } = task;
    const before: ImportReport = { ...result };
    const upload = await this.#options.files.openUpload(path);
    if (upload === undefined) return await this.#move(id, 'import_failed', { ...before, reason: 'the uploaded file is no longer there' });
    const { stream } = upload;
    const isAtExtras = before.extras_done !== undefined;
    await (isAtExtras ? this.#addExtras(task, stream, stopping) : this.#importUsers(task, stream, stopping)).finally(() =>
      stream.destroy(),
    );
  }

  async #importUsers({ id, mode, merge_custom, result }: ImportTask, stream: Readable, stopping: AbortSignal): Promise<void> {
    const { roster, clock, random, logger } = this.#options;
    const before: ImportReport = { ...result };
    const errors = new ErrorList(before);
    const progress = this.#progress(id);
    const change = mode === 'insert' ? { existing: 'keep' as const } : { existing: 'replace' as const, mergeCustom: merge_custom ?? false };
    const send = createInsideSender(roster, change, id);
    const summary = await syncUsers(
      { concurrency: 1, retryForMs: PATIENCE_MS },
      {
        source: only(jsonItems(stream, before.done), isUserRow),
        check: this.#check(),
        send: (users, signal) => givingWay(clock, signal, () => send(users, signal)),
        clock,
        random,
        report: errors,
        onProgress: (run) => progress.say(() => added(before, run, errors)),
        onTalk: (text) => logger.info({ import: id }, text),
        stop: stopping,
      },
    );
    await progress.end();
    const report = added(before, summary, errors);
    // The next turn of `run` adds the rest.
    if (summary.status === 'done' && report.extras !== undefined)
      return await this.#imports.change(id, { result: asJson({ ...report, extras_done: 0 }) });
    const { errored } = stream;
    if (!(errored instanceof BlobsUnavailable)) return await this.#finish(id, summary, report);
    await this.#finish(id, { status: 'interrupted' }, report);
    // The runner tries again, and continues from here.
    throw errored;
  }

  /** Stops early, and goes on later, when the directory cannot store anything: whatever was not noted yet is added again. */
  async #addExtras({ id, mode, history, result }: ImportTask, stream: Readable, stopping: AbortSignal): Promise<void> {
    const { roster, clock } = this.#options;
    let report: ImportReport = { ...result };
    const errors = new ErrorList(report);
    const progress = this.#progress(id);
    const begun = history.findLast(({ next_state }) => next_state === 'importing')?.created_at ?? 0;
    const onError = (error: RowError) => errors.note(error);
    const options = { roster, job: id, onError, ...(mode === 'insert' ? { keepsBefore: begun } : undefined) };
    for await (const batch of readBatches(only(jsonItems(stream, report.extras_done), hasExtras), this.#check())) {
      if (stopping.aborted) break;
      await givingWay(clock, stopping, async () => {
        // A user that is wrong by now was counted as such before.
        for (const error of batch.errors) if (error.code === 'invalid_device') errors.note(error);
        const counts = await addAllExtras(batch.users, options);
        report = withExtras(report, counts, errors, batch.lastAt);
        progress.say(() => report);
      });
    }
    await progress.end();
    const status = stopping.aborted ? 'interrupted' : 'done';
    await this.#finish(id, { status }, report);
  }

  #progress(id: string): ProgressTeller<ImportReport> {
    const { clock, progressMs } = this.#options;
    return progressTeller(clock, (report) => this.#imports.change(id, { result: asJson(report) }), progressMs);
  }

  async #finish(id: string, { status, problem }: Pick<SyncSummary, 'status' | 'problem'>, report: ImportReport): Promise<void> {
    if (status === 'done') return await this.#move(id, (report.failed ?? 0) > 0 ? 'import_failed' : 'completed', report);
    if (status === 'gave-up') return await this.#move(id, 'import_failed', { ...report, reason: problem });
    // Interrupted: the next start continues from here.
    await this.#imports.change(id, { result: asJson(report) });
  }

  #check(): CheckRow<ImportItem> {
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

async function* only(chunks: AsyncIterable<SourceChunk>, isWanted: (row: SourceRow) => boolean): AsyncGenerator<SourceChunk> {
  for await (const { rows, bytes } of chunks) yield { rows: filtered(rows, isWanted), bytes };
}

function* filtered(rows: Iterable<SourceRow>, isWanted: (row: SourceRow) => boolean): Generator<SourceRow> {
  for (const row of rows) if (isWanted(row)) yield row;
}
