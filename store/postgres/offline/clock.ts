/** The clock of a database, as a command sees it: by it, a daemon counts time (ND4), and judges its own (ND5). */
import { rowOf } from '../link/connection.ts';
import { withServer } from './database.ts';

const NOW = { text: 'select extract(epoch from clock_timestamp()) * 1000 as now_ms' };

export interface DatabaseClock {
  /** Host and database, for messages. */
  readonly name: string;
  /** By how much this machine is at least ahead of the database, in milliseconds; negative when it is behind. The time that the answer took is allowed for. */
  readonly aheadMs: number;
}

/** Rejects with PostgresUnusable. `nowMs`: the wall clock of this machine. */
export async function databaseClock(address: string, nowMs: () => number = Date.now): Promise<DatabaseClock> {
  return await withServer(address, async ({ connection, name }) => {
    const askedMs = nowMs();
    const row = rowOf(await connection.ask(NOW));
    return { name, aheadMs: surelyAheadMs(Number(row.now_ms), askedMs, nowMs()) };
  });
}

/** The other clock was read at some moment between the two of this one. */
function surelyAheadMs(otherMs: number, fromMs: number, toMs: number): number {
  return otherMs < fromMs ? fromMs - otherMs : otherMs > toMs ? toMs - otherMs : 0;
}
