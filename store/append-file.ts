/**
 * A file of records that only grows: the segments of the journal, those of the user history, the letters of a webhook. The owner
 * defines the form of a record (`ReadRecord`); this file handles the effects of a crash or a full disk (AF1–AF6).
 *
 * One call at a time, except `read`.
 */
import { basename, dirname, join } from 'node:path';
import { createNamed, createWhole, type FileSystem, type OpenFile, readFully, type WriteKind, writeFully } from './file-system.ts';

const WINDOW_BYTES = 1024 * 1024;

/** The result of reading at a place where a record should begin. */
export type RecordStep =
  /** A whole record of `bytes` bytes. */
  | { readonly kind: 'whole'; readonly bytes: number }
  /** Needs `bytes` bytes to decide. If the file has fewer, the record is bad for this reason. */
  | { readonly kind: 'more'; readonly bytes: number; readonly reason: string }
  | { readonly kind: 'bad'; readonly reason: string };

/** Reads the record at the beginning of `view`, which is at offset `at` of the file. Called for each record in order. */
export type ReadRecord = (view: Buffer, at: number) => RecordStep;

/** The first place without a valid record. */
export interface BadRecord {
  readonly offset: number;
  readonly reason: string;
}

export interface ScannedFile {
  /** The end of the whole records. */
  readonly end: number;
  /** Size of the file, bytes. */
  readonly size: number;
  readonly bad: BadRecord | undefined;
}

/** Proof, by later records, that earlier bytes were durable. */
export interface SyncProof {
  /** Each record begins with these bytes, and no record has them elsewhere. */
  readonly magic: Uint8Array;
  readonly headerBytes: number;
  /** Every byte before the returned offset was durable when the header at `at` (`index` in `view`) was written. Undefined: not a header. */
  durableBefore(view: Buffer, index: number, at: number): number | undefined;
}

/** AF4. */
export class FileDamaged extends Error {
  readonly file: string;
  readonly offset: number;
  readonly reason: string;

  constructor(file: string, offset: number, reason: string) {
    super(`${file} is damaged at offset ${offset}: ${reason}`);
    this.name = 'FileDamaged';
    this.file = file;
    this.offset = offset;
    this.reason = reason;
  }
}

export interface RecordFormat {
  /** Offset of the first record. */
  readonly start: number;
  readonly read: ReadRecord;
  /** Without it, a bad record at any place counts as a torn tail. */
  readonly proof?: SyncProof;
}

/** A view of the file that moves forward, so that reading the whole file needs one buffer, whatever its size. */
export class FileWindow {
  readonly #file: OpenFile;
  #buffer = Buffer.allocUnsafe(WINDOW_BYTES);
  #start = 0;
  #filled = 0;

  constructor(file: OpenFile) {
    this.#file = file;
  }

  /** At least `bytes` bytes from `offset`, fewer only at the end of the file. Valid until the next call. */
  async at(offset: number, bytes: number): Promise<Buffer> {
    if (offset < this.#start || offset + bytes > this.#start + this.#filled) {
      if (bytes > this.#buffer.length) this.#buffer = Buffer.allocUnsafe(bytes);
      this.#start = offset;
      this.#filled = await readFully(this.#file, this.#buffer, this.#buffer.length, offset);
    }
    return this.#buffer.subarray(offset - this.#start, this.#filled);
  }
}

/** Reads records from `start` to the end of the file, or to the first bad one. Rejects with the error that `read` throws. */
export async function scanRecords(file: OpenFile, start: number, read: ReadRecord): Promise<ScannedFile> {
  const size = await file.size();
  const window = new FileWindow(file);
  let end = start;
  while (end < size) {
    const rest = size - end;
    let view = await window.at(end, 1);
    let step = read(view, end);
    while (step.kind === 'more' && view.length < rest) {
      view = await window.at(end, Math.min(rest, step.bytes));
      if (view.length < Math.min(rest, step.bytes)) throw new Error('the file became shorter while it was read');
      step = read(view, end);
    }
    if (step.kind !== 'whole') return { end, size, bad: { offset: end, reason: step.reason } };
    end += step.bytes;
  }
  return { end, size, bad: undefined };
}

/**
 * Searches after a bad record for a proof that its bytes were durable. Returns the offset of a later record that proves it, or
 * undefined. Looks at every byte, because a damaged length would otherwise hide later records. A header suffices as proof.
 */
export async function findProofOfSync(file: OpenFile, size: number, bad: number, proof: SyncProof): Promise<number | undefined> {
  const { magic, headerBytes } = proof;
  const window = new FileWindow(file);
  let at = bad + 1;
  while (at + headerBytes <= size) {
    const view = await window.at(at, headerBytes);
    const found = view.indexOf(magic);
    if (found === -1) {
      at += Math.max(1, view.length - magic.length + 1);
      continue;
    }
    if (found + headerBytes > view.length && at + view.length < size) {
      at += found;
      continue;
    }
    const durable = proof.durableBefore(view, found, at + found);
    if (durable !== undefined && durable > bad && durable <= at + found) return at + found;
    at += found + 1;
  }
  return undefined;
}

export class AppendFile {
  readonly path: string;
  readonly #fs: FileSystem;
  #file: OpenFile;
  #end: number;
  #syncedEnd: number;
  /** There may be bytes after the end: they are cut off before the next write. */
  #isFrayed = false;
  /** The directory was synced since the file got its name. */
  #isNamed = true;

