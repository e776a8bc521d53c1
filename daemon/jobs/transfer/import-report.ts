/** The report of an import about itself: its counts, and the first of its errors. */

import type { JsonObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { shortened } from '../../../protocol/base/shortened.ts';
import type { ImportTask } from '../../../protocol/transfer/imports.ts';
import type { SyncCounts } from '../../sync/counts.ts';
import type { ReportEntry, Report as RunReport } from '../../sync/report.ts';
import type { RowError } from '../../sync/rows.ts';
import type { ExtrasCounts } from './import-extras.ts';

const REASON_CHARS_MAX = 300;

/** The content of `result`, in which an import reports on itself. */
export interface ImportReport {
  /** Users of the file: known after the analysis. */
  users?: number;
  /** Items that are done; in a file of lines, the number of lines. */
  done?: number;
  created?: number;
  updated?: number;
  unchanged?: number;
  failed?: number;
  errors?: { item: number; id?: string; code: number | string; reason: string }[];
  /** Items with a device, mutes or push settings: these are added when all users are there. */
  extras?: number;
  /** Of these, everything up to this line is done. */
  extras_done?: number;
  devices?: number;
  mutes?: number;
  push_notifications?: number;
  /** The reason for an early end. */
  reason?: string | undefined;
}

/** The first errors of an import, and the number of all errors. */
export class ErrorList implements RunReport {
  readonly isFull = false;
  readonly list: NonNullable<ImportReport['errors']>;
  count: number;

  constructor({ errors = [], failed = 0 }: ImportReport = {}) {
    this.list = [...errors];
    this.count = failed;
  }

  /** Users not sent because the run ended are no errors: `done` and `reason` report them. */
  async add(entries: readonly ReportEntry[]): Promise<void> {
    for (const entry of entries) if (entry.result === 'failed' || entry.result === 'error') this.note(entry);
  }

  get summary(): Pick<ImportReport, 'failed' | 'errors'> {
    return { failed: this.count, ...(this.list.length === 0 ? undefined : { errors: [...this.list] }) };
  }

  note({ line, id, code, reason }: RowError): void {
    this.count++;
    if (this.list.length >= LIMITS.importErrorsKept) return;
    const text = shortened(reason, REASON_CHARS_MAX);
    this.list.push({ item: line, ...(id === undefined ? undefined : { id }), code, reason: text });
  }
}

/** The results of this run added to those of earlier runs of the same import. */
export function added(
  before: ImportReport,
  { counts, at }: { readonly counts: SyncCounts; readonly at: number },
  errors: ErrorList,
): ImportReport {
  return {
    ...before,
    done: Math.max(before.done ?? 0, at),
    created: (before.created ?? 0) + counts.created,
    updated: (before.updated ?? 0) + counts.updated,
    unchanged: (before.unchanged ?? 0) + counts.unchanged,
    ...errors.summary,
  };
}

export function reportOf(task: ImportTask | undefined): ImportReport {
  return { ...task?.result };
}

export function asJson(report: ImportReport): JsonObject {
  return JSON.parse(JSON.stringify(report));
}

export function withExtras(before: ImportReport, counts: readonly ExtrasCounts[], errors: ErrorList, line: number): ImportReport {
  const sum = (name: keyof ExtrasCounts) => counts.reduce((total, one) => total + one[name], before[name] ?? 0);
  return {
    ...before,
    devices: sum('devices'),
    mutes: sum('mutes'),
    push_notifications: sum('push_notifications'),
    done: Math.max(before.done ?? 0, line),
    extras_done: Math.max(before.extras_done ?? 0, line),
    ...errors.summary,
  };
}
