/** `rosterd backup`: from a running daemon, from the data directory of a stopped one, or from a database, into a file or to stdout. */
import { stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { createGzip } from 'node:zlib';
import { errorText } from '../../../protocol/base/errors.ts';
import { type BackupSummary, encodeBackup } from '../../../store/backup/codec.ts';
import { BackupExists, checkBackup, writeBackup } from '../../../store/backup/file.ts';
import { StoredHistory } from '../../../store/postgres/offline/history.ts';
import type { Directory } from '../../core/directory/directory.ts';
import { type ClientSettings, daemonUrl } from '../client-options.ts';
import { ConfigError } from '../config/config.ts';
import type { Config } from '../config/settings.ts';
import { type CommandIo, EXIT } from '../io.ts';
import { serverToken } from '../token.ts';
import { download } from './download.ts';
import { backupFacts, factsText } from './facts-text.ts';
import { replay, replayDatabase, whileLocked } from './offline.ts';
import { type PlaceFlags, placeOf } from './place.ts';

export interface BackupFlags extends PlaceFlags {
  readonly url?: string;
  readonly timeout: number;
  readonly offline?: true;
  readonly force?: true;
  readonly json?: true;
}

const STDOUT = '-';

/** Resolves with the exit code. Rejects with ConfigError for problems found before anything was done. */
export async function backUp(file: string, flags: BackupFlags, source: ClientSettings | Config, io: CommandIo): Promise<number> {
  const path = file === STDOUT ? undefined : resolve(io.cwd, file);
  if (path !== undefined) await checkTarget(path, flags.force === true);
  const stop = new AbortController();
  const undo = io.onInterrupt(() => stop.abort(new Error('interrupted')));
  const isCompressed = path?.endsWith('.gz') === true;
  const write = (chunks: AsyncIterable<Uint8Array>) => writeTo(path, until(chunks, stop.signal), flags, io);
  try {
    if ('credentials' in source) await write(fromDaemon(source, flags, io.env, isCompressed, stop.signal));
    else {
      if (flags.url !== undefined) throw new ConfigError(['--offline reads what is stored: leave out --url']);
      const place = placeOf(flags, source);
      if (place.kind === 'data')
        await whileLocked(place.data, async () => write(encoded((await replay(place.data)).directory, isCompressed, io)));
      else
        await StoredHistory.read(place.log, source.apiKey, async (history) =>
          write(encoded(await replayDatabase(history), isCompressed, io)),
        );
    }
    return EXIT.ok;
  } catch (error) {
    if (stop.signal.aborted) io.stderr.write('rosterd: interrupted; there is no backup\n');
    else if (error instanceof ConfigError || error instanceof BackupExists) throw error;
    else io.stderr.write(`rosterd: there is no backup: ${errorText(error)}\n`);
    return stop.signal.aborted ? EXIT.interrupted : EXIT.failed;
  } finally {
    undo();
  }
}

/** Throws ConfigError. */
async function checkTarget(path: string, force: boolean): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) throw new ConfigError([`${path} is a directory`]);
  if (found !== undefined && !force) throw new ConfigError([new BackupExists(path).message]);
  const place = await stat(dirname(path)).catch(() => undefined);
  if (place?.isDirectory() !== true) throw new ConfigError([`${path} cannot be written: there is no directory ${dirname(path)}`]);
}

function fromDaemon(settings: ClientSettings, flags: BackupFlags, env: CommandIo['env'], isCompressed: boolean, signal: AbortSignal) {
  const { config, credentials } = settings;
  return download({
    url: flags.url ?? daemonUrl(config, env),
    apiKey: credentials.apiKey,
    token: serverToken(credentials.apiSecret),
    isCompressed,
    silenceMs: flags.timeout,
    signal,
  });
}

function encoded(directory: Directory, isCompressed: boolean, io: CommandIo): AsyncIterable<Uint8Array> {
  const plain = encodeBackup(directory.freeze(), new Date(io.now()).toISOString());
  if (!isCompressed) return plain;
  // Errors appear where the stream is read.
  return pipeline(Readable.from(plain, { objectMode: false }), createGzip(), () => {});
}

async function* until(chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    yield chunk;
  }
}

async function writeTo(path: string | undefined, chunks: AsyncIterable<Uint8Array>, flags: BackupFlags, io: CommandIo): Promise<void> {
  const json = flags.json === true;
  if (path === undefined) {
    // stdout carries the backup itself.
    io.stderr.write(factsText(backupFacts(await writeToStdout(chunks, io)), json));
    return;
  }
  const written = await writeBackup(path, chunks, { force: flags.force === true });
  io.stdout.write(factsText([['file', path], ['file_bytes', written.fileBytes], ...backupFacts(written)], json));
}

async function writeToStdout(chunks: AsyncIterable<Uint8Array>, { stdout }: CommandIo): Promise<BackupSummary> {
  const decoder = new StringDecoder('utf8');
  const told = (async function* () {
    for await (const chunk of chunks) {
      if (!stdout.write(decoder.write(Buffer.from(chunk)))) await stdout.drained();
      yield chunk;
    }
  })();
  return await checkBackup(told, 'what the daemon sent');
}
