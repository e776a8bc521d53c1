/**
 * The few file operations that the store needs, so that a test can stand between the store and the disk
 * and lose power, run out of space or fail at any of them.
 *
 * Every operation that changes the disk names its crash point: the union below is the complete list of
 * places where a crash can interrupt the store, and a test proves that each of them was reached.
 */
import { join } from 'node:path';
import { hasCode } from './disk-errors.ts';

/** Files that get their name only when they are whole: temporary file, sync, rename, directory sync. */
export type WholeFile = 'segment' | 'clean' | 'torn-copy' | 'snapshot';

/** Like `WholeFile`, for files beside the log: exports, uploads, and the tables of a user history. */
export type SideFilePoint = `side-file-${'create' | 'write' | 'sync' | 'rename' | 'directory-sync'}`;

/** Writes of operators' commands only, while no daemon has the directory: a backup, and the marker of a restore. */
export type OperatorPoint =
  | `${'backup' | 'restoring'}-${'create' | 'write' | 'sync' | 'rename' | 'directory-sync'}`
  | 'backup-remove'
  /** The remains of an interrupted restore are removed before the next one begins. */
  | 'restore-clear'
  | 'restore-clear-sync'
  | 'restore-directory-sync'
  | 'restoring-remove'
  | 'restoring-remove-sync';

/** Operations of the store itself. */
export type StorePoint =
  | `${WholeFile}-${'create' | 'write' | 'sync' | 'rename' | 'directory-sync'}`
  /** A group of records is appended to a file of records (append-file.ts). */
  | 'group-write'
  | 'group-sync'
  /** A group that did not fit on the disk is cut off. */
  | 'rollback-truncate'
  | 'rollback-sync'
  /** The marker of a clean close is removed before the next write. */
  | 'clean-remove'
  | 'clean-remove-sync'
  /** Reopening: the last process's writes are made durable, and a torn tail is cut off. */
  | 'recovery-truncate'
  | 'recovery-sync'
  | 'recovery-directory-sync'
  | 'leftover-remove'
  | 'retention-remove'
  | 'retention-directory-sync'
  | 'snapshot-remove';

/** A file that is written only to see whether the disk takes it, and removed at once. */
export type ProbePoint = `probe-${'create' | 'write' | 'remove'}`;

export type CrashPoint = StorePoint | OperatorPoint | SideFilePoint | ProbePoint;

