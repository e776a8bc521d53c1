/**
 * CSV (RFC 4180) as rows of cells: a header, then one row for each record, for files of any length.
 *
 * The line of a row is the line on which it begins, in an editor's count. Rows of which every cell is blank are no rows. A row with a
 * different number of cells is an error of that row, unless only blank cells are too many. After an unclosed quote, or bytes that are
 * not UTF-8, it is unknown where rows begin and end, so the source is broken.
 */
import { finished } from 'node:stream/promises';
import { TextDecoder } from 'node:util';
import { CsvError, parse } from 'csv-parse';
import { bare, isEmptyCell } from '../plan/cell-types.ts';
import { BrokenSource, type SourceChunk, type SourceRow } from '../rows.ts';
import { LineIndex } from './line-index.ts';

/** A longer row means an unclosed quote. */
const ROW_CHARS_MAX = 256 * 1024;
const ROWS_PER_CHUNK = 500;
const DELIMITERS = [',', ';', '\t', '|'];
/** Bytes searched for the header before the delimiter is decided. */
const HEADER_BYTES_MAX = 64 * 1024;
const LF = 0x0a;
const CR = 0x0d;

export interface CsvTable {
  readonly columns: readonly string[];
  readonly chunks: AsyncIterable<SourceChunk>;
}

/** Reads the header. Rejects with BrokenSource when there is none. */
export async function openCsv(source: AsyncIterable<Buffer>): Promise<CsvTable> {
  const watched = new WatchedBytes(source);
  const { lead, rest } = await readLead(watched.bytes());
  const { delimiter, skipped } = layoutOf(lead);
  const lineAt = (offset: number) => watched.lines.at(skipped + offset);
  const records = numbered(parsed(joined(lead.subarray(skipped), rest), delimiter), lineAt);
  const header = await records.next().catch((error: unknown) => {
    throw broken(error, lineAt);
  });
  if (header.done === true) throw new BrokenSource('it is empty: it has not even a header');
  const columns = header.value.cells.map(bare);
  return { columns, chunks: rowsOf(records, columns, watched, lineAt) };
}

type LineAt = (offset: number) => number;

interface NumberedRecord {
  /** The line on which the record begins. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** The records that are not blank. */
async function* numbered(records: AsyncIterable<ParsedRecord>, lineAt: LineAt): AsyncGenerator<NumberedRecord, void> {
  // A record begins where the one before it ended. The parser's own count of lines takes a CRLF in quotes for two.
  let start = 0;
  for await (const { cells, end } of records) {
    const line = lineAt(start);
    start = end;
    if (!cells.every(isEmptyCell)) yield { line, cells };
  }
}

interface ParsedRecord {
  readonly cells: readonly string[];
  /** Bytes of the text up to its end. */
  readonly end: number;
}

/** All records up to an error, and then the error: a stream that fails would drop those that were not read yet. */
async function* parsed(text: AsyncIterable<Buffer>, delimiter: string): AsyncGenerator<ParsedRecord, void> {
  let records: ParsedRecord[] = [];
  const parser = parse({
    delimiter,
    max_record_size: ROW_CHARS_MAX,
    on_record: (cells: string[], { bytes }) => {
      records.push({ cells, end: bytes });
      return null;
    },
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_column_count: true,
  });
  const ended = finished(parser, { readable: false }).then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    for await (const chunk of text) {
      const error = await new Promise<unknown>((resolve) => parser.write(chunk, resolve));
      yield* records;
      records = [];
      if (error instanceof Error) throw error;
    }
    parser.end();
    const error = await ended;
    yield* records;
    if (error !== undefined) throw error;
  } finally {
    parser.destroy();
  }
}

async function* rowsOf(
  records: AsyncGenerator<NumberedRecord, void>,
  columns: readonly string[],
  watched: WatchedBytes,
  lineAt: LineAt,
): AsyncGenerator<SourceChunk> {
  let rows: SourceRow[] = [];
  let last: SourceRow | undefined;
  let end: { readonly error: unknown } | undefined;
  // A header may end with columns that have neither names nor cells.
  const needed = columns.findLastIndex((name) => name !== '') + 1;
  try {
    for await (const { line, cells } of records) {
      last = rowOf(line, cells, columns.length, needed, watched.hasNul);
      rows.push(last);
      if (rows.length < ROWS_PER_CHUNK) continue;
      yield { rows, bytes: watched.taken() };
      rows = [];
    }
  } catch (error) {
    end = { error: broken(error, lineAt) };
  }
  if (end === undefined && last !== undefined && 'code' in last && last.code === 'wrong_columns' && !watched.endsWithLine) {
    rows.pop();
    end = { error: new BrokenSource(`it breaks off in its last line, ${last.line}`) };
  }
  yield { rows, bytes: watched.taken() };
  if (end !== undefined) throw end.error;
}

