/**
 * Snapshots as rows (PL8): chunks of compressed bytes, and one row written last, which makes them a snapshot. Each names the entry at its
 * position and the SHA-256 of its bytes. The newest two are kept; entries are removed only up to the older one, so a new node, or one whose
 * newest snapshot is damaged, always finds what it needs.
 */
import { Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { OnStoreEvent } from '../events.ts';
import { encodeSnapshot, readSnapshot, SnapshotReader } from '../snapshot/codec.ts';
import { newestWhole } from '../snapshot/newest.ts';
import type { LoadedSnapshot, Rest, SnapshotDamaged, SnapshotSource, SnapshotStore } from '../snapshot.ts';
import type { PgConnection } from './link/connection.ts';
import type { ServerLinks } from './link/links.ts';
import { PACKED_FORMAT } from './log/formats.ts';
import { nameOfSnapshot, plainOfSnapshot, type SnapshotRow, snapshotRows, storeChunks } from './snapshot-rows.ts';

const KEPT = 2;

/** Only when every chunk is there, the epoch is the log's, and the entries after it are kept. */
const PUBLISH = `
  insert into rosterd.snapshot (app, number, epoch, seq, entry_id, chunks, bytes, sha256)
  select $1, $2, $3, $4::bigint, case when h.tail = $4::bigint then h.tail_id else e.id end, $5::int, $6, $7
  from rosterd.head h left join rosterd.entry e on e.app = h.app and e.last = $4::bigint
  where h.app = $1 and h.epoch = $3 and h.tail <= $4::bigint and (h.tail = $4::bigint or e.id is not null)
    and $5::int = (select count(*) from rosterd.snapshot_chunk c where c.app = $1 and c.number = $2)
  returning number`;
/** Also what interrupted saves have left; a save that goes on with a lower number is one of a writer that is too late. */
const CLEAN = `
  with kept as (select number from rosterd.snapshot where app = $1 order by seq desc, number desc limit ${KEPT}),
    gone as (delete from rosterd.snapshot where app = $1 and number not in (select number from kept))
  delete from rosterd.snapshot_chunk where app = $1 and number not in (select number from kept) and number < $2`;

export interface PostgresSnapshotsOptions {
  readonly app: string;
  readonly links: ServerLinks;
  /** The format of the entries that are written: PL11. */
  readonly format: () => number;
  readonly onEvent: OnStoreEvent;
}

export class PostgresSnapshots implements SnapshotStore {
  readonly #options: PostgresSnapshotsOptions;
  #isSaving = false;

  constructor(options: PostgresSnapshotsOptions) {
    this.#options = options;
  }

  async save(source: SnapshotSource, rest?: Rest): Promise<{ readonly bytes: number; readonly lines: number }> {
    if (this.#isSaving) throw new Error('a snapshot is already being saved');
    this.#isSaving = true;
    try {
      return await this.#withConnection('snapshot', (connection) => this.#save(connection, source, rest));
    } finally {
      this.#isSaving = false;
    }
  }

  async #save(
    connection: PgConnection,
    source: SnapshotSource,
    rest: Rest | undefined,
  ): Promise<{ readonly bytes: number; readonly lines: number }> {
    const { app, format } = this.#options;
    const isPackedRead = format() >= PACKED_FORMAT;
    let [lines, bytes] = [0, 0];
    // The encoder reuses its buffer, which the compressor would still be reading.
    const onLines = (count: number): void => {
      lines = count;
    };
    const encoded = encodeSnapshot((isPackedRead ? source.packed?.() : undefined) ?? source, onLines, rest);
    const plain = Readable.from(
      copied(encoded, (length) => (bytes += length)),
      { objectMode: false },
    );
    const packed = createGzip({ level: 1 });
    plain.on('error', (error) => packed.destroy(error));
    const stored = await storeChunks(connection, app, () => plain.pipe(packed));
    const { epoch, seq } = source.position;
    const values = [app, stored.number, epoch, seq, stored.chunks, stored.bytes, stored.sha256];
    const { rows, isClean } = await connection.ask({ text: PUBLISH, values });
    // The rows of this save go with the next one.
    if (rows.length === 0)
      throw new RangeError(
        `no log goes on from ${seq} in epoch ${epoch}, or another process saved at the same time: the snapshot is not kept`,
      );
    if (!isClean) throw new Error('the snapshot was stored, but not on the standby');
    await connection.ask({ text: CLEAN, values: [app, stored.number] });
    return { bytes, lines };
  }

  async load(): Promise<LoadedSnapshot | undefined> {
    const { app, onEvent } = this.#options;
    const rows = await this.#withConnection('load', (connection) => snapshotRows(connection, app, KEPT));
    const stored = rows.map((row) => ({
      file: nameOfSnapshot(row),
      check: async () => (await this.#check(row)).position,
      chunks: () => readSnapshot(nameOfSnapshot(row), this.#plain(row)),
    }));
    const onDamage = ({ file, reason }: SnapshotDamaged) => onEvent({ type: 'snapshot-damaged', file, reason });
    return await newestWhole({ stored, place: `the table rosterd.snapshot of ${app}`, onDamage });
  }

  /** Reads all of it once, before anything is built on it. */
  async #check(row: SnapshotRow) {
    const reader = new SnapshotReader(nameOfSnapshot(row));
    for await (const chunk of this.#plain(row)) reader.push(chunk);
    return reader.end();
  }

  async *#plain(row: SnapshotRow): AsyncGenerator<Buffer, void, undefined> {
    const { app, links } = this.#options;
    const connection = await (await links.ready()).side('load');
    try {
      yield* plainOfSnapshot(connection, app, row);
    } finally {
      await connection.close();
    }
  }

  async #withConnection<T>(purpose: string, work: (connection: PgConnection) => Promise<T>): Promise<T> {
    const link = await this.#options.links.ready();
    const connection = await link.side(purpose);
    return await work(connection).finally(() => connection.close());
  }
}

async function* copied(chunks: AsyncIterable<Buffer>, onBytes: (bytes: number) => void): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of chunks) {
    onBytes(chunk.length);
    yield Buffer.from(chunk);
  }
}
