/**
 * Files beside the log as rows, which every process that shares the database finds (BL1–BL8). The chunks of a file come first; one row, changed
 * last, makes them a file. Every question may be asked twice, so one whose answer was lost is asked again, on another connection.
 */
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { BlobConflict, type BlobFolder, type Blobs, BlobsUnavailable, type PutOptions, type StoredBlob } from '../blobs.ts';
import type { Fence } from '../leases.ts';
import { leaseLost } from './leases.ts';
import { type PgAnswer, type Question, rowOf, sqlState } from './link/connection.ts';
import type { ServerLinks } from './link/links.ts';
import { NoAnswer, PatientConnection } from './link/patient-connection.ts';
import { inPieces } from './pieces.ts';

/** What arrives slowly is stored after this time, as a sign that it still arrives: housekeeping waits for an hour (file-tables.ts). */
const SIGN_MS = 300_000;
/** What is handed on at a time: a whole chunk would hold the event loop of its reader. */
const READ_BYTES = 64 * 1024;
const NO_SPACE = '53100';
/** Classes of errors of the server that are no mistake of the store: too many connections, too little memory, errors of the disk. */
const TROUBLE = /^5[38]/;

export interface PostgresBlobsOptions {
  readonly app: string;
  readonly links: ServerLinks;
  /** Every question is answered within this time. */
  readonly deadlineMs: number;
  readonly signMs?: number;
}

export class PostgresBlobs implements Blobs {
  readonly #options: PostgresBlobsOptions;
  /** Writing waits for the standby, and reading does not wait for that. */
  readonly #writer: PatientConnection;
  readonly #reader: PatientConnection;
  readonly #arriving = new Set<string>();

  constructor(options: PostgresBlobsOptions) {
    this.#options = options;
    this.#writer = new PatientConnection(options.links, 'files-writer', options.deadlineMs);
    this.#reader = new PatientConnection(options.links, 'files-reader', options.deadlineMs);
  }

