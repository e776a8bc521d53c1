/**
 * Files beside the log, as files of the data directory:
 *
 *   <data>/exports/<name>
 *   <data>/uploads/<name>
 *
 * A file is written under another name, synced and renamed. Opening them requires the lock of the data directory, so half-written files that
 * are found at the start belong to a process that has ended. No other process stores any, so there is no lease to check.
 *
 * It keeps BL1–BL6 (store/README.md).
 */
import type { Stats } from 'node:fs';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BLOB_FOLDERS, BlobConflict, type BlobFolder, type Blobs, type PutOptions, type StoredBlob } from './blobs.ts';
import { hasCode, isNoSpace } from './disk-errors.ts';
import { ChunkWriter, createWhole, type FileSystem, removeIfThere, TEMPORARY_SUFFIX } from './file-system.ts';
import { nodeFileSystem } from './node-file-system.ts';

/** Name that earlier versions gave to unfinished files: a name, a UUID, this. */
const OLD_PART = /\.[0-9a-f-]{36}\.part$/;
const READ_BYTES = 64 * 1024;

export class BlobFiles implements Blobs {
  readonly #fs: FileSystem;
  readonly #directory: string;
  /** Paths of the files that are being written. */
  readonly #arriving = new Set<string>();

  /**
   * Makes the folders, accessible only to the daemon's user, and removes unfinished files. `fileSystem` is used for writing; existing files
   * are read from the disk itself.
   */
  static async open(directory: string, fileSystem: FileSystem = nodeFileSystem): Promise<BlobFiles> {
    for (const folder of BLOB_FOLDERS.map((name) => join(directory, name))) {
      if (!(await madeDirectory(fileSystem, folder))) continue;
      for (const name of await fileSystem.list(folder))
        if (isPart(name)) await removeIfThere(fileSystem, 'leftover-remove', join(folder, name));
    }
    return new BlobFiles(directory, fileSystem);
  }

  private constructor(directory: string, fileSystem: FileSystem) {
    this.#fs = fileSystem;
    this.#directory = directory;
  }

  async put(folder: BlobFolder, name: string, chunks: AsyncIterable<Uint8Array>, { replaces = false }: PutOptions = {}): Promise<number> {
    const path = this.#path(folder, name);
    // Two would write to the same temporary file.
    if (this.#arriving.has(path)) throw new BlobConflict(folder, name, true);
    this.#arriving.add(path);
    try {
      if (!replaces && (await this.has(folder, name))) throw new BlobConflict(folder, name, false);
      const place = join(this.#directory, folder);
      await this.#fs.makeDirectory(place);
      let bytes = 0;
      const file = await createWhole(this.#fs, 'side-file', place, name, async (part) => {
        const writer = new ChunkWriter(part, 'side-file');
        for await (const chunk of chunks) await writer.add(chunk);
        bytes = writer.bytes;
      });
      await file.close();
      return bytes;
    } finally {
      this.#arriving.delete(path);
    }
  }

  async has(folder: BlobFolder, name: string): Promise<boolean> {
    return (await statOf(this.#path(folder, name)))?.isFile() === true;
  }

  async open(folder: BlobFolder, name: string): Promise<StoredBlob | undefined> {
    try {
      const file = await open(this.#path(folder, name), 'r');
      const { size } = await file.stat();
      return { stream: file.createReadStream({ highWaterMark: READ_BYTES }), bytes: size };
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async removeOld(folder: BlobFolder, beforeMs: number, kept: ReadonlySet<string>): Promise<number> {
    let removed = 0;
    for (const name of await namesIn(join(this.#directory, folder))) {
      if (isPart(name) || kept.has(name)) continue;
      const path = this.#path(folder, name);
      const file = await statOf(path);
      if (file === undefined || file.mtimeMs >= beforeMs) continue;
      await rm(path, { force: true });
      removed++;
    }
    return removed;
  }

  #path(folder: BlobFolder, name: string): string {
    return join(this.#directory, folder, name);
  }
}

/** False on a full disk: then the directory is made by the first file. */
async function madeDirectory(fs: FileSystem, folder: string): Promise<boolean> {
  try {
    await fs.makeDirectory(folder);
    return true;
  } catch (error) {
    if (isNoSpace(error)) return false;
    throw error;
  }
}

function isPart(name: string): boolean {
  return name.endsWith(TEMPORARY_SUFFIX) || OLD_PART.test(name);
}

/** The names in a directory that may not exist. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

/** Undefined when the file does not exist. */
async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}
