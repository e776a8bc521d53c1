/**
 * Backups as files. A backup has its name only when it is whole and durable: it is written to `<file>.<pid>.part`,
 * checked during the write, synced, renamed, and the directory is synced. Reading makes the same checks, compressed or not.
 */
import { basename, dirname, join } from 'node:path';
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ChunkWriter, type FileSystem, removeIfThere, toError } from '../file-system.ts';
import { isRunning } from '../lock.ts';
import { nodeFileSystem } from '../node-file-system.ts';
import { BackupDamaged, BackupReader, type BackupSummary } from './codec.ts';

const READ_BYTES = 256 * 1024;

/** A file of that name exists, and the caller did not allow replacing it. */
export class BackupExists extends Error {
  constructor(path: string) {
    super(`${path} exists already; --force replaces it`);
    this.name = 'BackupExists';
  }
}

export interface WrittenBackup extends BackupSummary {
  /** Size of the file as written. */
  readonly fileBytes: number;
}

/**
 * Writes the bytes of `chunks`, compressed or not, to `path`. Rejects with BackupExists, with BackupDamaged when they are not a
 * whole backup, with the error of `chunks`, or with an error of the disk. Then no part is left, and an older file is unchanged.
 */
export async function writeBackup(
  path: string,
  chunks: AsyncIterable<Uint8Array>,
  { force, fileSystem = nodeFileSystem }: { readonly force: boolean; readonly fileSystem?: FileSystem },
): Promise<WrittenBackup> {
  const directory = dirname(path);
  await refuseExisting(fileSystem, path, force);
  // Two concurrent backups, such as one that began before the last had ended, do not write into the same file.
  const part = `${path}.${process.pid}.part`;
  await removeLeftovers(fileSystem, path);
  const file = await fileSystem.create('backup-create', part);
  let isOpen = true;
  try {
    const writer = new ChunkWriter(file, 'backup');
    const summary = await checkBackup(written(chunks, writer), path);
    await file.datasync('backup-sync');
    isOpen = false;
    await file.close();
    // Another process may have made one meanwhile.
    await refuseExisting(fileSystem, path, force);
    await fileSystem.rename('backup-rename', part, path);
    await fileSystem.syncDirectory('backup-directory-sync', directory);
    return { ...summary, fileBytes: writer.bytes };
  } catch (error) {
    if (isOpen) await file.close();
    await removeIfThere(fileSystem, 'backup-remove', part);
    throw error;
  }
}

async function refuseExisting(fileSystem: FileSystem, path: string, force: boolean): Promise<void> {
  if (force) return;
  if ((await fileSystem.list(dirname(path))).includes(basename(path))) throw new BackupExists(path);
}

/** Removes parts of processes that were killed. */
async function removeLeftovers(fileSystem: FileSystem, path: string): Promise<void> {
  const start = `${basename(path)}.`;
  for (const name of await fileSystem.list(dirname(path))) {
    const pid = name.startsWith(start) ? /^(\d+)\.part$/.exec(name.slice(start.length))?.[1] : undefined;
    if (pid !== undefined && !isRunning(Number(pid))) await removeIfThere(fileSystem, 'backup-remove', join(dirname(path), name));
  }
}

/** Passes on the chunks after writing them. */
async function* written(chunks: AsyncIterable<Uint8Array>, writer: ChunkWriter): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of chunks) {
    await writer.add(chunk);
    yield chunk;
  }
}

/**
 * Reads a backup to its end, compressed or not, and returns its summary. `onLines` gets the lines between header and trailer, in
 * pieces; they must not be used before this has resolved. Rejects with BackupDamaged or StoreVersionMismatch.
 * @param file its name in errors
 */
export async function checkBackup(
  chunks: AsyncIterable<Uint8Array>,
  file: string,
  onLines?: (lines: Buffer) => Promise<void>,
): Promise<BackupSummary> {
  const reader = new BackupReader(file);
  for await (const plain of decompressed(chunks, file)) {
    const lines = reader.push(plain);
    if (lines.length > 0) await onLines?.(lines);
  }
  return reader.end();
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Decompresses files that begin with the bytes of gzip, whatever their names. */
async function* decompressed(chunks: AsyncIterable<Uint8Array>, file: string): AsyncGenerator<Buffer, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    if (first.done === true) return;
    const all = rest(first.value, iterator);
    if (isGzip(first.value)) yield* gunzipped(all, file);
    else for await (const chunk of all) yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  } finally {
    await iterator.return?.();
  }
}

async function* rest(first: Uint8Array, iterator: AsyncIterator<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  yield first;
  for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) yield next.value;
}

async function* gunzipped(chunks: AsyncGenerator<Uint8Array>, file: string): AsyncGenerator<Buffer, void, undefined> {
  const gunzip = createGunzip({ chunkSize: READ_BYTES });
  const source = Readable.from(chunks, { objectMode: false });
  let sourceError: unknown;
  source.once('error', (error) => {
    sourceError = error;
  });
  // The loop below receives its errors.
  pipeline(source, gunzip, () => {});
  try {
    for await (const chunk of gunzip) yield chunk;
  } catch (error) {
    if (sourceError !== undefined) throw sourceError;
    const isZlib = error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
    if (!isZlib) throw error;
    throw new BackupDamaged(file, `its compression is broken near byte ${gunzip.bytesWritten} of the file: ${toError(error).message}`);
  }
}
