/** A source that can be read: its rows, and its columns where it is a table. */
import type { SourceChunk } from '../rows.ts';

export const FORMATS = ['ndjson', 'json', 'csv'] as const;
export type Format = (typeof FORMATS)[number];

export interface OpenedSource {
  /** Name for the plan and for messages. Never contains a password. */
  readonly name: string;
  /** Columns of a table, in the order of the cells of its rows. */
  readonly columns?: readonly string[];
  /** Can be read once. Rejects with BrokenSource. */
  readonly chunks: AsyncIterable<SourceChunk>;
  /** Undefined when the length is not known. */
  readonly totalBytes?: number;
  /** Releases the source, read to its end or not. */
  close(): Promise<void>;
}
