/**
 * The `Log` contract: how entries become durable, and in which order they are read.
 * The rules have numbers; the contract suite (test/contract/) proves each for every adapter.
 *
 * It keeps LG1–LG16 (store/README.md).
 */

import type { Position } from '../protocol/base/position.ts';
import type { Entry, EntryDraft } from '../protocol/log/entry.ts';

export type AppendResult = { readonly status: 'appended'; readonly entry: Entry } | { readonly status: 'conflict'; readonly head: number };

/** LG15. While it is `away`, what is known can be read, and whatever needs the storage waits up to its deadline. */
export type LogStatus =
  | { readonly state: 'ready' }
  /** `since`: wall clock, milliseconds. `reason` is meant for an operator and contains no secret. */
  | { readonly state: 'away'; readonly since: number; readonly reason: string }
  /** What is known can be read and is up to date; appends are refused until somebody puts it right. */
  | { readonly state: 'read-only'; readonly reason: string }
  /** Permanently: only a new start can help. */
  | { readonly state: 'failed'; readonly reason: string }
  | { readonly state: 'closed' };

export interface Log {
  /** Epoch and seq of the last durable fact; seq 0 when the log is empty and did not start from a snapshot. */
  readonly head: Position;
  /** The smallest `after` that `read` accepts: everything later is kept. */
  readonly tail: number;
  /** LG15. */
  readonly status: LogStatus;

  /**
   * Stores one entry after `after`, the seq of the head on which the decision was based. Several appends may be in flight, each
   * naming the head that the previous one will leave; they become durable together and resolve in order.
   * Rejects with LogUnavailable (LG5), LogClosed (LG10) or LogEpochChanged (LG16); with a TypeError or RangeError for an entry that no log could store
   * (no facts, not JSON, longer than LIMITS.entryBytes).
   */
  append(after: number, draft: EntryDraft): Promise<AppendResult>;

  /**
   * LG13: where the log ended, durably, at some moment since this call, whoever else writes to it. A decision that adds no facts is only
   * right when it was made on the newest state, and no append would notice. Rejects like `append`, never as `unknown`.
   */
  end(): Promise<number>;

  /**
   * LG14: runs `work` while no other writer can append, for a writer that others overtook too often. `head` is the end of the log at
   * that time, and readers can reach it. At most one append belongs to the turn. Rejects like `append` when the turn cannot be had, and
   * with the error of `work`. A turn is fairness, not safety: when it is lost in the middle, the append in it may be a conflict.
   */
  turn<T>(work: (head: number) => Promise<T>): Promise<T>;

  /**
   * Every entry later than `after`, then live ones as they become durable, until `signal` aborts (the iterator then ends) or
   * the log closes (it ends after the last durable entry). Rejects with LogTrimmed (LG7) or LogEpochChanged (LG16).
   * A slow consumer costs no memory: it reads the entries that it lacks from storage.
   */
  read(after: number, signal: AbortSignal): AsyncIterable<Entry>;

  /**
   * Reports that a snapshot at `seq` is durable, so that recovery no longer needs the entries up to it. The log then removes
   * the entries that retention (count, bytes, age) no longer requires, never any after `seq`, nor held ones (LG12).
   */
  snapshotSaved(seq: number): Promise<void>;

  /**
   * Holds every entry later than `after` under this name; `undefined` ends the hold. Holds last while the log is open, so they
   * are set again after each start, before the first snapshot is saved. A hold beyond the head, or before the tail, is allowed.
   */
  keepAfter(name: string, after: number | undefined): void;

  /** Completes the appends in flight. Later calls of `append` reject with LogClosed. */
  close(): Promise<void>;
}

/** LG5. `not-written`: nothing was stored, and a retry is safe. `unknown`: read on and look for the entry's id. */
export class LogUnavailable extends Error {
  readonly outcome: 'not-written' | 'unknown';

  constructor(outcome: 'not-written' | 'unknown', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'LogUnavailable';
    this.outcome = outcome;
  }
}

/** LG7. `tail` is the smallest position from which reading is still possible. */
export class LogTrimmed extends Error {
  readonly tail: number;

  constructor(after: number, tail: number) {
    super(`entries after ${after} are no longer kept; the log starts after ${tail}`);
    this.name = 'LogTrimmed';
    this.tail = tail;
  }
}

/** LG16. The history in the storage is no longer the one that this log was opened on: end, and start again from the storage. */
export class LogEpochChanged extends Error {
  /** That of the history that exists now; empty when there is none. */
  readonly epoch: string;

  constructor(epoch: string, reason: string) {
    super(`the history of the log was replaced (${reason}); the process must start again from what is stored`);
    this.name = 'LogEpochChanged';
    this.epoch = epoch;
  }
}

/** PL11. The log goes on in a format that this version does not read. For whoever uses the log it is the same: this process must end. */
export class LogFormatRaised extends LogEpochChanged {
  constructor(epoch: string, problem: string) {
    super(epoch, problem);
    this.name = 'LogFormatRaised';
    this.message = `the log ${problem}`;
  }
}

/** LG10. */
export class LogClosed extends Error {
  constructor() {
    super('the log is closed');
    this.name = 'LogClosed';
  }
}

/** LG9. A record before the last one is damaged, or a file is missing: the history is unreliable, and the log does not open. */
export class LogDamaged extends Error {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;

  constructor(file: string, offset: number, reason: string) {
    super(`${file} is damaged at offset ${offset}: ${reason}`);
    this.name = 'LogDamaged';
    this.reason = reason;
    this.file = file;
    this.offset = offset;
  }
}
