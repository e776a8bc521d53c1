/** Opens a file, stdin or a query as a source of rows, and finds out its format. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { errorText } from '../../../../protocol/base/errors.ts';
import { type CompiledMapping, compileMapping, MappingError } from '../../../sync/plan/mapping.ts';
import { BrokenSource, type SourceChunk } from '../../../sync/rows.ts';
import { openByteSource } from '../../../sync/sources/byte-source.ts';
import type { Format, OpenedSource } from '../../../sync/sources/opened-source.ts';
import { ConfigError } from '../../config/config.ts';
import type { CommandIo } from '../../io.ts';
import { type OwnFile, ownFileOf } from './own-file.ts';

const READ_BYTES = 256 * 1024;

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
    if (from === undefined) return await openFileSource(file, format, io, stop);
    // Loaded only where it is asked for, as its driver is.
    const { openPostgres } = await import('./postgres-source.ts');
    return await openPostgres({ url: from, query, stop });
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
    const { columns, chunks } = await openByteSource(stream, { file, format, checkStart: (line) => refuseOwnFile(file, line) });
    return {
      name: nameOf(file),
      chunks,
      close: async () => void stream.destroy(),
      ...(columns === undefined ? {} : { columns }),
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

const OWN_FILES: Readonly<Record<OwnFile, string>> = {
  plan: 'is a plan, no source: rosterd sync apply carries it out',
  report: 'is the report of a run, no source: correct what it names in the source, and run that again',
  backup: 'is a backup, no source: rosterd restore puts it into an empty data directory',
};

/** Throws ConfigError. */
function refuseOwnFile(file: string, line: string): void {
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
