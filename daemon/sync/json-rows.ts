/** JSON as rows: one object per line, or one list of objects. An error in an object is an error of that row. */
import { isUtf8 } from 'node:buffer';
import { errorText } from '../../protocol/base/errors.ts';
import { parseExact } from '../../protocol/base/exact-numbers.ts';
import { LineSplitter, type RawLine, SOURCE_LINE_BYTES_MAX } from './line-reader.ts';
import { LIST_START, ListSplitter, startOf } from './list-reader.ts';
import { BrokenSource, type SourceChunk, type SourceRow } from './rows.ts';

/** Most white space and byte order mark before the first item; input with more than this is no list. */
const LEAD_BYTES_MAX = 64 * 1024;

/** Rejects with BrokenSource when the last line has no line end and is not JSON. */
export async function* jsonLines(source: AsyncIterable<Buffer>): AsyncGenerator<SourceChunk> {
  const splitter = new LineSplitter();
  for await (const chunk of source) yield chunkOf(splitter.push(chunk), 'line');
  const last = chunkOf(splitter.end(), 'line');
  const rows = [...last.rows];
  for (const row of rows) if ('code' in row) throw new BrokenSource(`it breaks off in its last line, ${row.line}`);
  yield { ...last, rows };
}

/** Rejects with BrokenSource when the list is not closed. The line of a row is its number in the list. */
export async function* jsonList(source: AsyncIterable<Buffer>): AsyncGenerator<SourceChunk> {
  const splitter = new ListSplitter();
  for await (const chunk of source) yield chunkOf(splitter.push(chunk), 'item');
  splitter.end();
}

/**
 * Items of a list or of lines; the first character shows which of the two it is. Skips rows up to `afterLine`.
 * Rejects with BrokenSource when the input is not one list from its beginning to its end.
 */
export async function* jsonItems(source: AsyncIterable<Buffer>, afterLine = 0): AsyncGenerator<SourceChunk> {
  const lead: Buffer[] = [];
  let leadBytes = 0;
  let splitter: LineSplitter | ListSplitter | undefined;
  for await (const chunk of inParts(source)) {
    if (splitter !== undefined) {
      yield chunkOf(splitter.push(chunk), 'item', afterLine);
      continue;
    }
    lead.push(chunk);
    leadBytes += chunk.length;
    if ((leadBytes < MARK_BYTES || startOf(chunk) === undefined) && leadBytes < LEAD_BYTES_MAX) continue;
    const start = Buffer.concat(lead);
    splitter = splitterOf(start);
    yield chunkOf(splitter.push(start), 'item', afterLine);
  }
  if (splitter === undefined) {
    const start = Buffer.concat(lead);
    splitter = splitterOf(start);
    yield chunkOf(splitter.push(start), 'item', afterLine);
  }
  yield chunkOf(splitter.end(), 'item', afterLine);
}

/** For the content that begins so. Throws BrokenSource when that is no text. */
function splitterOf(start: Buffer): LineSplitter | ListSplitter {
  const problem = encodingProblem(start);
  if (problem !== undefined) throw new BrokenSource(problem);
  return startOf(start) === LIST_START ? new ListSplitter() : new LineSplitter();
}

const GZIP = Buffer.from([0x1f, 0x8b]);
const ZIP = Buffer.from('PK\u0003\u0004');
const UTF16 = [Buffer.from([0xff, 0xfe]), Buffer.from([0xfe, 0xff])];
/** A mark or a letter of ASCII, in either order of bytes. */
const UTF32 = /^(?:\xff\xfe\0\0|\0\0\xfe\xff|[^\0]\0\0\0|\0\0\0[^\0])/s;
/** Bytes that show the encoding. */
export const MARK_BYTES = 4;

/** Why the file that begins with these bytes cannot be read, or undefined when it can. */
export function encodingProblem(start: Buffer): string | undefined {
  const begins = (mark: Buffer): boolean => start.subarray(0, mark.length).equals(mark);
  if (begins(GZIP)) return 'it is compressed: unpack it first';
  if (begins(ZIP)) return 'it is a ZIP archive, as spreadsheets (.xlsx, .ods) are: save the sheet as CSV, or unpack the archive';
  if (UTF32.test(start.toString('latin1'))) return 'it is UTF-32: save it as UTF-8';
  return isUtf16(start) ? 'it is UTF-16: save it as UTF-8' : undefined;
}

/** Shown by its mark, or by the empty byte that every letter of ASCII has there. */
function isUtf16(start: Buffer): boolean {
  return UTF16.some((mark) => start.subarray(0, 2).equals(mark)) || start.subarray(0, MARK_BYTES).includes(0);
}

/** Bytes that are cut into rows at once: they may be eight thousand. */
const PART_BYTES = 16 * 1024;

async function* inParts(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of source) for (let at = 0; at < chunk.length; at += PART_BYTES) yield chunk.subarray(at, at + PART_BYTES);
}

function chunkOf(raws: readonly RawLine[], what: 'line' | 'item', afterLine = 0): SourceChunk {
  return { rows: rowsOf(raws, what, afterLine), bytes: raws.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function* rowsOf(raws: readonly RawLine[], what: 'line' | 'item', afterLine: number): Generator<SourceRow> {
  for (const raw of raws) {
    const row = raw.line <= afterLine ? undefined : rowOf(raw, what);
    if (row !== undefined) yield row;
  }
}

/** Undefined for a blank line. */
function rowOf({ line, content }: RawLine, what: 'line' | 'item'): SourceRow | undefined {
  if (content === undefined) return { line, code: 'line_too_long', reason: `the ${what} is longer than ${SOURCE_LINE_BYTES_MAX} bytes` };
  if (!isUtf8(content)) return { line, code: 'invalid_utf8', reason: `the ${what} is not valid UTF-8` };
  const text = content.toString('utf8');
  if (text.trim() === '') return undefined;
  try {
    const { value, isExact } = parseExact(text);
    return { line, value, ...(isExact ? undefined : { isInexact: true }), ...(what === 'line' ? { text } : { bytes: content.length }) };
  } catch (error) {
    return { line, code: 'invalid_json', reason: `the ${what} is not JSON: ${errorText(error)}` };
  }
}
