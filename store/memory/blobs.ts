/**
 * Files beside the log, in memory, for the emulator and for tests. All of them together are bounded.
 *
 * It keeps BL1–BL6 (store/README.md).
 */
import { Readable } from 'node:stream';
import { BlobConflict, type BlobFolder, type Blobs, type PutOptions, type StoredBlob } from '../blobs.ts';

/** A reader takes so much at a time. */
const READ_BYTES = 64 * 1024;
const BYTES_MAX = 256 * 1024 * 1024;

interface MemoryFile {
  readonly content: Buffer;
  storedMs: number;
}

export interface MemoryBlobsOptions {
  /** Of all files together. Default: 256 MiB. */
  readonly bytesMax?: number;
  /** The clock by which files age, milliseconds since 1970. Default: the wall clock. */
  readonly nowMs?: () => number;
}

export class MemoryBlobs implements Blobs {
  readonly #bytesMax: number;
  readonly #nowMs: () => number;
  readonly #files = new Map<string, MemoryFile>();
  /** Files that arrive at the moment. */
  readonly #arriving = new Set<string>();
  #bytes = 0;

  constructor({ bytesMax = BYTES_MAX, nowMs = Date.now }: MemoryBlobsOptions = {}) {
    this.#bytesMax = bytesMax;
    this.#nowMs = nowMs;
  }

  /** Bytes of all files. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Rejects with the error of a full disk when there is no room. */
  async put(folder: BlobFolder, name: string, chunks: AsyncIterable<Uint8Array>, { replaces = false }: PutOptions = {}): Promise<number> {
    const key = keyOf(folder, name);
    if (this.#arriving.has(key)) throw new BlobConflict(folder, name, true);
    if (!replaces && this.#files.has(key)) throw new BlobConflict(folder, name, false);
    this.#arriving.add(key);
    let taken = 0;
    try {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) {
        if (this.#bytes + chunk.length > this.#bytesMax) throw noRoom(this.#bytesMax);
        taken += chunk.length;
        this.#bytes += chunk.length;
        parts.push(Buffer.from(chunk));
      }
      const content = Buffer.concat(parts);
      taken = 0;
      this.#drop(key);
      this.#files.set(key, { content, storedMs: this.#nowMs() });
      return content.length;
    } finally {
      this.#bytes -= taken;
      this.#arriving.delete(key);
    }
  }

  async has(folder: BlobFolder, name: string): Promise<boolean> {
    return this.#files.has(keyOf(folder, name));
  }

  async open(folder: BlobFolder, name: string): Promise<StoredBlob | undefined> {
    const content = this.#files.get(keyOf(folder, name))?.content;
    return content === undefined ? undefined : { stream: readerOf(content), bytes: content.length };
  }

  async removeOld(folder: BlobFolder, beforeMs: number, kept: ReadonlySet<string>): Promise<number> {
    const old = [...this.#files].filter(
      ([key, { storedMs }]) => key.startsWith(`${folder}/`) && storedMs < beforeMs && !kept.has(key.slice(folder.length + 1)),
    );
    for (const [key] of old) this.#drop(key);
    return old.length;
  }

  /** Sets the time at which a file was stored, milliseconds since 1970. */
  age(folder: BlobFolder, name: string, storedMs: number): void {
    const file = this.#files.get(keyOf(folder, name));
    if (file !== undefined) file.storedMs = storedMs;
  }

  /** The same files, which from then on change apart. */
  copy(): MemoryBlobs {
    const copy = new MemoryBlobs({ bytesMax: this.#bytesMax, nowMs: this.#nowMs });
    for (const [key, file] of this.#files) {
      copy.#files.set(key, { ...file });
      copy.#bytes += file.content.length;
    }
    return copy;
  }

  #drop(key: string): void {
    this.#bytes -= this.#files.get(key)?.content.length ?? 0;
    this.#files.delete(key);
  }
}

function keyOf(folder: BlobFolder, name: string): string {
  return `${folder}/${name}`;
}

function readerOf(content: Buffer): Readable {
  let at = 0;
  return new Readable({
    highWaterMark: READ_BYTES,
    read() {
      const part = content.subarray(at, at + READ_BYTES);
      at += part.length;
      this.push(part.length === 0 ? null : part);
    },
  });
}

function noRoom(bytesMax: number): Error {
  return Object.assign(new Error(`ENOSPC: the files in memory would be more than ${bytesMax} bytes`), { code: 'ENOSPC' });
}
