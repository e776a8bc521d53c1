/** Opens a file, stdin or a query as a source of rows, and finds out its format. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { errorText } from '../../../../protocol/base/errors.ts';
import { encodingProblem, jsonLines, jsonList, MARK_BYTES } from '../../../sync/json-rows.ts';
import { type CompiledMapping, compileMapping, MappingError } from '../../../sync/plan/mapping.ts';
import { BrokenSource, type SourceChunk } from '../../../sync/rows.ts';
import { ConfigError } from '../../config/config.ts';
import type { CommandIo } from '../../io.ts';
import { openCsv } from './csv-source.ts';
import type { Format, OpenedSource } from './opened-source.ts';
import { openPostgres } from './postgres-source.ts';

const READ_BYTES = 256 * 1024;
const LEAD_BYTES_MAX = 64 * 1024;
const LIST_START = 0x5b;
const OBJECT_START = 0x7b;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const EXTENSIONS: ReadonlyMap<string, Format> = new Map([
  ['csv', 'csv'],
  ['json', 'json'],
  ['ndjson', 'ndjson'],
  ['jsonl', 'ndjson'],
]);

export interface SourceChoice {
  readonly format?: Format;
  /** A database, with the query. */
  readonly from?: string;
  readonly query?: string;
}

/**
 * Opens a path, `-` for stdin, or with `from` a database. A source that is broken from its beginning, or whose opening
 * Ctrl-C interrupted, is returned as a broken source: its reader decides what follows. Throws ConfigError.
 */
export async function openSource(file = '-', choice: SourceChoice, io: CommandIo, stop: AbortSignal): Promise<OpenedSource> {
  const { from, query = '', format } = choice;
  try {
    return from === undefined ? await openFileSource(file, format, io, stop) : await openPostgres({ url: from, query, stop });
  } catch (error) {
    if (!(error instanceof BrokenSource) && !stop.aborted) throw error;
    return { name: nameOf(file), chunks: brokenChunks(error), close: async () => {} };
  }
}

/** `map`: the parsed map file. Throws ConfigError. */
export function mappingOf({ columns }: OpenedSource, map?: unknown): CompiledMapping {
  try {
    return compileMapping({ ...(columns === undefined ? {} : { columns }), ...(map === undefined ? {} : { map }) });
  } catch (error) {
    throw error instanceof MappingError ? new ConfigError(error.problems) : error;
  }
}

function nameOf(file: string): string {
  return file === '-' ? 'stdin' : file;
}

// biome-ignore lint/correctness/useYield: it breaks before its first chunk
async function* brokenChunks(error: unknown): AsyncGenerator<SourceChunk> {
  throw error;
}

/**
 * `-` is stdin. Throws ConfigError when the file cannot be read, BrokenSource when it cannot be a source, and the error of the
 * stream when `stop` aborts before the first bytes arrive.
 */
export async function openFileSource(file: string, format: Format | undefined, io: CommandIo, stop: AbortSignal): Promise<OpenedSource> {
  const { stream, totalBytes } = await openBytes(file, io);
  const onStop = () => stream.destroy();
  stop.addEventListener('abort', onStop, { once: true });
  try {
    const { first, bytes } = await lookAhead(stream);
    const chosen = format ?? formatOf(file, first);
    const table = chosen === 'csv' ? await openCsv(bytes) : undefined;
    const chunks = table?.chunks ?? (chosen === 'json' ? jsonList(bytes) : jsonLines(bytes));
    return {
      name: nameOf(file),
      chunks,
      close: async () => void stream.destroy(),
      ...(table === undefined ? {} : { columns: table.columns }),
      ...(totalBytes === undefined ? {} : { totalBytes }),
    };
  } catch (error) {
    stream.destroy();
    throw error;
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

/** By the extension and the first character: JSON may be a list or one object per line, whatever the file is called. */
function formatOf(file: string, first: number | undefined): Format {
  const extension = EXTENSIONS.get(/\.([a-z]+)$/i.exec(file)?.[1]?.toLowerCase() ?? '');
  if (extension === 'csv') return extension;
  if (first === LIST_START) return 'json';
  if (first === OBJECT_START) return 'ndjson';
  return extension ?? (first === undefined ? 'ndjson' : 'csv');
}

async function openBytes(file: string, io: CommandIo): Promise<{ stream: Readable; totalBytes: number | undefined }> {
  if (file === '-') return { stream: io.stdin, totalBytes: undefined };
  const path = resolve(io.cwd, file);
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw new Error('it is a directory');
    return { stream: createReadStream(path, { highWaterMark: READ_BYTES }), totalBytes: info.isFile() ? info.size : undefined };
  } catch (error) {
    throw new ConfigError([`${path} cannot be read: ${errorText(error)}`]);
  }
}

interface Ahead {
  /** The first byte that is not white space. */
  readonly first: number | undefined;
  /** All bytes, including those read ahead. */
  readonly bytes: AsyncGenerator<Buffer>;
}

/** Throws BrokenSource for content that is not text. */
async function lookAhead(stream: Readable): Promise<Ahead> {
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  const lead: Buffer[] = [];
  let first: number | undefined;
  for (let bytes = 0; (first === undefined || bytes < MARK_BYTES) && bytes < LEAD_BYTES_MAX; ) {
    const step = await chunks.next();
    if (step.done === true) break;
    const chunk = Buffer.from(step.value);
    lead.push(chunk);
    bytes += chunk.length;
    const start = Buffer.concat(lead);
    const problem = encodingProblem(start);
    if (problem !== undefined) throw new BrokenSource(problem.replace('first', 'first, such as zcat users.csv.gz | rosterd sync plan -'));
    first = start.subarray(start.subarray(0, 3).equals(BOM) ? 3 : 0).find((byte) => byte > 0x20);
  }
  return { first, bytes: allBytes(lead, chunks) };
}

async function* allBytes(lead: readonly Buffer[], rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield* lead;
  for (;;) {
    const step = await rest.next();
    if (step.done === true) return;
    yield Buffer.from(step.value);
  }
}
