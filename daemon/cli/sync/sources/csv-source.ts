/**
 * CSV (RFC 4180) as rows of cells: a header, then one row for each record, for files of any length.
 *
 * The line of a row is the line on which it begins. A row with a different number of cells is an error of that row. After an
 * unclosed quote, or bytes that are not UTF-8, it is unknown where rows begin and end, so the source is broken.
 */
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { TextDecoder } from 'node:util';
import { CsvError, parse } from 'csv-parse';
import { isObject } from '../../../../protocol/base/json.ts';
import { BrokenSource, type SourceChunk, type SourceRow } from '../../../sync/rows.ts';

/** A longer row means an unclosed quote. */
const ROW_CHARS_MAX = 256 * 1024;
const ROWS_PER_CHUNK = 500;
const DELIMITERS = [',', ';', '\t'];
/** Bytes searched for the header before the delimiter is decided. */
const HEADER_BYTES_MAX = 64 * 1024;
const LF = 0x0a;

export interface CsvTable {
  readonly columns: readonly string[];
  readonly chunks: AsyncIterable<SourceChunk>;
}

/** Reads the header. Rejects with BrokenSource when there is none. */
export async function openCsv(source: AsyncIterable<Buffer>): Promise<CsvTable> {
  const watched = new WatchedBytes(source);
  const { lead, rest } = await readLead(watched.bytes());
  const parser = parse({
    bom: true,
    delimiter: delimiterOf(lead),
    info: true,
    max_record_size: ROW_CHARS_MAX,
    record_delimiter: ['\r\n', '\n'],
    relax_column_count: true,
    skip_empty_lines: true,
  });
  const bytes = Readable.from(joined(lead, rest), { objectMode: false });
  bytes.on('error', (error) => parser.destroy(error));
  bytes.pipe(parser);
  const records = numbered(parser);
  const header = await records.next().catch((error: unknown) => {
    throw broken(error);
  });
  if (header.done === true) throw new BrokenSource('it is empty: it has not even a header');
  const columns = header.value.cells.map((name) => name.trim());
  return { columns, chunks: rowsOf(records, columns.length, watched) };
}

interface NumberedRecord {
  /** The line on which the record begins, and the one on which it ends. */
  readonly line: number;
  readonly cells: readonly string[];
}

async function* numbered(parser: AsyncIterable<unknown>): AsyncGenerator<NumberedRecord, void> {
  for await (const found of parser) {
    assert(isFound(found), 'the parser was asked for records with information');
    const { record, info } = found;
    let breaks = 0;
    for (const cell of record) {
      for (let at = cell.indexOf('\n'); at !== -1; at = cell.indexOf('\n', at + 1)) breaks++;
    }
    yield { line: info.lines - breaks, cells: record };
  }
}

interface Found {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function isFound(found: unknown): found is Found {
  return isObject(found) && Array.isArray(found.record) && isObject(found.info) && typeof found.info.lines === 'number';
}

async function* rowsOf(records: AsyncGenerator<NumberedRecord, void>, columns: number, watched: WatchedBytes): AsyncGenerator<SourceChunk> {
  let rows: SourceRow[] = [];
  let last: SourceRow | undefined;
  try {
    for await (const { line, cells } of records) {
      last = rowOf(line, cells, columns);
      rows.push(last);
      if (rows.length < ROWS_PER_CHUNK) continue;
      yield { rows, bytes: watched.taken() };
      rows = [];
    }
  } catch (error) {
    throw broken(error);
  }
  if (last !== undefined && 'code' in last && watched.lastByte !== LF) {
    throw new BrokenSource(`it breaks off in its last line, ${last.line}`);
  }
  yield { rows, bytes: watched.taken() };
}

function rowOf(line: number, cells: readonly string[], columns: number): SourceRow {
  if (cells.length === columns) return { line, value: cells };
  const count = `${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}`;
  return { line, code: 'wrong_columns', reason: `the row has ${count}, the header has ${columns}` };
}

function broken(error: unknown): unknown {
  if (!(error instanceof CsvError)) return error;
  const line = typeof error.lines === 'number' ? error.lines : '?';
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return new BrokenSource(`a quote that is opened on line ${line} is not closed`);
    case 'CSV_MAX_RECORD_SIZE':
      return new BrokenSource(`the row that ends behind line ${line} is longer than ${ROW_CHARS_MAX} characters; is a quote not closed?`);
    default:
      return new BrokenSource(`line ${line} is no CSV: ${error.message}`);
  }
}

/** Checks that the bytes are UTF-8 as they pass, and counts them: the parser would read invalid ones as question marks. */
class WatchedBytes {
  readonly #source: AsyncIterable<Buffer>;
  #taken = 0;
  lastByte: number | undefined;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source;
  }

  async *bytes(): AsyncGenerator<Buffer> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    let lines = 1;
    const check = (chunk?: Buffer) => {
      try {
        decoder.decode(chunk, { stream: chunk !== undefined });
      } catch {
        throw new BrokenSource(`it is not UTF-8 (on line ${lines} or soon after); save it as UTF-8`);
      }
    };
    for await (const chunk of this.#source) {
      check(chunk);
      for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) lines++;
      this.#taken += chunk.length;
      this.lastByte = chunk.at(-1) ?? this.lastByte;
      yield chunk;
    }
    check();
  }

  /** Bytes since the last call. */
  taken(): number {
    const bytes = this.#taken;
    this.#taken = 0;
    return bytes;
  }
}

interface Lead {
  readonly lead: Buffer;
  readonly rest: AsyncGenerator<Buffer>;
}

/** The bytes up to the end of the first line, up to a limit. */
async function readLead(rest: AsyncGenerator<Buffer>): Promise<Lead> {
  let lead = Buffer.alloc(0);
  while (lead.length < HEADER_BYTES_MAX && !lead.includes(LF)) {
    const step = await rest.next();
    if (step.done === true) break;
    lead = Buffer.concat([lead, step.value]);
  }
  return { lead, rest };
}

async function* joined(lead: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (lead.length > 0) yield lead;
  yield* rest;
}

/** The most frequent delimiter of the header, outside quotes: spreadsheets use semicolons where numbers have decimal commas. */
function delimiterOf(lead: Buffer): string {
  const header = (lead.toString('utf8').split('\n', 1)[0] ?? '').replace(/"[^"]*"/g, '');
  const count = (delimiter: string) => header.split(delimiter).length;
  return DELIMITERS.reduce((best, delimiter) => (count(delimiter) > count(best) ? delimiter : best), ',');
}
