/** A call of an endpoint, before it is made. */

/** An object of an answer. */
export type JsonRecord = Readonly<Record<string, unknown>>;

export interface ApiCall {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** Path of the endpoint, with its query. */
  readonly path: string;
  readonly body?: unknown;
  /** The revision that it requires of what it changes: `tag` of an answer. */
  readonly ifMatch?: string;
  /** Sent as it is, in place of a body. */
  readonly file?: Blob;
}

export function isRecord(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Changes settings of the application. `tag`: the revision of those that were looked at. */
export function updateApp(body: JsonRecord, tag: string | undefined): ApiCall {
  return { method: 'PATCH', path: '/api/v2/app', body, ...(tag === undefined ? undefined : { ifMatch: tag }) };
}

/** The rows of a list in an answer; none while there is no answer. */
export function rowsOf<Row>(answer: JsonRecord | undefined, key: string): readonly Row[] {
  const rows = answer?.[key];
  return Array.isArray(rows) ? rows : [];
}