/** An open file. Positions and lengths are bytes. */
export interface OpenFile {
  /** Returns the number of bytes read, 0 at the end of the file. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  /** Returns the number of bytes written, which may be fewer than requested. */
  write(point: CrashPoint, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number>;
  truncate(point: CrashPoint, length: number): Promise<void>;
  /** `fdatasync`: content and size are durable when this resolves. */
  datasync(point: CrashPoint): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/**
 * `synced`: every write is followed by a `datasync` before the next one. Where the system can do both in one step, which takes half of the
 * time, it does: then a write may fail as a `datasync` does.
 */
export type WriteKind = 'synced' | undefined;

export interface FileSystem {
  /** Creates the directory and its missing parents, durably and with mode 0700. */
  makeDirectory(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  /** Whether there is a file of this name. Never rejects: what cannot be found out counts as there. */
  isThere(path: string): Promise<boolean>;
  openRead(path: string): Promise<OpenFile>;
  openWrite(path: string, kind?: WriteKind): Promise<OpenFile>;
  /** Creates the file with mode 0600, or empties it. */
  create(point: CrashPoint, path: string, kind?: WriteKind): Promise<OpenFile>;
  rename(point: CrashPoint, from: string, to: string): Promise<void>;
  remove(point: CrashPoint, path: string): Promise<void>;
  /** `fsync` of a directory: names created, renamed and removed in it are durable when this resolves. */
  syncDirectory(point: CrashPoint, path: string): Promise<void>;
}

/** A client cannot choose a name with `~`, so no such name looks like a leftover. */
export const TEMPORARY_SUFFIX = '~.tmp';

/** Whether the file was left unfinished. Earlier versions named such files `<name>.tmp`. */
export function isTemporary(name: string): boolean {
  return name.endsWith('.tmp');
}

/** Writes all of `length` bytes. A disk that accepts no more bytes counts as full. */
export async function writeFully(file: OpenFile, point: CrashPoint, buffer: Uint8Array, length: number, position: number): Promise<void> {
  let done = 0;
  while (done < length) {
    const written = await file.write(point, buffer, done, length - done, position + done);
    if (written === 0) throw Object.assign(new Error('ENOSPC: the disk takes no more bytes, write'), { code: 'ENOSPC' });
    done += written;
  }
}

/** Reads `length` bytes, fewer at the end of the file. Returns the number read. */
export async function readFully(file: OpenFile, buffer: Uint8Array, length: number, position: number): Promise<number> {
  let done = 0;
  while (done < length) {
    const count = await file.read(buffer, done, length - done, position + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

const READ_BYTES = 256 * 1024;
/** A sync after this many bytes, so that other files' small syncs never wait behind one big one. */
const SYNC_BYTES = 16 * 1024 * 1024;

/** Writes chunks one after the other, from the beginning of a new file. */
export class ChunkWriter {
  readonly #file: OpenFile;
  readonly #what: 'segment' | 'snapshot' | 'backup' | 'side-file';
  #unsynced = 0;
  /** Bytes written so far. */
  bytes = 0;

  constructor(file: OpenFile, what: 'segment' | 'snapshot' | 'backup' | 'side-file') {
    this.#file = file;
    this.#what = what;
  }

  async add(chunk: Uint8Array): Promise<void> {
    await writeFully(this.#file, `${this.#what}-write`, chunk, chunk.length, this.bytes);
    this.bytes += chunk.length;
    this.#unsynced += chunk.length;
    if (this.#unsynced < SYNC_BYTES) return;
    this.#unsynced = 0;
    await this.#file.datasync(`${this.#what}-sync`);
  }
}

/**
 * The bytes of a file, from beginning to end. While the caller has a chunk, the next one is read. `reusesBuffers`: each chunk is valid until the
 * next one is requested.
 */
export async function* fileChunks(
  path: string,
  fs: FileSystem,
  { reusesBuffers = false }: { readonly reusesBuffers?: boolean } = {},
): AsyncGenerator<Buffer, void, undefined> {
  const file = await fs.openRead(path);
  const read = async (buffer: Buffer, at: number) => ({ buffer, count: await file.read(buffer, 0, buffer.length, at) });
  let reading = read(Buffer.allocUnsafe(READ_BYTES), 0);
  try {
    let spare: Buffer | undefined;
    for (let at = 0; ; ) {
      const { buffer, count } = await reading;
      if (count === 0) return;
      at += count;
      reading = read(spare ?? Buffer.allocUnsafe(READ_BYTES), at);
      // It may fail before the caller asks for it.
      reading.catch(() => {});
      yield buffer.subarray(0, count);
      if (reusesBuffers) spare = buffer;
    }
  } finally {
    await reading.catch(() => {});
    await file.close();
  }
}

/** The first content of a file: the bytes, or a function that writes them from offset 0. */
export type Content = Uint8Array | ((file: OpenFile) => Promise<void>);

/** The kinds of file that `createWhole` creates; their crash points begin with the kind. */
export type WholeKind = WholeFile | 'restoring' | 'side-file';

/**
 * Creates a file that exists under its name only with all of its first content, durably. Returns it open for writing. It
 * replaces an existing file of that name. After an error there is no new file under `name`, and an older one is unchanged, unless
 * only the last step failed: then a crash may leave either.
 */
export async function createWhole(
  fs: FileSystem,
  what: WholeKind,
  directory: string,
  name: string,
  content: Content,
  kind?: WriteKind,
): Promise<OpenFile> {
  const file = await createNamed(fs, what, directory, name, content, kind);
  try {
    await fs.syncDirectory(`${what}-directory-sync`, directory);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** `createWhole` without its last step: until the directory is synced, a crash may undo the name. After an error nothing has changed. */
export async function createNamed(
  fs: FileSystem,
  what: WholeKind,
  directory: string,
  name: string,
  content: Content,
  kind?: WriteKind,
): Promise<OpenFile> {
  const temporary = join(directory, name + TEMPORARY_SUFFIX);
  const file = await fs.create(`${what}-create`, temporary, kind);
  try {
    if (typeof content === 'function') await content(file);
    else await writeFully(file, `${what}-write`, content, content.length, 0);
    await file.datasync(`${what}-sync`);
    await fs.rename(`${what}-rename`, temporary, join(directory, name));
    return file;
  } catch (error) {
    await file.close();
    await removeIfThere(fs, 'leftover-remove', temporary);
    throw error;
  }
}

/** Removes a file, durably, if it exists. `what`: the beginning of its crash points. */
export async function removeDurably(fs: FileSystem, what: 'retention' | 'clean-remove', directory: string, name: string): Promise<void> {
  const [remove, sync]: readonly [CrashPoint, CrashPoint] =
    what === 'retention' ? ['retention-remove', 'retention-directory-sync'] : ['clean-remove', 'clean-remove-sync'];
  try {
    await fs.remove(remove, join(directory, name));
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  await fs.syncDirectory(sync, directory);
}

/** Removes a file. A missing file, or one that cannot be removed now, is no error: the next open removes leftovers. */
export async function removeIfThere(fs: FileSystem, point: CrashPoint, path: string): Promise<void> {
  try {
    await fs.remove(point, path);
  } catch {
    // A leftover costs only space.
  }
}

/** Removes the temporary files of a crashed process before any other file is used. Returns the other names. */
export async function listWithoutLeftovers(fs: FileSystem, directory: string): Promise<string[]> {
  const kept: string[] = [];
  for (const name of await fs.list(directory)) {
    if (isTemporary(name)) await removeIfThere(fs, 'leftover-remove', join(directory, name));
    else kept.push(name);
  }
  return kept;
}

export function toError(value: unknown): Error {
  return value instanceof Error ? value : new Error(String(value));
}
