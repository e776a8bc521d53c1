/** What the history of users is written to: files of one daemon (files.ts), or rows that several nodes share (rows.ts). */
import type { Position } from '../../../protocol/base/position.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Beginning } from '../../../store/history.ts';
import type { HistoryChange } from './record.ts';

/** Only one of `begin`, `flush` and `tidy` runs at a time, and no change is taken meanwhile. */
export interface HistoryStorage {
  /** Position up to which the log was read; undefined when there is no history. */
  readonly position: Position | undefined;
  /** Whether records wait to be written. */
  readonly hasRecords: boolean;
  /** Whether `flush` must succeed before it takes another change. */
  readonly isFull: boolean;
  /** Whether the log may have lost the position again: it may when it is stored elsewhere. */
  readonly mayBeAhead: boolean;

  /** Begins the history, or continues it at another place than `position`. */
  begin(beginning: Beginning): Promise<void>;
  /** Takes a change unless it has it already. Not while it is full. */
  append(change: HistoryChange): void;
  /** Notes that everything up to this position was seen. */
  advance(seq: number, time: Micros): void;
  /** Writes what was taken, together with the position. */
  flush(): Promise<void>;
  /** Removes what is older than `keepMicros`, and the oldest beyond the limit of bytes. Everything must be flushed. */
  tidy(now: Micros, keepMicros: number): Promise<void>;
}
