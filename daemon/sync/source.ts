/**
 * Turns the rows of a source into users to write: every user is checked, and every id occurs once.
 * An error in a row is an error of that row and stops nothing.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS } from '../../protocol/base/limits.ts';
import { IdMap } from './id-map.ts';
import { SOURCE_LINE_BYTES_MAX } from './line-reader.ts';
import type { RowError, SourceChunk, SourceRow, ValueRow } from './rows.ts';

export interface RowUser {
  /** Line in the source. */
  readonly line: number;
  readonly id: string;
  /** What the row names, where that is no user. */
  readonly what?: string;
  /** Bytes of the user in a request, in UTF-8. */
  readonly bytes: number;
}

/** The user on a row, or the error in it. */
export type CheckRow<User extends RowUser> = (row: ValueRow) => User | RowError;

export interface SourceBatch<User extends RowUser> {
  readonly users: readonly User[];
  readonly errors: readonly RowError[];
  /** Bytes of the source that were read for this batch. */
  readonly bytes: number;
  readonly lastAt: number;
}

export interface BatchLimits {
  readonly users: number;
  /** A batch is closed once its users have this many bytes; one more user must still fit into a request. */
  readonly bytes: number;
  readonly errors: number;
}

/** Bytes that a request adds to the users: the ids as keys, and punctuation. */
const FRAME_BYTES = LIMITS.batchUsers * (LIMITS.idChars + 4) + 64;

export const BATCH_LIMITS: BatchLimits = {
  users: LIMITS.batchUsers,
  bytes: LIMITS.bodyBytes - SOURCE_LINE_BYTES_MAX - FRAME_BYTES,
  errors: 1_000,
};

/** Among rows with the same id, the first valid one counts. Remembers every id: the one thing in memory that grows with the source. */
export class RowReader<User extends RowUser> {
  readonly #check: CheckRow<User>;
  /** The line of the row that counts; 0 where only invalid rows named the id. */
  readonly #ids = new IdMap();

  constructor(check: CheckRow<User>) {
    this.#check = check;
  }

  take(row: SourceRow): User | RowError {
    const read = 'code' in row ? row : this.#check(row);
    if (read.id === undefined) return read;
    const before = this.#ids.get(read.id);
    if ('code' in read) {
      if (before === undefined) this.#ids.set(read.id, 0);
      return read;
    }
    if (before) {
      const reason = `line ${read.line} names the same ${read.what ?? 'user'} as line ${before}; line ${before} counts`;
      return { line: read.line, id: read.id, code: 'duplicate_id', reason };
    }
    this.#ids.set(read.id, read.line);
    return read;
  }

  /** Whether a row named this user, valid or not. */
  has(id: string): boolean {
    return this.#ids.get(id) !== undefined;
  }
}

/** Milliseconds of rows in one turn of the event loop: imports read inside the daemon. */
const SLICE_MS = 3;

/**
 * Reads on only after the previous batch was taken, so a slow consumer holds back the source. Other work has its turns between the rows.
 * Rejects when the source does, after the last rows before the error.
 */
export async function* readBatches<User extends RowUser>(
  chunks: AsyncIterable<SourceChunk>,
  check: CheckRow<User>,
  limits: BatchLimits = BATCH_LIMITS,
): AsyncGenerator<SourceBatch<User>> {
  const reader = new RowReader(check);
  let batch = new OpenBatch<User>();
  let end: { readonly error: unknown } | undefined;
  let sliceEndMs = performance.now() + SLICE_MS;
  try {
    for await (const { rows, bytes } of chunks) {
      batch.bytes += bytes;
      for (const row of rows) {
        batch.add(reader.take(row));
        if (performance.now() >= sliceEndMs) {
          await nextTurn();
          sliceEndMs = performance.now() + SLICE_MS;
        }
        if (!batch.isFull(limits)) continue;
        yield batch;
        batch = new OpenBatch();
      }
    }
  } catch (error) {
    end = { error };
  }
  if (batch.lastAt > 0 || batch.bytes > 0) yield batch;
  if (end !== undefined) throw end.error;
}

class OpenBatch<User extends RowUser> implements SourceBatch<User> {
  readonly users: User[] = [];
  readonly errors: RowError[] = [];
  userBytes = 0;
  bytes = 0;
  lastAt = 0;

  add(read: User | RowError): void {
    this.lastAt = read.line;
    if ('code' in read) this.errors.push(read);
    else {
      this.users.push(read);
      this.userBytes += read.bytes;
    }
  }

  isFull({ users, bytes, errors }: BatchLimits): boolean {
    return this.users.length >= users || this.userBytes >= bytes || this.errors.length >= errors;
  }
}
