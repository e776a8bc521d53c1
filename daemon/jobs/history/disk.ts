/** The few file operations that the history needs, so that a test can stand between it and the disk and fail at any of them. */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** An open file. Positions and lengths are bytes. */
export interface HistoryFile {
  /** Fewer bytes than asked for are read at the end of the file. */
  read(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  write(buffer: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesWritten: number }>;
  truncate(length: number): Promise<void>;
  datasync(): Promise<void>;
  stat(): Promise<{ readonly size: number }>;
  close(): Promise<void>;
}

export interface HistoryDisk {
  /** Creates the folder with mode 0700 where it is missing. */
  makeFolder(path: string): Promise<void>;
  list(path: string): Promise<string[]>;
  open(path: string): Promise<HistoryFile>;
  /** Creates the file with mode 0600, or empties it. */
  create(path: string): Promise<HistoryFile>;
  rename(from: string, to: string): Promise<void>;
  /** That there is no such file is not an error. */
  remove(path: string): Promise<void>;
  /** Names created, renamed and removed in the folder are durable when this resolves. */
  syncFolder(path: string): Promise<void>;
}

export const nodeDisk: HistoryDisk = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  list: (path) => readdir(path),
  open: (path) => open(path, 'r+'),
  create: (path) => open(path, 'w+', 0o600),
  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  async syncFolder(path) {
    const handle = await open(path, 'r');
    await handle.sync().finally(() => handle.close());
  },
};

const TEMPORARY = '.tmp';

export function isTemporary(name: string): boolean {
  return name.endsWith(TEMPORARY);
}

/** Writes all of the bytes. A disk that takes nothing more counts as full. */
export async function writeAll(file: HistoryFile, bytes: Uint8Array, position: number): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    if (bytesWritten === 0) throw Object.assign(new Error('ENOSPC: the disk takes no more bytes, write'), { code: 'ENOSPC' });
    done += bytesWritten;
  }
}

/** Reads as many bytes as the buffer holds, fewer at the end of the file. Resolves with how many. */
export async function readInto(file: HistoryFile, buffer: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/** Creates a file that is there under its name only with all of its content, durably. Resolves with it, open. */
export async function createWhole(disk: HistoryDisk, folder: string, name: string, content: Uint8Array): Promise<HistoryFile> {
  const temporary = join(folder, name + TEMPORARY);
  const file = await disk.create(temporary);
  try {
    await writeAll(file, content, 0);
    await file.datasync();
    await disk.rename(temporary, join(folder, name));
    await disk.syncFolder(folder);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}
