/** The rows of a snapshot, written and read over one connection (PL8). */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { SnapshotDamaged } from '../snapshot.ts';
import { type PgConnection, rowOf } from './link/connection.ts';
import { inPieces } from './pieces.ts';

export interface SnapshotRow {
  readonly number: number;
  readonly seq: number;
  readonly chunks: number;
  readonly sha256: string;
}

export interface StoredChunks {
  readonly number: number;
  readonly chunks: number;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Stores the bytes, compressed by the caller. They are no snapshot before their row is there. `packed` is called when somebody waits for the bytes: a
 * stream that fails before that would end the process.
 */
export async function storeChunks(connection: PgConnection, app: string, packed: () => AsyncIterable<Uint8Array>): Promise<StoredChunks> {
  const number = Number(rowOf(await connection.ask({ text: "select nextval('rosterd.snapshot_number') as number" })).number);
  const hash = createHash('sha256');
  let [chunks, bytes] = [0, 0];
  for await (const data of inPieces(packed())) {
    hash.update(data);
    bytes += data.length;
    await connection.ask({
      name: 'rosterd-chunk',
      text: 'insert into rosterd.snapshot_chunk (app, number, part, data) values ($1, $2, $3, $4)',
      values: [app, number, chunks++, data],
    });
  }
  return { number, chunks, bytes, sha256: hash.digest('hex') };
}

/** The newest ones, the newest first. */
export async function snapshotRows(connection: PgConnection, app: string, count: number): Promise<readonly SnapshotRow[]> {
  const { rows } = await connection.ask({
    text: 'select number, seq, chunks, sha256 from rosterd.snapshot where app = $1 order by seq desc, number desc limit $2',
    values: [app, count],
  });
  return rows.map((row) => ({
    number: Number(row.number),
    seq: Number(row.seq),
    chunks: Number(row.chunks),
    sha256: String(row.sha256),
  }));
}

export function nameOfSnapshot({ number }: SnapshotRow): string {
  return `snapshot ${number} in the table rosterd.snapshot`;
}

/** The bytes of the snapshot file. Rejects with SnapshotDamaged. */
export async function* plainOfSnapshot(connection: PgConnection, app: string, row: SnapshotRow): AsyncGenerator<Buffer, void, undefined> {
  const hash = createHash('sha256');
  const unpacked = createGunzip();
  try {
    const packed = Readable.from(
      chunksOf(connection, app, row, (data) => hash.update(data)),
      { objectMode: false },
    );
    packed.on('error', (error) => unpacked.destroy(error));
    for await (const chunk of packed.pipe(unpacked)) yield chunk;
  } catch (error) {
    throw isBadGzip(error) ? new SnapshotDamaged(nameOfSnapshot(row), 'it cannot be unpacked') : error;
  } finally {
    unpacked.destroy();
  }
  if (hash.digest('hex') !== row.sha256) throw new SnapshotDamaged(nameOfSnapshot(row), 'it does not match its checksum');
}

async function* chunksOf(
  connection: PgConnection,
  app: string,
  row: SnapshotRow,
  onChunk: (data: Buffer) => void,
): AsyncGenerator<Buffer, void, undefined> {
  for (let part = 0; part < row.chunks; part++) {
    const { rows } = await connection.ask({
      name: 'rosterd-read-chunk',
      text: "select encode(data, 'base64') as data from rosterd.snapshot_chunk where app = $1 and number = $2 and part = $3",
      values: [app, row.number, part],
    });
    if (typeof rows[0]?.data !== 'string') throw new SnapshotDamaged(nameOfSnapshot(row), `chunk ${part} of ${row.chunks} is missing`);
    const data = Buffer.from(rows[0].data, 'base64');
    onChunk(data);
    yield data;
  }
}

function isBadGzip(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');
}
