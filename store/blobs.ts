/**
 * Files beside the log: finished exports, uploads for imports and sync plans, and these plans. Each is a named sequence of bytes that exists whole or not at all.
 * The names are the daemon's, which checks what clients send before it reaches the storage.
 *
 * Every implementation keeps BL1–BL6 (store/README.md); where several processes share the storage, also BL7 and BL8.
 */
import type { Readable } from 'node:stream';
import type { Fence } from './leases.ts';

export type BlobFolder = 'exports' | 'uploads' | 'plans';
export const BLOB_FOLDERS: readonly BlobFolder[] = ['exports', 'uploads', 'plans'];

/** A file that is being read. An error of the stream is the only sign that it does not come whole. */
export interface StoredBlob {
  readonly stream: Readable;
  readonly bytes: number;
}

export interface PutOptions {
  /** A file of that name is replaced. Otherwise the name must be free. */
  readonly replaces?: boolean;
  /** BL7: refused once another process does the job. */
  readonly fence?: Fence | undefined;
}

export interface Blobs {
  /**
   * BL1–BL3, BL5: stores the chunks as one file and resolves with its number of bytes when it is durable. Rejects with BlobConflict, LeaseLost,
   * BlobsUnavailable, an error of the system (ENOSPC …) or that of the chunks, which are not read any further then.
   */
  put(folder: BlobFolder, name: string, chunks: AsyncIterable<Uint8Array>, options?: PutOptions): Promise<number>;

  /** Rejects with BlobsUnavailable or an error of the system, as all that follow. */
  has(folder: BlobFolder, name: string): Promise<boolean>;

  /** BL4: the file to read; undefined when there is none. */
  open(folder: BlobFolder, name: string): Promise<StoredBlob | undefined>;

  /**
   * BL6: removes the files of the folder that were stored before this time (milliseconds since 1970), except the names in `kept`.
   * Resolves with their number. Rejects also with LeaseLost.
   */
  removeOld(folder: BlobFolder, beforeMs: number, kept: ReadonlySet<string>, fence?: Fence): Promise<number>;
}

/** BL3: the name is not free. */
export class BlobConflict extends Error {
  /** Whether this process is storing a file of that name at the moment; otherwise there is one. */
  readonly isArriving: boolean;

  constructor(folder: BlobFolder, name: string, isArriving: boolean) {
    super(`${folder}/${name} ${isArriving ? 'is being stored at the moment' : 'exists'}`);
    this.name = 'BlobConflict';
    this.isArriving = isArriving;
  }
}

/** BL8: the storage cannot do it at present; later it may. The message names no place, so callers may see it. */
export class BlobsUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'BlobsUnavailable';
  }
}
