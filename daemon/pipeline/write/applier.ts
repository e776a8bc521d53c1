/**
 * The only reader of the log. It applies each durable entry to the directory, once and in order, and passes the result to the hub. Nothing
 * else changes the directory, even for entries that this process wrote.
 */

import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import type { Log } from '../../../store/log.ts';
import type { Directory } from '../../core/directory/directory.ts';
import type { UserChange } from '../../core/directory/record.ts';

interface Waiter {
  readonly seq: number;
  readonly settle: (isReached: boolean) => void;
  readonly reject: (error: unknown) => void;
}

export class Applier {
  readonly #log: Log;
  readonly #directory: Directory;
  readonly #onApplied: (entry: Entry, changes: readonly UserChange[]) => void;
  readonly #stop = new AbortController();
  readonly #waiters = new Set<Waiter>();
  /** No waiter is due before this seq. */
  #firstDue = Number.POSITIVE_INFINITY;
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
    if (reached < this.#firstDue) return;
    this.#firstDue = Number.POSITIVE_INFINITY;
    for (const waiter of this.#waiters) {
      if (waiter.seq <= reached) waiter.settle(true);
      else this.#firstDue = Math.min(this.#firstDue, waiter.seq);
    }
  }

  #end(error: Error): void {
    this.#ended = error;
    for (const waiter of this.#waiters) waiter.reject(error);
  }

  /**
   * Resolves with true when everything up to `seq` is applied, with false when that takes longer than `withinMs` (default: no limit). Rejects
   * when reading has ended before.
   */
  reached(seq: number, withinMs?: number): Promise<boolean> {
    if (this.#directory.seq >= seq) return Promise.resolve(true);
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      const timer = withinMs === undefined ? undefined : setTimeout(() => waiter.settle(false), withinMs);
      const over = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        seq,
        settle: (isReached) => {
          over();
          resolve(isReached);
        },
        reject: (error) => {
          over();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      this.#firstDue = Math.min(this.#firstDue, seq);
    });
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running?.catch(() => {});
  }
}
