/**
 * The few file operations the store needs, so that a test can stand between the store and the disk
 * and lose power, run out of space or fail at any of them.
 *
 * Every operation that changes the disk names its crash point: the union below is the complete list of
 * the places where a crash can interrupt the store, and a test proves that each of them was reached.
 */
import { type FileHandle, mkdir, open, readdir, rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Files that appear under their name only when they are whole: temporary file, sync, rename, directory sync. */
export type WholeFile = 'segment' | 'clean' | 'torn-copy' | 'snapshot';

/** What is written only by an operator's command, while no daemon has the directory: a backup, and the marker of a restore. */
export type OperatorPoint =
  | `${'backup' | 'restoring'}-${'create' | 'write' | 'sync' | 'rename' | 'directory-sync'}`
  | 'backup-remove'
  /** What an interrupted restore left goes before the next one begins. */
  | 'restore-clear'
  | 'restore-clear-sync'
  | 'restore-directory-sync'
  | 'restoring-remove'
  | 'restoring-remove-sync';

/** What the store itself does. */
export type StorePoint =
  | `${WholeFile}-${'create' | 'write' | 'sync' | 'rename' | 'directory-sync'}`
  /** A group of records is appended to the active segment. */
  | 'group-write'
  | 'group-sync'
  /** A group that did not fit on the disk is cut off again. */
  | 'rollback-truncate'
  | 'rollback-sync'
  /** The marker of a clean close goes before the first write after it. */
  | 'clean-remove'
  | 'clean-remove-sync'
  /** Reopening: what the last process wrote is made durable, a torn tail is cut off. */
  | 'recovery-truncate'
  | 'recovery-sync'
  | 'recovery-directory-sync'
  | 'leftover-remove'
  | 'retention-remove'
  | 'retention-directory-sync'
  | 'snapshot-remove';

export type CrashPoint = StorePoint | OperatorPoint;

/** An open file. Positions and lengths are bytes. */
export interface OpenFile {
  /** Returns the number of bytes read, 0 at the end of the file. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** Returns the number of bytes written, which may be fewer than asked for. */
  write(point: CrashPoint, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  truncate(point: CrashPoint, length: number): Promise<void>;
  /** `fdatasync`: content and size are durable when this resolves. */
  datasync(point: CrashPoint): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

export interface FileSystem {
  /** Creates the directory and its parents with mode 0700 where they are missing. */
  makeDirectory(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  openRead(path: string): Promise<OpenFile>;
  openWrite(path: string): Promise<OpenFile>;
  /** Creates the file with mode 0600, or empties it. */
  create(point: CrashPoint, path: string): Promise<OpenFile>;
  rename(point: CrashPoint, from: string, to: string): Promise<void>;
  remove(point: CrashPoint, path: string): Promise<void>;
  /** `fsync` of a directory: names created, renamed and removed in it are durable when this resolves. */
  syncDirectory(point: CrashPoint, path: string): Promise<void>;
}

export const TEMPORARY_SUFFIX = '.tmp';

class NodeFile implements OpenFile {
  readonly #handle: FileHandle;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return (await this.#handle.read(buffer, offset, length, position)).bytesRead;
  }

  async write(_point: CrashPoint, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return (await this.#handle.write(buffer, offset, length, position)).bytesWritten;
  }

  truncate(_point: CrashPoint, length: number): Promise<void> {
    return this.#handle.truncate(length);
  }

  datasync(_point: CrashPoint): Promise<void> {
    return this.#handle.datasync();
  }

  async size(): Promise<number> {
    return (await this.#handle.stat()).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** The real disk. */
export const nodeFileSystem: FileSystem = {
  async makeDirectory(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (path) => readdir(path),
  openRead: async (path) => new NodeFile(await open(path, 'r')),
  openWrite: async (path) => new NodeFile(await open(path, 'r+')),
  create: async (_point, path) => new NodeFile(await open(path, 'w+', 0o600)),
  rename: (_point, from, to) => rename(from, to),
  remove: (_point, path) => unlink(path),
  async syncDirectory(_point, path) {
    const handle = await open(path, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Writes all of `length` bytes. A disk that takes nothing more counts as full. */
export async function writeFully(file: OpenFile, point: CrashPoint, buffer: Uint8Array, length: number, position: number): Promise<void> {
  let done = 0;
  while (done < length) {
    const written = await file.write(point, buffer, done, length - done, position + done);
    if (written === 0) throw Object.assign(new Error('ENOSPC: the disk takes no more bytes, write'), { code: 'ENOSPC' });
    done += written;
  }
}

/** Reads `length` bytes, fewer at the end of the file. Returns how many. */
export async function readFully(file: OpenFile, buffer: Uint8Array, length: number, position: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await file.read(buffer, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/**
 * Creates a file that exists under its name only with all of its first content, durably. Returns it open for writing.
 * On an error nothing is left under `name`, unless only the last step failed: then the file may or may not survive a crash.
 */
export async function createWhole(
  fs: FileSystem,
  what: WholeFile | 'restoring',
  directory: string,
  name: string,
  content: Uint8Array,
): Promise<OpenFile> {
  const temporary = join(directory, name + TEMPORARY_SUFFIX);
  const file = await fs.create(`${what}-create`, temporary);
  try {
    await writeFully(file, `${what}-write`, content, content.length, 0);
    await publishWhole(fs, what, file, directory, name);
    return file;
  } catch (error) {
    await file.close();
    await removeIfThere(fs, 'leftover-remove', temporary);
    throw error;
  }
}

/** The second half of `createWhole`, for a file that was written piece by piece under its temporary name. */
export async function publishWhole(
  fs: FileSystem,
  what: WholeFile | 'restoring',
  file: OpenFile,
  directory: string,
  name: string,
): Promise<void> {
  await file.datasync(`${what}-sync`);
  await fs.rename(`${what}-rename`, join(directory, name + TEMPORARY_SUFFIX), join(directory, name));
  await fs.syncDirectory(`${what}-directory-sync`, directory);
}

/** Removes a file; that it is not there, or cannot be removed now, is not an error: leftovers are removed at the next open. */
export async function removeIfThere(fs: FileSystem, point: CrashPoint, path: string): Promise<void> {
  try {
    await fs.remove(point, path);
  } catch {
    // A leftover costs only space.
  }
}

/** The temporary files of a crashed process are removed before anything else is looked at. Returns the other names. */
export async function listWithoutLeftovers(fs: FileSystem, directory: string): Promise<string[]> {
  const kept: string[] = [];
  for (const name of await fs.list(directory)) {
    if (name.endsWith(TEMPORARY_SUFFIX)) await removeIfThere(fs, 'leftover-remove', join(directory, name));
    else kept.push(name);
  }
  return kept;
}

export function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
