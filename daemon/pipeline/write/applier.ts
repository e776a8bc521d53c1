/**
 * The only reader of the log. It applies each durable entry to the directory, once and in order, and passes the result to the hub. Nothing
 * else changes the directory, even for entries that this process wrote.
 */

import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import type { Log } from '../../../store/log.ts';
import type { Directory } from '../../core/directory/directory.ts';
import type { UserChange } from '../../core/directory/record.ts';

type Waiter = { readonly seq: number; readonly resolve: () => void; readonly reject: (error: unknown) => void };

export class Applier {
  readonly #log: Log;
  readonly #directory: Directory;
  readonly #onApplied: (entry: Entry, changes: readonly UserChange[]) => void;
  readonly #stop = new AbortController();
  #waiters: Waiter[] = [];
  #ended: Error | undefined;
  #running: Promise<void> | undefined;

  constructor(log: Log, directory: Directory, onApplied: (entry: Entry, changes: readonly UserChange[]) => void) {
    this.#log = log;
    this.#directory = directory;
    this.#onApplied = onApplied;
  }

  /** Starts reading after the directory's position. The returned promise settles when reading ends. */
  start(): Promise<void> {
    this.#running ??= this.#run();
    return this.#running;
  }

  async #run(): Promise<void> {
    try {
      for await (const entry of this.#log.read(this.#directory.seq, this.#stop.signal)) this.#take(entry);
      this.#end(new Error('the applier has stopped'));
    } catch (error) {
      const cause = error instanceof Error ? error : new Error(String(error));
      this.#end(cause);
      throw cause;
    }
  }

  #take(entry: Entry): void {
    const changes = this.#directory.apply(entry);
    this.#onApplied(entry, changes);
    const reached = lastSeq(entry);
    // There are few waiters (the sequencer and the start of the daemon), so a scan is cheaper than keeping them sorted.
    const due = this.#waiters.filter((waiter) => waiter.seq <= reached);
    if (due.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => waiter.seq > reached);
    for (const waiter of due) waiter.resolve();
  }

  #end(error: Error): void {
    this.#ended = error;
    for (const waiter of this.#waiters) waiter.reject(error);
    this.#waiters = [];
  }

  /** Resolves when everything up to `seq` is applied; rejects when reading has ended before. */
  reached(seq: number): Promise<void> {
    if (this.#directory.seq >= seq) return Promise.resolve();
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => this.#waiters.push({ seq, resolve, reject }));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => {});
  }
}
