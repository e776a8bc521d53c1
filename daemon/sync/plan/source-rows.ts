/** What a source gives, whatever it is: rows with their line, and one way to say that it ended too early. */

/** What stands on one line, or what is wrong with it. Blank lines are no rows. */
export type SourceRow =
  | { readonly line: number; readonly value: unknown }
  | { readonly line: number; readonly code: string; readonly reason: string };

/** Rows that came together. */
export interface SourceChunk {
  readonly rows: readonly SourceRow[];
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
