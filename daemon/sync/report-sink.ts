/** Where the users that were not taken over are written down. */
import type { Failure } from './source.ts';

/** What stands for the rest of a source that was not read to its end. */
export interface Remainder {
  readonly from_line: number;
  readonly code: 'not_read';
  readonly reason: string;
}

export interface ReportSink {
  /** Resolves when the lines are handed to the system; wait for it before adding more. Rejects when they cannot be written. */
  add(entries: readonly (Failure | Remainder)[]): Promise<void>;
  /** Where the report is, when there is one. */
  close(): Promise<string | undefined>;
}
