/** What a source gives, whatever it is: rows with their line, and one way to say that it ended too early. */

/** A row whose value could be read. Blank lines are no rows. */
export interface ValueRow {
  readonly line: number;
  readonly value: unknown;
  /** The value as JSON in one line, where it stands so in the source: that saves writing it anew. */
  readonly text?: string;
  /** What it takes in the source, where that is known. */
  readonly bytes?: number;
}

/** What is wrong with a row, or with the user on it. */
export interface RowError {
  readonly line: number;
  /** Where it could be read. */
  readonly id?: string;
  /** Of the daemon, or a word for what was found before asking it. */
  readonly code: number | string;
  readonly reason: string;
}

export type SourceRow = ValueRow | RowError;

/** Rows that came together. */
export interface SourceChunk {
  /** Can be gone through once: they are parsed on the way, so that only one of them is held. */
  readonly rows: Iterable<SourceRow>;
  /** Bytes of the source that they took, 0 where that is not known. */
  readonly bytes: number;
}

/**
 * The source ended before its end, or cannot be read on: nothing that follows from what it does not say may be believed.
 * The message says where.
 */
export class BrokenSource extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BrokenSource';
  }
}
