/** The history in a database as it is at one moment, read without a daemon and whether or not daemons run: a snapshot and the entries after it. */

import type { Position } from '../../../protocol/base/position.ts';
import { type Entry, lastSeq } from '../../../protocol/log/entry.ts';
import { StoreVersionMismatch } from '../../journal/record.ts';
import { LogDamaged } from '../../log.ts';
import { readSnapshot } from '../../snapshot/codec.ts';
import { newestWhole } from '../../snapshot/newest.ts';
import { type LoadedSnapshot, SnapshotDamaged, type SnapshotLine } from '../../snapshot.ts';
import type { PgConnection, PgRow } from '../link/connection.ts';
import { ENTRY_FORMATS } from '../log/formats.ts';
import { entryOfRow } from '../log/wire.ts';
import { nameOfSnapshot, plainOfSnapshot, type SnapshotRow, snapshotRows } from '../snapshot-rows.ts';
import { applicationOf, checkTables, type OpenDatabase, withServer } from './database.ts';

/** Something that is not as it was written. */
export interface DamagedRow {
  /** The snapshot, or the table of the entries. */
  readonly place: string;
  /** Of an entry: the position at which it ends. */
  readonly seq: number | undefined;
  readonly reason: string;
}

const ROWS = 500;
const SNAPSHOTS = 2;
const HEAD = 'select epoch, seq, tail from rosterd.head where app = $1';
const ENTRIES = `select last, first, version, crc, convert_from(payload, 'UTF8') as payload from rosterd.entry
  where app = $1 and last > $2 order by last limit ${ROWS}`;

export class StoredHistory {
  readonly app: string;
  readonly head: Position;
  /** The smallest position after which all entries are there. */
  readonly tail: number;
  readonly #connection: PgConnection;
  readonly #snapshots: readonly SnapshotRow[];

  /** Runs `work` on what there is at one moment, on a standby, too. Rejects with PostgresUnusable, and like `work`. */
  static async read<T>(address: string, asked: string | undefined, work: (history: StoredHistory) => Promise<T>): Promise<T> {
    return await withServer(address, async (database) => {
      await checkTables(database);
      const app = await applicationOf(database, asked);
      await database.connection.ask({ text: 'begin isolation level repeatable read read only' });
      return await work(await StoredHistory.of(database, app));
    });
  }

  /** Within the transaction that the caller has begun. */
  static async of({ connection }: OpenDatabase, app: string): Promise<StoredHistory> {
    const [head] = (await connection.ask({ text: HEAD, values: [app] })).rows;
    if (head === undefined) throw new Error(`the log of ${app} was removed meanwhile`);
    return new StoredHistory(connection, app, head, await snapshotRows(connection, app, SNAPSHOTS));
  }

  private constructor(connection: PgConnection, app: string, head: PgRow, snapshots: readonly SnapshotRow[]) {
    this.#connection = connection;
    this.app = app;
    this.head = { epoch: String(head.epoch), seq: Number(head.seq) };
    this.tail = Number(head.tail);
    this.#snapshots = snapshots;
  }

  get snapshotCount(): number {
    return this.#snapshots.length;
  }

  /** The newest whole snapshot; undefined without one. Rejects with SnapshotDamaged when none of them is whole. */
  async snapshot(): Promise<LoadedSnapshot | undefined> {
    const stored = this.#snapshots.map((row) => ({
      file: nameOfSnapshot(row),
      chunks: () => this.#lines(row),
      check: async () => {
        const damage = await this.#damageOf(row);
        if (damage !== undefined) throw damage;
        return { epoch: this.head.epoch, seq: row.seq };
      },
    }));
    return await newestWhole({ stored, place: `the table rosterd.snapshot of ${this.app}`, onDamage: () => {} });
  }

  #lines(row: SnapshotRow): AsyncIterable<readonly SnapshotLine[]> {
    return readSnapshot(nameOfSnapshot(row), plainOfSnapshot(this.#connection, this.app, row));
  }

  async #damageOf(row: SnapshotRow): Promise<SnapshotDamaged | undefined> {
    try {
      for await (const _ of this.#lines(row));
      return undefined;
    } catch (error) {
      if (error instanceof SnapshotDamaged) return error;
      if (error instanceof StoreVersionMismatch) return new SnapshotDamaged(nameOfSnapshot(row), error.message);
      throw error;
    }
  }

  /** Every entry later than `after`. Rejects with LogDamaged or StoreVersionMismatch. */
  async *entries(after: number): AsyncGenerator<Entry, void, undefined> {
    const problems: DamagedRow[] = [];
    for await (const entry of this.#checked(after, problems)) {
      if (problems[0] !== undefined) break;
      yield entry;
    }
    const [damage] = problems;
    if (damage !== undefined) throw new LogDamaged(damage.place, damage.seq ?? 0, damage.reason);
  }

  /** Everything that is wrong, also after the first damage: entries in their order, then snapshots. */
  async damage(): Promise<readonly DamagedRow[]> {
    const found: DamagedRow[] = [];
    for await (const _ of this.#checked(this.tail, found));
    for (const row of this.#snapshots) {
      const damage = await this.#damageOf(row);
      if (damage !== undefined) found.push({ place: damage.file, seq: undefined, reason: damage.reason });
    }
    return found;
  }

  /** The entries that can be read. What is wrong with the others, and what is missing, is added to `found`. */
  async *#checked(after: number, found: DamagedRow[]): AsyncGenerator<Entry, void, undefined> {
    const place = `the table rosterd.entry of ${this.app}`;
    const missing = (from: number, to: number): void => {
      if (from > to) return;
      found.push({ place, seq: to, reason: from === to ? `${to} is missing` : `${from} to ${to} are missing` });
    };
    let at = after;
    for (;;) {
      const { rows } = await this.#connection.ask({ text: ENTRIES, values: [this.app, at] });
      for (const row of rows) {
        missing(at + 1, Number(row.first) - 1);
        at = Number(row.last);
        const entry = readable(this.app, row);
        if (entry instanceof Error) found.push({ place, seq: at, reason: entry instanceof LogDamaged ? entry.reason : entry.message });
        else if (lastSeq(entry) === at) yield entry;
      }
      if (rows.length < ROWS) break;
    }
    missing(at + 1, this.head.seq);
  }
}

function readable(app: string, row: PgRow): Entry | LogDamaged | StoreVersionMismatch {
  try {
    return entryOfRow(app, row, ENTRY_FORMATS).entry;
  } catch (error) {
    if (error instanceof LogDamaged || error instanceof StoreVersionMismatch) return error;
    throw error;
  }
}
