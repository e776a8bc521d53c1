/**
 * Files beside the directory: finished exports and uploads for imports, below the data directory.
 *
 *   <data>/exports/<task>.jsonl        one export each
 *   <data>/uploads/<id>~<file name>    one upload each
 *
 * A file exists whole or not at all: it is written under another name, synced and renamed. The daemon makes every name
 * and checks it against a pattern without slashes and leading dots before it reaches the disk. Opening these files requires
 * the lock of the data directory, so half-written files found at the start belong to a process that has ended.
 */

import type { Stats } from 'node:fs';
import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { RosterError } from '../../../protocol/base/errors.ts';
import { EXPORT_FILE } from '../../../protocol/transfer/exports.ts';
import { isUploadPath } from '../../../protocol/transfer/imports.ts';
import { isNoSpace } from '../../../store/disk-errors.ts';
import { ChunkWriter, createWhole, type FileSystem, nodeFileSystem, removeIfThere, TEMPORARY_SUFFIX } from '../../../store/file-system.ts';
import type { Ages } from '../tasks/housekeeping.ts';

const SILENCE_MS = 60_000;
/** Name that earlier versions gave to unfinished files: a name, a UUID, this. */
const OLD_PART = /\.[0-9a-f-]{36}\.part$/;
const READ_BYTES = 64 * 1024;
const TASK_ID = /^[\w-]{1,64}$/;

export interface StoredFile {
  readonly stream: Readable;
  readonly bytes: number;
}

export interface FilesOptions {
  /** An upload without new bytes for this time is aborted. */
  readonly silenceMs?: number;
  /** Used for writing; existing files are read from the disk itself. */
  readonly fileSystem?: FileSystem;
}

export class Files {
  readonly #fs: FileSystem;
  readonly #exports: string;
  readonly #uploads: string;
  readonly #silenceMs: number;
  /** Uploads under way. */
  readonly #arriving = new Set<string>();

