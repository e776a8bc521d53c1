/**
 * The report: one line of JSON for each user that failed. The file is made with the first of them, so that a run without
 * failures leaves none behind, and written as it grows, so that a million failures cost no memory.
 */
import { constants } from 'node:fs';
import { access, type FileHandle, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Remainder, ReportSink } from '../../sync/report-sink.ts';
import type { Failure } from '../../sync/source.ts';

export class ReportFile implements ReportSink {
  readonly #path: string;
  #file: Promise<FileHandle> | undefined;
  /** Writes are chained: lines of several batches never mix. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string) {
    this.#path = path;
  }

  /** Finds out before anything is sent that the report could not be written. Rejects with the system's error. */
  async check(): Promise<void> {
    await access(dirname(this.#path), constants.W_OK);
  }

  async add(entries: readonly (Failure | Remainder)[]): Promise<void> {
    if (entries.length === 0) return;
    this.#file ??= open(this.#path, 'w');
    const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');
    const written = this.#last.then(async () => (await this.#file)?.appendFile(text));
    // Whoever called hears of the failure; the next write is not to fail because of this one.
    this.#last = written.catch(() => {});
    await written;
  }

  async close(): Promise<string | undefined> {
    if (this.#file === undefined) return undefined;
    await this.#last;
    await (await this.#file).close();
    return this.#path;
  }
}