  async put(folder: BlobFolder, name: string, chunks: AsyncIterable<Uint8Array>, options: PutOptions = {}): Promise<number> {
    const path = `${folder}/${name}`;
    if (this.#arriving.has(path)) throw new BlobConflict(folder, name, true);
    this.#arriving.add(path);
    try {
      if (options.replaces !== true && (await this.has(folder, name))) throw new BlobConflict(folder, name, false);
      return await this.#store({ id: randomUUID(), folder, name }, chunks, options);
    } finally {
      this.#arriving.delete(path);
    }
  }

  async #store(file: NewFile, chunks: AsyncIterable<Uint8Array>, { replaces = false, fence }: PutOptions): Promise<number> {
    const { app, signMs = SIGN_MS } = this.#options;
    const { id, folder, name } = file;
    try {
      await asked(this.#writer, { name: 'rosterd-file-begin', text: BEGIN, values: [app, id, folder, name] });
      let [parts, bytes] = [0, 0];
      for await (const data of inPieces(chunks, signMs)) {
        const { is_there } = rowOf(
          await asked(this.#writer, { name: 'rosterd-file-chunk', text: ADD_CHUNK, values: [app, id, parts, data] }),
        );
        if (is_there !== true) throw lost();
        parts++;
        bytes += data.length;
      }
      const values = [app, id, folder, name, parts, bytes, replaces, fence?.job, fence?.token];
      const { outcome } = rowOf(await asked(this.#writer, { name: 'rosterd-file-store', text: STORE, values }, true));
      if (outcome === 'conflict' && (await this.has(folder, name))) throw new BlobConflict(folder, name, false);
      if (outcome !== 'stored') throw lost();
      return bytes;
    } catch (error) {
      // What cannot be removed now goes with the remains of those that were interrupted.
      if (!isUnanswered(error)) await asked(this.#writer, { text: DISCARD, values: [app, id] }).catch(() => {});
      throw error;
    }
  }

  /** Nothing is promised about a file that a failover may still take back: what is found was there before a commit that is durable (PL3). */
  async has(folder: BlobFolder, name: string): Promise<boolean> {
    const values = [this.#options.app, folder, name];
    return (await asked(this.#writer, { name: 'rosterd-file-has', text: HAS, values }, true)).rows.length > 0;
  }

  /** Also while commits wait for the standby: a caller knows the name of a file from what was stored after it. */

  async open(folder: BlobFolder, name: string): Promise<StoredBlob | undefined> {
    const values = [this.#options.app, folder, name];
    const [row] = (await asked(this.#reader, { name: 'rosterd-file-find', text: FIND, values })).rows;
    if (row === undefined) return undefined;
    const found = { id: String(row.id), chunks: Number(row.chunks), bytes: Number(row.bytes) };
    return { stream: Readable.from(this.#read(found), { objectMode: false, highWaterMark: READ_BYTES }), bytes: found.bytes };
  }

  async *#read({ id, chunks }: FoundFile): AsyncGenerator<Buffer, void, undefined> {
    for (let part = 0; part < chunks; part++) {
      const values = [this.#options.app, id, part];
      const [row] = (await asked(this.#reader, { name: 'rosterd-file-read', text: READ_CHUNK, values })).rows;
      if (typeof row?.data !== 'string') throw new BlobsUnavailable('the file was removed or replaced while it was read');
      const data = Buffer.from(row.data, 'base64');
      for (let at = 0; at < data.length; at += READ_BYTES) yield data.subarray(at, at + READ_BYTES);
    }
  }

  async removeOld(folder: BlobFolder, beforeMs: number, kept: ReadonlySet<string>, fence?: Fence): Promise<number> {
    const values = [this.#options.app, folder, beforeMs, [...kept], fence?.job, fence?.token];
    // One after the other, so that those who store files do not wait for long.
    for (let removed = 0; ; ) {
      const { was_whole } = rowOf(await asked(this.#writer, { name: 'rosterd-file-remove', text: REMOVE, values }));
      if (was_whole === null) return removed;
      if (was_whole === true) removed++;
    }
  }

  /** What is under way is refused. */
  async close(): Promise<void> {
    await Promise.all([this.#writer.close(), this.#reader.close()]);
  }
}

interface NewFile {
  readonly id: string;
  readonly folder: BlobFolder;
  readonly name: string;
}

interface FoundFile {
  readonly id: string;
  readonly chunks: number;
  readonly bytes: number;
}

const NO_ANSWER = 'files can be neither stored nor read at the moment, because the database does not answer';

const BEGIN = 'insert into rosterd.file (app, id, folder, name) values ($1, $2, $3, $4) on conflict do nothing';
const ADD_CHUNK = `
  with arriving as (update rosterd.file set stored_at = clock_timestamp() where app = $1 and id = $2 and bytes is null returning app, id),
    added as (insert into rosterd.file_chunk (app, id, part, data) select app, id, $3::int, $4::bytea from arriving on conflict do nothing)
  select exists (select from arriving) as is_there`;
const STORE = 'select rosterd.store_file($1, $2, $3, $4, $5, $6, $7, $8, $9) as outcome';
const DISCARD = 'delete from rosterd.file where app = $1 and id = $2 and bytes is null';
const FIND = 'select id, chunks, bytes from rosterd.file where app = $1 and folder = $2 and name = $3 and bytes is not null';
const HAS = `
  select pg_logical_emit_message(true, 'rosterd', '')::text as written
    from rosterd.file where app = $1 and folder = $2 and name = $3 and bytes is not null`;
const READ_CHUNK = "select encode(data, 'base64') as data from rosterd.file_chunk where app = $1 and id = $2 and part = $3";
const REMOVE = 'select rosterd.remove_file($1, $2, to_timestamp($3::float8 / 1000), $4, $5, $6) as was_whole';

/** Rejects with BlobsUnavailable or LeaseLost; mistakes of the store are rejected unchanged. */
async function asked(connection: PatientConnection, question: Question, isCommit = false): Promise<PgAnswer> {
  try {
    return await connection.ask(question, isCommit);
  } catch (error) {
    const state = sqlState(error);
    const lost = leaseLost(error);
    if (lost !== undefined) throw lost;
    if (state === NO_SPACE) throw new BlobsUnavailable('there is no space left to store the file', { cause: error });
    throw state === undefined || TROUBLE.test(state) ? new BlobsUnavailable(NO_ANSWER, { cause: error }) : error;
  }
}

function isUnanswered(error: unknown): boolean {
  return error instanceof BlobsUnavailable && error.cause instanceof NoAnswer;
}

function lost(): BlobsUnavailable {
  return new BlobsUnavailable('the file is not stored, because it stood still for too long, or the database has lost a part of it');
}
