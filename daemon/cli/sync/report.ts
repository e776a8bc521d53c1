/**
 * The report of a run as a file: one line of JSON for each changed or failed user, or only for users that were not applied.
 * It is written as it grows, so that a million lines cost no memory. A resumed run truncates it to the length in the
 * checkpoint, so that no user is in it twice.
 */
import { constants } from 'node:fs';
import { access, type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorText } from '../../../protocol/base/errors.ts';
import type { ApplyReport } from '../../sync/apply/apply-types.ts';
import type { ReportEntry } from '../../sync/report.ts';
import { ConfigError } from '../config/config.ts';
import { beginningOf, ownFileOf } from './sources/own-file.ts';

export interface ReportFileOptions {
  readonly path: string;
  /** Reports every changed or failed user, and makes a file even if there is none. Otherwise only users that were not applied. */
  readonly isFull: boolean;
  /** Bytes to keep of the report of an earlier run; absent: a new report. */
  readonly keepBytes?: number;
}

/** Longer than any line of a report. */
const LINE_BYTES_MAX = 64 * 1024;

const NOT_APPLIED: ReadonlySet<string> = new Set(['failed', 'changed_meanwhile', 'error', 'not_applied', 'held_back']);

export class ReportFile implements ApplyReport {
  readonly isFull: boolean;
  readonly #options: ReportFileOptions;
  #file: FileHandle | undefined;
  #bytes = 0;
  #isSynced = true;

  private constructor(options: ReportFileOptions) {
    this.isFull = options.isFull;
    this.#options = options;
  }

  /**
   * Finds out before anything is sent that the report cannot be written. Rejects with the system's error, and with ConfigError when it
   * would overwrite a file that is no report.
   */
  static async open(options: ReportFileOptions): Promise<ReportFile> {
    await access(dirname(options.path), constants.W_OK);
    if (await isForeign(options.path)) throw new ConfigError([`${options.path} is there already and is no report; it is not overwritten`]);
    const report = new ReportFile(options);
    if (options.isFull || (options.keepBytes ?? 0) > 0) await report.#begin();
    return report;
  }

  async add(entries: readonly ReportEntry[]): Promise<void> {
    const lines = entries.flatMap((entry) => (this.isFull || NOT_APPLIED.has(entry.result) ? [`${JSON.stringify(entry)}\n`] : []));
    if (lines.length === 0) return;
    const bytes = Buffer.from(lines.join(''));
    const file = this.#file ?? (await this.#begin());
    this.#isSynced = false;
    await file.appendFile(bytes);
    this.#bytes += bytes.length;
  }

  async sync(): Promise<number> {
    if (!this.#isSynced) await this.#file?.datasync();
    this.#isSynced = true;
    return this.#bytes;
  }

  /** Resolves with the path of the report, when there is one. */
  async close(): Promise<string | undefined> {
    await this.#file?.close();
    return this.#file === undefined ? undefined : this.#options.path;
  }

  async #begin(): Promise<FileHandle> {
    const { path, keepBytes = 0 } = this.#options;
    this.#file = await open(path, keepBytes > 0 ? 'a' : 'w');
    const { size } = await this.#file.stat();
    this.#bytes = Math.min(size, keepBytes);
    await this.#file.truncate(this.#bytes);
    return this.#file;
  }
}

/** Whether there is a file with anything but a report. What is no file, such as /dev/stderr, takes whatever is written to it. */
async function isForeign(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile() !== true || info.size === 0) return false;
  const file = await open(path, 'r');
  try {
    const [line = ''] = (await beginningOf(file, LINE_BYTES_MAX)).split('\n', 1);
    return ownFileOf(line) !== 'report';
  } finally {
    await file.close();
  }
}

/** Throws ConfigError when the report cannot be written. */
export async function openReport(options: ReportFileOptions): Promise<ReportFile> {
  try {
    return await ReportFile.open(options);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new ConfigError([`the report cannot be written to ${options.path}: ${errorText(error)}`]);
  }
}
