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
import { type OwnFile, ownFileOf } from './own-file.ts';
import { openPostgres } from './postgres-source.ts';

const READ_BYTES = 256 * 1024;
const LEAD_BYTES_MAX = 64 * 1024;
const LF = 0x0a;
const CR = 0x0d;
const LIST_START = 0x5b;
const OBJECT_START = 0x7b;
const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
const EXTENSIONS: ReadonlyMap<string, Format> = new Map([
  ['csv', 'csv'],
  ['json', 'json'],
  ['ndjson', 'ndjson'],
  ['jsonl', 'ndjson'],
]);

/** Where stdin and relative paths are. */
type SourceIo = Pick<CommandIo, 'stdin' | 'cwd'>;

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
export async function openFileSource(file: string, format: Format | undefined, io: SourceIo, stop: AbortSignal): Promise<OpenedSource> {
  const { stream, totalBytes } = await openBytes(file, io);
  const onStop = () => stream.destroy();
  stop.addEventListener('abort', onStop, { once: true });
  try {
    const { first, start, bytes } = await lookAhead(stream);
    const chosen = format ?? formatOf(file, first);
    if (chosen !== 'csv') refuseOwnFile(file, start);
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
    // Some files can be opened, or only looked at, and not read.
    throw stream.errored === error && !stop.aborted ? unreadable(nameOf(file), error) : error;
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

const OWN_FILES: Readonly<Record<OwnFile, string>> = {
  plan: 'is a plan, no source: rosterd sync apply carries it out',
  report: 'is the report of a run, no source: correct what it names in the source, and run that again',
  backup: 'is a backup, no source: rosterd restore puts it into an empty data directory',
};

/** Throws ConfigError. */
function refuseOwnFile(file: string, start: Buffer): void {
  const [line = ''] = start
    .toString('utf8')
    .trimStart()
    .split(/[\r\n]/, 1);
  const own = ownFileOf(line);
  if (own !== undefined) throw new ConfigError([`${nameOf(file)} ${OWN_FILES[own]}`]);
}

async function openBytes(file: string, io: SourceIo): Promise<{ stream: Readable; totalBytes: number | undefined }> {
  if (file === '-') return { stream: io.stdin, totalBytes: undefined };
  const path = resolve(io.cwd, file);
  try {
    const info = await stat(path);
    if (info.isDirectory()) throw new Error('it is a directory');
    return { stream: createReadStream(path, { highWaterMark: READ_BYTES }), totalBytes: info.isFile() ? info.size : undefined };
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(name: string, error: unknown): ConfigError {
  return new ConfigError([`${name} cannot be read: ${errorText(error)}`]);
}

interface Ahead {
  /** The first byte that is not white space. */
  readonly first: number | undefined;
  /** The bytes read ahead: of JSON, its first line, if that is no longer than a line may be. */
  readonly start: Buffer;
  /** All bytes, including those read ahead. */
  readonly bytes: AsyncGenerator<Buffer>;
}

/** Throws BrokenSource for content that is not text. */
async function lookAhead(stream: Readable): Promise<Ahead> {
  const chunks: AsyncIterator<Buffer> = stream[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  let first: number | undefined;
  const isEnough = () => first !== undefined && start.length >= MARK_BYTES && (first !== OBJECT_START || hasLine(start));
  while (start.length < LEAD_BYTES_MAX && !isEnough()) {
    const step = await chunks.next();
    if (step.done === true) break;
    start = Buffer.concat([start, Buffer.from(step.value)]);
    const problem = encodingProblem(start);
    if (problem !== undefined) throw new BrokenSource(problem.replace('first', 'first, such as zcat users.csv.gz | rosterd sync plan -'));
    first = start.subarray(start.subarray(0, 3).equals(BOM) ? 3 : 0).find((byte) => byte > 0x20);
  }
  return { first, start, bytes: allBytes(start, chunks) };
}

/** Whether the line on which the content begins has its end. */
function hasLine(start: Buffer): boolean {
  return start.subarray(start.indexOf(OBJECT_START)).some((byte) => byte === LF || byte === CR);
}

async function* allBytes(start: Buffer, rest: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  if (start.length > 0) yield start;
  for (;;) {
    const step = await rest.next();
    if (step.done === true) return;
    yield Buffer.from(step.value);
  }
}
