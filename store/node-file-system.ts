/** The real disk. */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { isMissing, naming } from './disk-errors.ts';
import type { CrashPoint, FileSystem, OpenFile, WriteKind } from './file-system.ts';

const { O_CREAT, O_DSYNC, O_RDONLY, O_RDWR, O_TRUNC } = constants;
/** Makes each write do what `fdatasync` does. On other systems it is not there, or promises less than Node's `datasync`. */
const SYNCED = process.platform === 'linux' ? O_DSYNC : 0;

/** Node names the file in the errors of most operations, but not in those of an open file. */
class NodeFile implements OpenFile {
  readonly #handle: FileHandle;
  readonly #path: string;
  readonly #syncsWrites: boolean;
  /** Nothing but writes came after the last `datasync`. */
  #isSynced = false;

  private constructor(handle: FileHandle, path: string, syncsWrites: boolean) {
    this.#handle = handle;
    this.#path = path;
    this.#syncsWrites = syncsWrites;
  }

  static async open(path: string, flags: number, kind?: WriteKind): Promise<NodeFile> {
    const synced = kind === 'synced' ? SYNCED : 0;
    return new NodeFile(await open(path, flags | synced, 0o600), path, synced !== 0);
  }

  async read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return (await naming(this.#path, this.#handle.read(buffer, offset, length, position))).bytesRead;
  }

  async write(_point: CrashPoint, buffer: Uint8Array, offset: number, length: number, position: number): Promise<number> {
    return (await naming(this.#path, this.#handle.write(buffer, offset, length, position))).bytesWritten;
  }

  truncate(_point: CrashPoint, length: number): Promise<void> {
    this.#isSynced = false;
    return naming(this.#path, this.#handle.truncate(length));
  }

  async datasync(_point: CrashPoint): Promise<void> {
    if (this.#isSynced && this.#syncsWrites) return;
    await naming(this.#path, this.#handle.datasync());
    this.#isSynced = true;
  }

  async size(): Promise<number> {
    return (await naming(this.#path, this.#handle.stat())).size;
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

export const nodeFileSystem: FileSystem = {
  async makeDirectory(path) {
    const first = await mkdir(path, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    // From the innermost outwards: each new name in its parent directory.
    const outermost = resolve(first);
    for (let made = resolve(path); made.length >= outermost.length; made = dirname(made)) await syncFolder(dirname(made));
  },
  list: (path) => readdir(path),
  isThere: (path) =>
    stat(path).then(
      () => true,
      (error: unknown) => !isMissing(error),
    ),
  openRead: (path) => NodeFile.open(path, O_RDONLY),
  openWrite: (path, kind) => NodeFile.open(path, O_RDWR, kind),
  create: (_point, path, kind) => NodeFile.open(path, O_RDWR | O_CREAT | O_TRUNC, kind),
  rename: (_point, from, to) => rename(from, to),
  remove: (_point, path) => unlink(path),
  syncDirectory: (_point, path) => syncFolder(path),
};

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync().finally(() => handle.close());
}
