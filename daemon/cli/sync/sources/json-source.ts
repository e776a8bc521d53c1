/** JSON objects, one per line or in one list, as rows. What is wrong with one of them is an error of that row; what breaks off is not whole. */
import { isUtf8 } from 'node:buffer';
import { BrokenList, ListSplitter } from '../../../sync/item-reader.ts';
import { LINE_BYTES_MAX, LineSplitter, type RawLine } from '../../../sync/line-reader.ts';
import { BrokenSource, type SourceChunk, type SourceRow } from '../../../sync/plan/source-rows.ts';

/** Rejects with BrokenSource when the last line has neither an end nor JSON in it. */
export async function* jsonLines(source: AsyncIterable<Buffer>): AsyncGenerator<SourceChunk> {
  const splitter = new LineSplitter();
  for await (const chunk of source) yield chunkOf(splitter.push(chunk));
  const last = splitter.end();
  for (const raw of last) {
    const row = rowOf(raw, 'line');
    if (row !== undefined && 'code' in row) throw new BrokenSource(`it breaks off in its last line, ${raw.line}`);
  }
  yield chunkOf(last);
}

/** Rejects with BrokenSource when the list is not closed. The line of a row is its number in the list. */
export async function* jsonList(source: AsyncIterable<Buffer>): AsyncGenerator<SourceChunk> {
  const splitter = new ListSplitter();
  try {
    for await (const chunk of source) yield chunkOf(splitter.push(chunk), 'item');
    splitter.end();
  } catch (error) {
    throw error instanceof BrokenList ? new BrokenSource(error.message) : error;
  }
}

function chunkOf(raws: readonly RawLine[], what: 'line' | 'item' = 'line'): SourceChunk {
  const rows: SourceRow[] = [];
  let bytes = 0;
  for (const raw of raws) {
    bytes += raw.bytes;
    const row = rowOf(raw, what);
    if (row !== undefined) rows.push(row);
  }
  return { rows, bytes };
}

/** Undefined for a blank line. */
function rowOf({ line, content }: RawLine, what: 'line' | 'item'): SourceRow | undefined {
  if (content === undefined) return { line, code: 'line_too_long', reason: `the ${what} is longer than ${LINE_BYTES_MAX} bytes` };
  if (!isUtf8(content)) return { line, code: 'invalid_utf8', reason: `the ${what} is not valid UTF-8` };
  const text = content.toString('utf8');
  if (text.trim() === '') return undefined;
  try {
    return { line, value: JSON.parse(text) };
  } catch (error) {
    return { line, code: 'invalid_json', reason: `the ${what} is not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
}
