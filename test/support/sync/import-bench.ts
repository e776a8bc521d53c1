/** An import over a directory in memory, with a clock that moves when told. */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import type { Work } from '../../../daemon/jobs/tasks/runner.ts';
import { importWork } from '../../../daemon/jobs/transfer/imports.ts';
import type { Command } from '../../../protocol/log/command.ts';
import type { ImportTask } from '../../../protocol/transfer/imports.ts';
import { BlobsUnavailable } from '../../../store/blobs.ts';
import { RulesBench } from '../rules-bench.ts';

export const ID = 'import-1';
export const never = new AbortController().signal;

export const lines = (users: readonly object[]): string => users.map((item) => `${JSON.stringify({ type: 'user', item })}\n`).join('');
export const many = (count: number): { id: string; name: string }[] =>
  Array.from({ length: count }, (_, n) => ({ id: `u${n}`, name: `User ${n}` }));

interface Setup {
  /** undefined: the upload is no longer there. */
  /** As it is, or in parts. */
  text: string | readonly Buffer[] | undefined;
  readonly mode?: ImportTask['mode'];
  readonly merge_custom?: boolean;
  readonly reuseHardDeleted?: boolean;
}

export class ImportBench {
  readonly bench = new RulesBench();
  /** Sizes of the batches that were submitted. */
  readonly batches: number[] = [];
  /** States of the document, with what it said, in the order in which they were stored. */
  readonly stored: { state: string; result: ImportTask['result'] }[] = [];
  readonly slept: number[] = [];
  nowMs = 1_800_000_000_000;
  /** How long a batch takes. */
  batchMs = 0;
  /** Called before a batch is decided. */
  onBatch: (index: number) => void | Promise<void> = () => {};
  /** Called when something waits. */
  onSleep: (ms: number, signal: AbortSignal | undefined) => void | Promise<void> = () => {};
  /** The storage is away after this many lines of the file. */
  awayAfter: number | undefined;
  readonly #setup: Setup;
  readonly work: Work;

  constructor(setup: Setup) {
    this.#setup = setup;
    const { mode = 'upsert', merge_custom, reuseHardDeleted = false } = setup;
    this.work = importWork({
      roster: { directory: this.bench.directory, submit: (command) => this.#submit(command) },
      files: { openUpload: async () => this.#upload() },
      clock: {
        now: () => this.nowMs,
        sleep: async (ms, signal) => {
          this.slept.push(ms);
          await this.onSleep(ms, signal);
        },
      },
      random: () => 0.5,
      logger: { info: () => {}, error: () => {} },
      reuseHardDeleted,
    });
    const at = this.nowMs * 1_000;
    const history = [{ prev_state: '', next_state: 'uploaded', created_at: at }];
    const merge = merge_custom === undefined ? {} : { merge_custom };
    this.put({ id: ID, path: 'p', mode, ...merge, state: 'uploaded', history, created_at: at, updated_at: at });
  }

  put(doc: ImportTask): void {
    this.bench.run({ kind: 'docs', changes: [{ kind: 'import', id: ID, doc }] });
  }

  async #submit(command: Command) {
    // As in the daemon, what is submitted together is decided later.
    await Promise.resolve();
    if (command.kind === 'upsert') {
      this.batches.push(command.users.length);
      await this.onBatch(this.batches.length);
      this.nowMs += this.batchMs;
    }
    const outcome = this.bench.run(command);
    if (command.kind === 'docs') this.stored.push({ state: this.task.state, result: this.task.result });
    return outcome;
  }

  #upload() {
    const { text } = this.#setup;
    if (text === undefined) return undefined;
    const parts = typeof text === 'string' ? [Buffer.from(text)] : text;
    return { stream: Readable.from(this.#chunks(parts)), bytes: parts.reduce((sum, { length }) => sum + length, 0) };
  }

  *#chunks(parts: readonly Buffer[]): Generator<Buffer> {
    if (this.awayAfter === undefined) return yield* parts;
    for (const line of Buffer.concat(parts).toString().split('\n').slice(0, this.awayAfter)) yield Buffer.from(`${line}\n`);
    throw new BlobsUnavailable('the database does not answer');
  }

  lose(): void {
    this.#setup.text = undefined;
  }

  get task(): ImportTask {
    const task = this.bench.directory.docs.get('import', ID);
    assert.ok(task);
    return task;
  }

  get result(): NonNullable<ImportTask['result']> {
    return this.task.result ?? {};
  }

  async run(signal = never): Promise<this> {
    await this.work.run(ID, signal);
    return this;
  }
}
