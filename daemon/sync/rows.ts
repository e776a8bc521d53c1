/** The rows of any source, with their lines, and one error for a source that ended too early. */

/** A row whose value could be read. Blank lines are no rows. */
export interface ValueRow {
  readonly line: number;
  /** Holds an InexactNumber for each number that cannot be kept. */
  readonly value: unknown;
  /** Whether the value may hold such numbers. */
  readonly isInexact?: boolean;
  /** The value as JSON in one line, if the source has it in this form: this saves writing it again. */
  readonly text?: string;
  /** Bytes of the row in the source, where they are known. */
  readonly bytes?: number;
}

/** An error in a row, or in the user on it. */
export interface RowError {
  readonly line: number;
  /** The id, where it could be read. */
  readonly id?: string;
  /** A code of the daemon, or a word for an error found before asking it. */
  readonly code: number | string;
  readonly reason: string;
}

export type SourceRow = ValueRow | RowError;

/** Rows that arrived together. */
export interface SourceChunk {
  /** Can be iterated once: rows are parsed on the way, so that only one of them is held. */
  readonly rows: Iterable<SourceRow>;
  /** Bytes of these rows in the source, 0 where they are not known. */
  readonly bytes: number;
}

/**
 * The source ended too early, or cannot be read any further: no conclusion may be drawn from users that it does not name.
 * The message says where it ended.
 */
export class BrokenSource extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BrokenSource';
  }
}
