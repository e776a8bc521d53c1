/**
 * A log in memory that several nodes share, as one of them sees it: it reads later than the others write, or not at all, and its storage can be
 * away.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Position } from '../../../protocol/base/position.ts';
import type { Entry, EntryDraft } from '../../../protocol/log/entry.ts';
import { type AppendResult, type Log, type LogStatus, LogUnavailable } from '../../../store/log.ts';
import type { MemoryLog } from '../../../store/memory-log.ts';

export class NodeLog implements Log {
  /** Entries are read later by this. */
  lagMs = 0;
  /** What needs an absent storage is refused after this time. */
  deadlineMs = 300;
  /** Questions to the storage, of each kind. */
  readonly asked = { append: 0, end: 0 };
  readonly #shared: MemoryLog;
  #status: LogStatus = { state: 'ready' };
  /** Of the time when the storage went away: later entries are not known. */
  #lastHead: Position | undefined;
  #isBack: Promise<void> = Promise.resolve();
  #comeBack = (): void => {};
  #mayRead: Promise<void> = Promise.resolve();
  #fail = (_error: Error): void => {};
  readonly #failed = new Promise<never>((_, reject) => {
    this.#fail = reject;
  });

  constructor(shared: MemoryLog) {
    this.#shared = shared;
    this.#failed.catch(() => {});
  }

  /** `since`: wall clock, milliseconds. */
  goAway(reason = 'the test took it away', since = Date.now()): void {
    this.#lastHead = this.#shared.head;
    this.#status = { state: 'away', since, reason };
    this.#isBack = new Promise((resolve) => {
      this.#comeBack = resolve;
    });
  }

  comeBack(): void {
    this.#status = { state: 'ready' };
    this.#lastHead = undefined;
    this.#comeBack();
  }

  /** As when the history in the storage was replaced: reading ends with the error. */
  fail(error: Error): void {
    this.#status = { state: 'failed', reason: error.message };
    this.#fail(error);
  }

  /** Nothing is read until the returned function is called. */
  holdReading(): () => void {
    let open = (): void => {};
    this.#mayRead = new Promise((resolve) => {
      open = resolve;
    });
    return open;
  }

  get head(): Position {
    return this.#lastHead ?? this.#shared.head;
  }

  get tail(): number {
    return this.#shared.tail;
  }

  get status(): LogStatus {
    return this.#status;
  }

  async append(after: number, draft: EntryDraft): Promise<AppendResult> {
    this.asked.append++;
    await this.#reachable();
    return await this.#shared.append(after, draft);
  }

  async end(): Promise<number> {
    this.asked.end++;
    await this.#reachable();
    return await this.#shared.end();
  }

  async turn<T>(work: (head: number) => Promise<T>): Promise<T> {
    await this.#reachable();
    return await this.#shared.turn(work);
  }

  async *read(after: number, signal: AbortSignal): AsyncGenerator<Entry, void, undefined> {
    const aborted = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    const arriving: { readonly entry: Entry; readonly atMs: number }[] = [];
    let wake = (): void => {};
    let isOver = false;
    const gathering = (async () => {
      for await (const entry of this.#shared.read(after, signal)) {
        arriving.push({ entry, atMs: performance.now() + this.lagMs });
        wake();
      }
      isOver = true;
      wake();
    })();
    gathering.catch(() => {});
    while (!signal.aborted) {
      const next = arriving.shift();
      if (next === undefined) {
        if (isOver) return;
        const more = new Promise<void>((resolve) => {
          wake = resolve;
        });
        await Promise.race([more, aborted, gathering, this.#failed]);
        continue;
      }
      const lagMs = next.atMs - performance.now();
      if (lagMs > 0) await delay(lagMs, undefined, { signal }).catch(() => {});
      await Promise.race([this.#mayRead.then(() => this.#isBack), aborted, this.#failed]);
      if (!signal.aborted) yield next.entry;
    }
  }

  snapshotSaved(seq: number): Promise<void> {
    return this.#shared.snapshotSaved(seq);
  }

  keepAfter(name: string, after: number | undefined): void {
    this.#shared.keepAfter(name, after);
  }

  /** The other nodes go on. */
  async close(): Promise<void> {
    this.#status = { state: 'closed' };
    this.#comeBack();
  }

  async #reachable(): Promise<void> {
    if (this.#status.state !== 'away') return;
    const { reason } = this.#status;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new LogUnavailable('not-written', reason)), this.deadlineMs);
    });
    await Promise.race([this.#isBack, late]).finally(() => clearTimeout(timer));
  }
}