function rowOf(line: number, cells: readonly string[], columns: number, needed: number, mayHaveNul: boolean): SourceRow {
  if (mayHaveNul && cells.some((cell) => cell.includes('\0')))
    return { line, code: 'invalid_text', reason: 'the row holds a NUL character' };
  const isFitting = cells.length === columns || (cells.length >= needed && cells.slice(columns).every(isEmptyCell));
  if (isFitting) return { line, value: cells };
  const count = `${cells.length} ${cells.length === 1 ? 'cell' : 'cells'}`;
  return { line, code: 'wrong_columns', reason: `the row has ${count}, the header has ${columns}` };
}

function broken(error: unknown, lineAt: LineAt): unknown {
  if (!(error instanceof CsvError)) return error;
  // The offset is that of the cell with the error.
  const line = typeof error.bytes === 'number' ? lineAt(error.bytes) : '?';
  switch (error.code) {
    case 'CSV_QUOTE_NOT_CLOSED':
      return new BrokenSource(`a quote that is opened on line ${line} is not closed`);
    case 'CSV_MAX_RECORD_SIZE':
      return new BrokenSource(`the row on line ${line} is longer than ${ROW_CHARS_MAX} characters; is a quote not closed?`);
    case 'INVALID_OPENING_QUOTE':
      return new BrokenSource(`line ${line} is no CSV: a cell that holds a quote must be quoted, and its own quotes doubled`);
    case 'CSV_INVALID_CLOSING_QUOTE':
      return new BrokenSource(
        `line ${line} is no CSV: something follows the closing quote of a cell; quotes within a cell must be doubled`,
      );
    default:
      return new BrokenSource(`line ${line} is no CSV: ${error.message}`);
  }
}

/** Checks that the bytes are UTF-8 as they pass, and counts them: the parser would read invalid ones as question marks. */
class WatchedBytes {
  readonly #source: AsyncIterable<Buffer>;
  readonly lines = new LineIndex();
  #taken = 0;
  #lastByte: number | undefined;
  hasNul = false;

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source;
  }

  async *bytes(): AsyncGenerator<Buffer> {
    const decoder = new TextDecoder('utf-8', { fatal: true });
    const check = (chunk?: Buffer) => {
      try {
        decoder.decode(chunk, { stream: chunk !== undefined });
      } catch {
        throw new BrokenSource(`it is not UTF-8 (on line ${this.lines.last} or soon after); save it as UTF-8`);
      }
    };
    for await (const chunk of this.#source) {
      check(chunk);
      this.lines.add(chunk);
      if (chunk.includes(0)) this.hasNul = true;
      this.#taken += chunk.length;
      this.#lastByte = chunk.at(-1) ?? this.#lastByte;
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

  get endsWithLine(): boolean {
    return this.#lastByte === LF || this.#lastByte === CR;
  }
}

interface Lead {
  readonly lead: Buffer;
  readonly rest: AsyncGenerator<Buffer>;
}

/** The bytes up to the end of the header, up to a limit. */
async function readLead(rest: AsyncGenerator<Buffer>): Promise<Lead> {
  let lead = Buffer.alloc(0);
  while (lead.length < HEADER_BYTES_MAX && !readHeader(lead).isWhole) {
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

/** A byte order mark, and the line with which a spreadsheet names the delimiter of the file; when it saves the file, it pads that line. */
const PREAMBLE = /^\ufeff?(?:"?sep=([^\r\n"])"?[,;\t| ]*(?:\r\n|\n|\r|$))?/iu;
const BLANK_LINES = /^(?:[\s,;|]*[\r\n])?/;
const QUOTED = /"[^"]*(?:"|$)/g;

interface Header {
  readonly delimiter: string | undefined;
  /** The text before the header. */
  readonly preamble: string;
  /** The header outside its quotes. */
  readonly plain: string;
  /** Whether its end was found. */
  readonly isWhole: boolean;
}

function readHeader(lead: Buffer): Header {
  const text = lead.toString('utf8');
  const [preamble = '', delimiter] = PREAMBLE.exec(text) ?? [];
  const [plain = '', ...more] = text
    .slice(preamble.length)
    .replace(BLANK_LINES, '')
    .replace(QUOTED, '')
    .split(/[\r\n]/, 2);
  return { delimiter, preamble, plain, isWhole: more.length > 0 };
}

/** Without a line that names it, the most frequent delimiter: spreadsheets use semicolons where numbers have decimal commas. */
function layoutOf(lead: Buffer): { readonly delimiter: string; readonly skipped: number } {
  const { delimiter, preamble, plain } = readHeader(lead);
  const count = (candidate: string) => plain.split(candidate).length;
  const likely = () => DELIMITERS.reduce((best, candidate) => (count(candidate) > count(best) ? candidate : best));
  return { delimiter: delimiter ?? likely(), skipped: Buffer.byteLength(preamble) };
}