  private constructor(fs: FileSystem, path: string, file: OpenFile, end: number) {
    this.#fs = fs;
    this.path = path;
    this.#file = file;
    this.#end = end;
    this.#syncedEnd = end;
  }

  /** Creates a file that exists only with its first content, which is durable when this resolves. See `createWhole`. */
  static async create(fs: FileSystem, directory: string, name: string, content: Uint8Array, kind?: WriteKind): Promise<AppendFile> {
    const file = await createWhole(fs, 'segment', directory, name, content, kind);
    return new AppendFile(fs, join(directory, name), file, content.length);
  }

  /** Opens a file and reads all of its records. Rejects with FileDamaged (AF4), or an error of the file system. */
  static async open(fs: FileSystem, path: string, { start, read, proof }: RecordFormat): Promise<AppendFile> {
    const file = await fs.openRead(path);
    let end: number;
    try {
      const scanned = await scanRecords(file, start, read);
      const { bad, size } = scanned;
      end = scanned.end;
      if (bad !== undefined && proof !== undefined) {
        const found = await findProofOfSync(file, size, bad.offset, proof);
        if (found !== undefined)
          throw new FileDamaged(path, bad.offset, `${bad.reason}; the record at ${found} proves that it was durable`);
      }
    } finally {
      await file.close();
    }
    return await AppendFile.resume(fs, path, end);
  }

  /**
   * Opens a file to continue writing at `end`, and cuts off the bytes after it. The writes of a killed process may exist only in the
   * page cache, and so may the name of the file: this makes both durable, because new records build on them (AF3, AF5). With `keepsTail`,
   * the bytes after `end` stay until `mend`, or the next write.
   */
  static async resume(fs: FileSystem, path: string, end: number, kind?: WriteKind, keepsTail = false): Promise<AppendFile> {
    const file = await fs.openWrite(path, kind);
    try {
      if (!keepsTail && (await file.size()) > end) await file.truncate('recovery-truncate', end);
      await file.datasync('recovery-sync');
      await fs.syncDirectory('recovery-directory-sync', dirname(path));
      const resumed = new AppendFile(fs, path, file, end);
      resumed.#isFrayed = keepsTail;
      return resumed;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Length of the appended records, bytes. */
  get end(): number {
    return this.#end;
  }

  /** Bytes that a loss of power may destroy. */
  get unsynced(): number {
    return this.#end - this.#syncedEnd;
  }

  /** A part of a failed append may still be after the end, because cutting it off failed, too. */
  get isFrayed(): boolean {
    return this.#isFrayed;
  }

  /** Cuts off bytes after the end, if there may be any. */
  async mend(): Promise<void> {
    if (this.#isFrayed) await this.#cut();
  }

  /** Appends the first `length` bytes. Rejects with an error of the file system; then none of them is stored (AF1). */
  async append(bytes: Uint8Array, length = bytes.length): Promise<void> {
    await this.mend();
    this.#isFrayed = true;
    try {
      await writeFully(this.#file, 'group-write', bytes, length, this.#end);
    } catch (error) {
      // If this fails, the next append begins with it.
      await this.#cut().catch(() => {});
      throw error;
    }
    this.#isFrayed = false;
    this.#end += length;
  }

  /** Like `append`, but durably (AF2). When the sync fails, the append is undone. */
  async appendDurably(bytes: Uint8Array): Promise<void> {
    const before = this.#end;
    await this.append(bytes);
    try {
      await this.sync();
    } catch (error) {
      this.#end = before;
      this.#isFrayed = true;
      await this.#cut().catch(() => {});
      throw error;
    }
  }

  /** All appended bytes are durable when this resolves. After an error it is unknown which bytes are. */
  async sync(): Promise<void> {
    await this.#file.datasync('group-sync');
    this.#syncedEnd = this.#end;
    if (!this.#isNamed) await this.#syncName();
  }

  /**
   * Replaces this file by a new one. `write` writes its content from offset 0 and returns the number of bytes. A crash
   * leaves one of the two files, whole; the next sync ensures that the new one stays (AF5). Rejects with an error of the file
   * system, or of `write`; then nothing has changed.
   */
  async replace(write: (file: OpenFile) => Promise<number>): Promise<void> {
    let end = 0;
    const content = async (file: OpenFile): Promise<void> => {
      end = await write(file);
    };
    const file = await createNamed(this.#fs, 'segment', dirname(this.path), basename(this.path), content);
    const old = this.#file;
    this.#file = file;
    this.#end = end;
    this.#syncedEnd = end;
    this.#isFrayed = false;
    this.#isNamed = false;
    await old.close().catch(() => {});
    await this.#syncName().catch(() => {});
  }

  /** Fills the buffer from `position`, or less of it at the end of the file. Resolves with the number of bytes read. */
  read(buffer: Uint8Array, position: number): Promise<number> {
    return readFully(this.#file, buffer, buffer.length, position);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #cut(): Promise<void> {
    await this.#file.truncate('rollback-truncate', this.#end);
    await this.#file.datasync('rollback-sync');
    this.#isFrayed = false;
    this.#syncedEnd = this.#end;
  }

  async #syncName(): Promise<void> {
    await this.#fs.syncDirectory('segment-directory-sync', dirname(this.path));
    this.#isNamed = true;
  }
}
