/**
 * A history of users that several processes share: one of them writes it at a time, and all read it. It keeps records as bytes and does not
 * know their form.
 *
 * It keeps HY9–HY11 (daemon/RULES.md).
 */
import type { Position } from '../protocol/base/position.ts';
import type { Micros } from '../protocol/base/time.ts';

/** A place where a history begins, or begins again. */
export interface Beginning {
  readonly epoch: string;
  /** The history holds changes after this seq. */
  readonly after: number;
  /** From this time on nothing is missing. */
  readonly time: Micros;
}

/** What was read of the log from one position to another. The lists are about the same changes, in the order of the log. */
export interface HistoryBatch {
  /** The position that the history must have. */
  readonly from: Position;
  /** The seq up to which the log was read. */
  readonly seq: number;
  readonly users: readonly string[];
  readonly seqs: readonly number[];
  readonly times: readonly Micros[];
  /** All records, one after another, and how many bytes of UTF-8 each has. */
  readonly records: Buffer;
  readonly lengths: readonly number[];
}

export interface HistoryLimits {
  readonly now: Micros;
  /** Changes from before this time go. */
  readonly notBefore: Micros;
  /** The oldest changes go while all take more space than this, indexes included. */
  readonly bytesMax: number;
}

/**
 * The hand of the process that holds the job `history`. Nothing is written once another process has the job: everything then rejects with
 * LeaseLost. Everything rejects, too, when the storage does not answer, soon after the work should have ended. After a rejection the
 * outcome is not known: begin again with another writer and its position.
 */
export interface HistoryWriter {
  /** Position up to which the log was read; undefined when there is no history. Changes that the log has lost again are removed first. */
  position(): Promise<Position | undefined>;
  /** Begins the history, or continues it at another place than its position: changes after that place go, and missing ones leave a gap. */
  begin(beginning: Beginning): Promise<void>;
  /** Stores all of the batch or nothing. Resolves with the space that all changes take then, in bytes. */
  record(batch: HistoryBatch): Promise<number>;
  /** Removes what is too old or too much, a part at a time, the oldest first. */
  tidy(limits: HistoryLimits): Promise<void>;
  /** Removes all. */
  remove(): Promise<void>;
  /** Never rejects. */
  close(): Promise<void>;
}

export interface StoredHistoryQuestion {
  readonly id: string;
  /** Changes, 1 or more. */
  readonly limit: number;
  /** Only changes with a smaller seq. */
  readonly before: number;
  /** Older changes are not shown. */
  readonly notBefore: Micros;
}

export interface StoredChange {
  readonly seq: number;
  readonly at: Micros;
  readonly record: string;
  /** The place and time where the history began anew after this change, and before the next one of the page. */
  readonly gap?: { readonly seq: number; readonly at: Micros };
}

export interface StoredHistoryPage {
  /** The position that the history had when it was read. */
  readonly position: Position;
  /** From this time on nothing is missing. */
  readonly from: Micros;
  /** Newest first. */
  readonly changes: readonly StoredChange[];
}

export interface HistoryTable {
  /** `token`: that of the lease. `signal`: aborts when the work must end. */
  writer(token: number, signal: AbortSignal): HistoryWriter;

  /** Changes of one user; undefined when there is no history. Rejects when the storage is away, or does not answer within 5 s. */
  page(question: StoredHistoryQuestion): Promise<StoredHistoryPage | undefined>;
}
