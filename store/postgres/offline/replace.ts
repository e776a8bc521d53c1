/**
 * Puts a history into a database, all of it in one transaction: whatever fails or crashes, the database is as it was, or holds everything.
 * What daemons have stored beside the log belongs to the history that was there before and goes with it.
 */
import { crc32, createGzip } from 'node:zlib';
import type { Position } from '../../../protocol/base/position.ts';
import { ENTRY_VERSION, type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { encodePayload } from '../../journal/record.ts';
import { NODE_GONE_MS } from '../../peers.ts';
import type { PgConnection } from '../link/connection.ts';
import { PostgresUnusable } from '../link/target.ts';
import { newEpoch, secretMac } from '../log/head.ts';
import { byteaArray } from '../log/wire.ts';
import { prepareSchema } from '../schema.ts';
import { storeChunks } from '../snapshot-rows.ts';
import { applicationOf, checkTables, type OpenDatabase, withPrimary } from './database.ts';
import { StoredHistory } from './history.ts';

export interface NewHistory {
  /** Where it ends. */
  readonly head: Position;
  /** Where its entries begin. */
  readonly tail: number;
  /** Those from `tail` to its end, without a gap; undefined where there are none. */
  readonly entries: AsyncIterable<Entry> | undefined;
  /** Writes the file of a snapshot at `head`, in pieces that stay as they are. */
  snapshot(write: (chunk: Uint8Array) => Promise<void>): Promise<void>;
}

export interface ReplaceOptions {
  readonly app: string;
  readonly secret: string;
  /** A log that holds something is removed. */
  readonly replaces: boolean;
}

/** The database holds a log that must not be replaced. Nothing was changed. */
export class HistoryInUse extends Error {
  constructor(name: string, reason: string) {
    super(`${name}: ${reason}`);
    this.name = 'HistoryInUse';
  }
}

const TABLES = `select table_name as name from information_schema.columns where table_schema = 'rosterd' and column_name = 'app' order by 1`;
const GROUP_BYTES = 1024 * 1024;
const GROUP_ENTRIES = 500;

/** Makes the tables when they are missing. Rejects with PostgresUnusable, NotWritable or HistoryInUse, and like the parts of `made`. */
export async function replaceHistory(address: string, options: ReplaceOptions, made: () => Promise<NewHistory>): Promise<void> {
  await withPrimary(address, async (database) => {
    const { connection, name } = database;
    await prepareSchema(connection, name);
    // Found out before a large file is read.
    await refuseLiving(database, options);
    const { head, tail, entries, snapshot } = await made();
    await connection.ask({ text: 'begin' });
    // No node appends, and none that starts finds a head, before this ends.
    await connection.ask({ text: 'select pg_advisory_xact_lock(rosterd.turn_key($1))', values: [options.app] });
    await refuseLiving(database, options);
    for (const { name: table } of (await connection.ask({ text: TABLES })).rows)
      await connection.ask({ text: `delete from rosterd.${table} where app = $1`, values: [options.app] });
    await storeHead(connection, options, head, tail);
    const total = await storeEntries(connection, options.app, tail, head.seq, entries);
    await connection.ask({ text: 'update rosterd.head set total = $2 where app = $1', values: [options.app, total] });
    await storeSnapshot(connection, options.app, head, snapshot);
    const { isClean } = await connection.ask({ text: 'commit' });
    if (!isClean) throw new Error('it was stored, but not on the synchronous standby: a failover now loses it');
  });
}

/** Rejects with HistoryInUse or PostgresUnusable: while daemons run, with another secret, and where something would be lost unasked. */
async function refuseLiving({ connection, name }: OpenDatabase, { app, secret, replaces }: ReplaceOptions): Promise<void> {
  const [head] = (await connection.ask({ text: 'select epoch, seq, secret_mac from rosterd.head where app = $1', values: [app] })).rows;
  const alive = await connection.ask({
    text: `select name from rosterd.node where app = $1 and seen > clock_timestamp() - $2 * interval '1 millisecond' order by name`,
    values: [app, NODE_GONE_MS],
  });
  const names = alive.rows.map((row) => String(row.name)).join(', ');
  if (names !== '') throw new HistoryInUse(name, `daemons run on the log of ${app} (${names}): stop them first`);
  if (head === undefined) return;
  if (head.secret_mac !== secretMac(app, secret))
    throw new PostgresUnusable(name, `the log of ${app} was made with another API secret: give that one, or another API key`);
  if (Number(head.seq) > 0 && !replaces)
    throw new HistoryInUse(name, `there is a log of ${app}, which ends at ${head.epoch}:${head.seq}: give --replace to replace it`);
}

async function storeHead(connection: PgConnection, { app, secret }: ReplaceOptions, { epoch, seq }: Position, tail: number): Promise<void> {
  await connection.ask({
    text: `insert into rosterd.head (app, epoch, seq, fence, tail, total, format, timeline, is_synced, secret_mac)
           values ($1, $2, $3, 0, $4, 0, $5, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8), false, $6)`,
    values: [app, epoch, seq, tail, ENTRY_VERSION, secretMac(app, secret)],
  });
}

/** The bytes of all. Rejects when they do not lead from `tail` to `seq`. */
async function storeEntries(
  connection: PgConnection,
  app: string,
  tail: number,
  seq: number,
  entries: AsyncIterable<Entry> | undefined,
): Promise<number> {
  let [at, total, bytes] = [tail, 0, 0];
  let group: { readonly entry: Entry; readonly payload: string; readonly total: number }[] = [];
  const flush = async (): Promise<void> => {
    if (group.length === 0) return;
    const payloads = group.map(({ payload }) => payload);
    const columns = [
      ...[group.map(({ entry }) => lastSeq(entry)), group.map(({ entry }) => entry.first), group.map(({ entry }) => entry.id)],
      ...[group.map(({ entry }) => entry.time), payloads.map((payload) => crc32(payload)), group.map((one) => one.total)],
    ];
    await connection.ask({
      name: 'rosterd-bring',
      text: `insert into rosterd.entry (app, version, last, first, id, time, crc, total, payload)
             select $1, $2, * from unnest($3::bigint[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[], $8::bigint[], $9::bytea[])`,
      values: [app, ENTRY_VERSION, ...columns, byteaArray(payloads)],
    });
    [group, bytes] = [[], 0];
  };
  for await (const entry of entries ?? []) {
    if (entry.first !== at + 1) throw new Error(`the entry after ${at} begins at ${entry.first}`);
    at = lastSeq(entry);
    const payload = encodePayload(entry);
    const length = Buffer.byteLength(payload);
    total += length;
    bytes += length;
    group.push({ entry, payload, total });
    if (bytes >= GROUP_BYTES || group.length >= GROUP_ENTRIES) await flush();
  }
  await flush();
  if (at !== seq) throw new Error(`the entries end at ${at}, and the history at ${seq}`);
  return total;
}

async function storeSnapshot(connection: PgConnection, app: string, head: Position, produce: NewHistory['snapshot']): Promise<void> {
  const packed = createGzip({ level: 1 });
  const write = (chunk: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => packed.write(chunk, (error) => (error ? reject(error) : resolve())));
  const stored = await storeChunks(connection, app, () => {
    produce(write).then(
      () => packed.end(),
      (error: Error) => packed.destroy(error),
    );
    return packed;
  });
  await connection.ask({
    text: `insert into rosterd.snapshot (app, number, epoch, seq, entry_id, chunks, bytes, sha256)
           select $1, $2, $3, $4, (select id from rosterd.entry where app = $1 and last = $4), $5, $6, $7`,
    values: [app, stored.number, head.epoch, head.seq, stored.chunks, stored.bytes, stored.sha256],
  });
}

/**
 * Runs `work` on the history while no daemon has it, and leaves the database with another epoch: what `work` has taken away goes on elsewhere,
 * and nobody continues both. Rejects with PostgresUnusable, NotWritable or HistoryInUse, and like `work`; then the database is unchanged.
 */
export async function takeHistory<T>(
  address: string,
  { app: asked, secret }: Pick<ReplaceOptions, 'app' | 'secret'>,
  work: (history: StoredHistory) => Promise<T>,
): Promise<T> {
  return await withPrimary(address, async (database) => {
    const { connection } = database;
    await checkTables(database);
    const app = await applicationOf(database, asked);
    await connection.ask({ text: 'begin' });
    await connection.ask({ text: 'select pg_advisory_xact_lock(rosterd.turn_key($1))', values: [app] });
    await refuseLiving(database, { app, secret, replaces: true });
    const result = await work(await StoredHistory.of(database, app));
    await connection.ask({ text: 'update rosterd.head set epoch = $2, fence = fence + 1 where app = $1', values: [app, newEpoch()] });
    await connection.ask({ text: 'commit' });
    return result;
  });
}
