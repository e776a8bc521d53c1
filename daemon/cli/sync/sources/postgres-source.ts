/**
 * The rows of a PostgreSQL query: read with a cursor in a read-only transaction, so that memory is bounded and
 * nothing is changed. The line of a row is its number.
 *
 * No message contains the password. An error before the first row is a ConfigError, a later one breaks the source.
 */
import pg from 'pg';
import Cursor from 'pg-cursor';
import { parseExact } from '../../../../protocol/base/exact-numbers.ts';
import { BrokenSource, type SourceChunk, type SourceRow } from '../../../sync/rows.ts';
import type { OpenedSource } from '../../../sync/sources/opened-source.ts';
import { ConfigError } from '../../config/config.ts';

const ROWS_PER_READ = 1_000;
const CONNECT_MS = 15_000;

/** PostgreSQL's numbers for types (`select oid, typname from pg_type`). */
const INT8 = 20;
/** bytea, interval, and lists of times: the driver would turn them into its own objects. */
const AS_TEXT: ReadonlySet<number> = new Set([17, 1186, 1115, 1182, 1185]);
/** json and jsonb, and lists of them. */
const JSON_VALUES: ReadonlySet<number> = new Set([114, 3802]);
const JSON_LISTS: ReadonlySet<number> = new Set([199, 3807]);
const NUMERIC_LIST = 1231;
const TEXT_LIST: number = 1009;
const DATE = 1082;
const TIMESTAMP = 1114;
const TIMESTAMPTZ = 1184;

export interface PostgresOptions {
  /** `postgres://user@host/database`; missing parts come from PGHOST, PGPASSWORD, ~/.pgpass and the like. */
  readonly url: string;
  readonly query: string;
  /** Aborted: the connection is closed, whatever it is waiting for. */
  readonly stop: AbortSignal;
}

/** Connects, begins, and reads the first rows. Rejects with ConfigError. */
export async function openPostgres({ url, query, stop }: PostgresOptions): Promise<OpenedSource> {
  const name = withoutPassword(url);
  const inexact: Inexact = { wasFound: false };
  const client = new pg.Client({
    connectionString: url,
    application_name: 'rosterd-sync',
    connectionTimeoutMillis: CONNECT_MS,
    types: { getTypeParser: (type: number) => parserFor(type, inexact) },
  });
  let lost: Error | undefined;
  client.on('error', (error) => {
    lost ??= error;
  });
  const close = async () => {
    stop.removeEventListener('abort', close);
    await client.end().catch(() => {});
  };
  stop.addEventListener('abort', close, { once: true });
  const fail = async (what: string, error: unknown): Promise<never> => {
    await close();
    throw new ConfigError([`${name}: ${what}: ${plainMessage(error, url)}`]);
  };
  await client.connect().catch((error: unknown) => fail('cannot connect', error));
  // Times are written in the same way, whatever the settings of the server.
  await client
    .query("SET datestyle = 'ISO'; SET timezone = 'UTC'; SET intervalstyle = 'iso_8601'; BEGIN READ ONLY")
    .catch((error: unknown) => fail('cannot begin', error));
  const cursor = client.query(new Cursor<readonly unknown[]>(query, [], { rowMode: 'array' }));
  const first = await read(cursor).catch((error: unknown) => fail('the query failed', error));
  if (first.columns.length === 0) return await fail('the query failed', new Error('it gives no columns; it must be one SELECT'));
  return { name, columns: first.columns, chunks: chunksOf(cursor, first.rows, { inexact, lost: () => lost, url }), close };
}

interface Read {
  readonly rows: readonly (readonly unknown[])[];
  readonly columns: readonly string[];
}

function read(cursor: Cursor<readonly unknown[]>): Promise<Read> {
  return new Promise((resolve, reject) => {
    cursor.read(ROWS_PER_READ, (error, rows, result) => {
      // The driver passes null when nothing failed.
      if (error) reject(error);
      else resolve({ rows, columns: (result?.fields ?? []).map(({ name }) => name) });
    });
  });
}

/** Whether a value was read that holds a number which cannot be kept. */
interface Inexact {
  wasFound: boolean;
}

interface Connection {
  readonly inexact: Inexact;
  readonly lost: () => Error | undefined;
  readonly url: string;
}

async function* chunksOf(
  cursor: Cursor<readonly unknown[]>,
  first: Read['rows'],
  { inexact, lost, url }: Connection,
): AsyncGenerator<SourceChunk> {
  let line = 0;
  for (let rows = first; rows.length > 0; ) {
    const found: SourceRow[] = [];
    for (const value of rows) found.push({ line: ++line, value, isInexact: inexact.wasFound });
    yield { rows: found, bytes: 0 };
    try {
      rows = (await read(cursor)).rows;
    } catch (error) {
      throw new BrokenSource(`it broke off after row ${line}: ${plainMessage(lost() ?? error, url)}`, { cause: error });
    }
    const error = lost();
    if (error !== undefined) throw new BrokenSource(`it broke off after row ${line}: ${plainMessage(error, url)}`, { cause: error });
  }
}

/** Numbers, booleans, JSON and lists as the driver reads them; times as RFC 3339; everything else as PostgreSQL writes it. */
function parserFor(type: number, inexact: Inexact): (text: string) => unknown {
  const json = (text: string) => {
    const { value, isExact } = parseExact(text);
    if (!isExact) inexact.wasFound = true;
    return value;
  };
  if (JSON_VALUES.has(type)) return json;
  if (JSON_LISTS.has(type)) return listOf(json);
  switch (type) {
    case INT8:
      return exactOrText;
    case NUMERIC_LIST:
      return listOf(exactOrText);
    case DATE:
      return (text) => text;
    case TIMESTAMP:
      return (text) => text.replace(' ', 'T');
    case TIMESTAMPTZ:
      return (text) => text.replace(' ', 'T').replace(/\+00$/, 'Z');
    default:
      return AS_TEXT.has(type) ? (text) => text : pg.types.getTypeParser(type);
  }
}

/** A number beyond the exact range stays a text. */
function exactOrText(text: string): number | string {
  const number = Number(text);
  return Number.isFinite(number) && (Number.isSafeInteger(number) || !/^-?\d+$/.test(text)) ? number : text;
}

function listOf(read: (text: string) => unknown): (text: string) => unknown {
  const asTexts: (text: string) => unknown = pg.types.getTypeParser(TEXT_LIST);
  const readAll = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(readAll);
    return typeof value === 'string' ? read(value) : value;
  };
  return (text) => readAll(asTexts(text));
}

function withoutPassword(url: string): string {
  const at = new URL(url);
  at.password = '';
  at.search = '';
  return at.href;
}

/** The driver's message, with the password removed if it contains it. */
function plainMessage(error: unknown, url: string): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const text = first instanceof Error ? first.message || first.name : String(first);
  const { password, searchParams } = new URL(url);
  const secrets = [password, decoded(password), searchParams.get('password') ?? ''].filter((secret) => secret !== '');
  return secrets.reduce((hidden, secret) => hidden.replaceAll(secret, '***'), text);
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