  /** Makes the directories, accessible only to the daemon's user, and removes unfinished files. */
  static async open(dataDirectory: string, { silenceMs = SILENCE_MS, fileSystem = nodeFileSystem }: FilesOptions = {}): Promise<Files> {
    const files = new Files(dataDirectory, silenceMs, fileSystem);
    for (const folder of [files.#exports, files.#uploads]) {
      if (!(await madeDirectory(fileSystem, folder))) continue;
      for (const name of await fileSystem.list(folder))
        if (isPart(name)) await removeIfThere(fileSystem, 'leftover-remove', join(folder, name));
    }
    return files;
  }

  private constructor(dataDirectory: string, silenceMs: number, fileSystem: FileSystem) {
    this.#fs = fileSystem;
    this.#exports = join(dataDirectory, 'exports');
    this.#uploads = join(dataDirectory, 'uploads');
    this.#silenceMs = silenceMs;
  }

  /**
   * Stores an upload. Each path is written once, so an import can rely on the file that it has read.
   * Rejects with RosterError: `conflict` when the path exists, `too_big`, `timeout` when no more bytes come,
   * `input` when the source broke off, `unavailable` when the disk is full.
   */
  async saveUpload(path: string, source: Readable, bytesMax: number): Promise<{ readonly bytes: number }> {
    const name = uploadName(path);
    if (this.#arriving.has(path)) throw new RosterError('conflict', 'this file is being uploaded at the moment');
    this.#arriving.add(path);
    try {
      if (await isFile(join(this.#uploads, name))) {
        throw new RosterError('conflict', 'this file was uploaded already; ask for another URL to upload another one');
      }
      let bytes = 0;
      await this.#fs.makeDirectory(this.#uploads);
      const file = await createWhole(this.#fs, 'side-file', this.#uploads, name, async (part) => {
        bytes = await this.#receive(new ChunkWriter(part, 'side-file'), source, bytesMax);
      });
      await file.close();
      return { bytes };
    } catch (error) {
      // Discards the rest of the upload, so that the caller gets the answer.
      source.resume();
      throw explained(error);
    } finally {
      this.#arriving.delete(path);
    }
  }

  async #receive(writer: ChunkWriter, source: Readable, bytesMax: number): Promise<number> {
    for await (const chunk of withoutSilence(source, this.#silenceMs)) {
      if (writer.bytes + chunk.length > bytesMax) throw new RosterError('too_big', `the file is bigger than ${bytesMax} bytes`);
      await writer.add(chunk);
    }
    return writer.bytes;
  }

  async hasUpload(path: string): Promise<boolean> {
    return isUploadPath(path) && (await isFile(join(this.#uploads, uploadName(path))));
  }

  /** The upload to read; undefined when it does not exist (any more). */
  async openUpload(path: string): Promise<StoredFile | undefined> {
    return isUploadPath(path) ? await openToRead(join(this.#uploads, uploadName(path))) : undefined;
  }

  /** Stores the lines, each with a line end, as the export of this task. Replaces an existing one. */
  async writeExport(taskId: string, lines: AsyncIterable<string> | Iterable<string>): Promise<void> {
    await this.#fs.makeDirectory(this.#exports);
    const file = await createWhole(this.#fs, 'side-file', this.#exports, exportName(taskId), async (part) => {
      const writer = new ChunkWriter(part, 'side-file');
      for await (const line of lines) await writer.add(Buffer.from(`${line}\n`));
    });
    await file.close();
  }

  async openExport(taskId: string, name: string): Promise<StoredFile | undefined> {
    return name === EXPORT_FILE && TASK_ID.test(taskId) ? await openToRead(join(this.#exports, exportName(taskId))) : undefined;
  }

  /** Removes old files. Resolves with their number. */
  async removeOld({ exportsBeforeMs, uploadsBeforeMs, neededUploads }: Ages): Promise<number> {
    const needed = new Set([...neededUploads].map(uploadName));
    const exports = await removeFrom(this.#exports, exportsBeforeMs, new Set());
    return exports + (await removeFrom(this.#uploads, uploadsBeforeMs, needed));
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

function uploadName(path: string): string {
  if (!isUploadPath(path)) throw new RosterError('not_found', 'there is no such upload');
  return path.replace('/', '~');
}

function exportName(taskId: string): string {
  if (!TASK_ID.test(taskId)) throw new Error(`"${taskId}" is not the id of a task`);
  return `${taskId}.jsonl`;
}

function isPart(name: string): boolean {
  return name.endsWith(TEMPORARY_SUFFIX) || OLD_PART.test(name);
}

async function removeFrom(folder: string, beforeMs: number, needed: ReadonlySet<string>): Promise<number> {
  let removed = 0;
  for (const name of await namesIn(folder)) {
    if (isPart(name) || needed.has(name)) continue;
    const path = join(folder, name);
    const file = await statOf(path);
    if (file === undefined || file.mtimeMs >= beforeMs) continue;
    await rm(path, { force: true });
    removed++;
  }
  return removed;
}

/** The names in a directory that may not exist. */
async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The chunks of the source. Rejects when none came for too long, and destroys the source, because its sender is gone. */
async function* withoutSilence(source: Readable, silenceMs: number): AsyncGenerator<Buffer> {
  // Returning early must not destroy the source: it may be a request that still needs an answer.
  const chunks = source.iterator({ destroyOnReturn: false });
  for (;;) {
    const timer = setTimeout(() => source.destroy(new RosterError('timeout', `nothing arrived for ${silenceMs} ms`)), silenceMs);
    try {
      const step = await chunks.next();
      if (step.done === true) return;
      yield Buffer.isBuffer(step.value) ? step.value : Buffer.from(String(step.value));
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The error that a caller may see for a system error; other errors are returned unchanged, for the log. */
function explained(error: unknown): unknown {
  switch (codeOf(error)) {
    case 'ENOSPC':
    case 'EDQUOT':
      return new RosterError('unavailable', 'there is no space left to store the file');
    case 'ECONNRESET':
    case 'ERR_STREAM_PREMATURE_CLOSE':
      return new RosterError('input', 'the file broke off before its end');
    default:
      return error;
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await statOf(path))?.isFile() === true;
}

/** Undefined when the file does not exist. */
async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function openToRead(path: string): Promise<StoredFile | undefined> {
  try {
    const file = await open(path, 'r');
    const { size } = await file.stat();
    return { stream: file.createReadStream({ highWaterMark: READ_BYTES }), bytes: size };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
