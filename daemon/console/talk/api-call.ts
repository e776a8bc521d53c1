/** A call of an endpoint, before it is made. */

/** An object of an answer. */
export type JsonRecord = Readonly<Record<string, unknown>>;

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Path of the endpoint, with its query. */
  readonly path: string;
  readonly body?: unknown;
  /** Sent as it is, in place of a body. */
  readonly file?: Blob;
}

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The rows of a list in an answer; none while there is no answer. */
export function rowsOf<Row>(answer: JsonRecord | undefined, key: string): readonly Row[] {
  const rows = answer?.[key];
  return Array.isArray(rows) ? rows : [];
}
