/** The history of users as rows (history-tables.ts). Lookups and writing have a connection each, so that no lookup waits for a commit. */
import type { Position } from '../../protocol/base/position.ts';
import type {
  Beginning,
  HistoryBatch,
  HistoryLimits,
  HistoryTable,
  HistoryWriter,
  StoredChange,
  StoredHistoryPage,
  StoredHistoryQuestion,
} from '../history.ts';
import { leaseLost } from './leases.ts';
import { type PgAnswer, type PgRow, type Question, rowOf } from './link/connection.ts';
import type { ServerLinks } from './link/links.ts';
import { SideConnection } from './link/side-connection.ts';

/** A lookup that takes longer has lost its connection without a word. */
const LOOKUP_MS = 5_000;
/** How long the last write of a holder may take after its work should have ended. Much less than what is left of its lease. */
const LAST_WRITE_MS = 1_000;

export class PostgresHistory implements HistoryTable {
  readonly #app: string;
  readonly #links: ServerLinks;
  readonly #reader: SideConnection;

  constructor(app: string, links: ServerLinks) {
    this.#app = app;
    this.#links = links;
    this.#reader = new SideConnection(links, 'history');
  }

  writer(token: number, signal: AbortSignal): HistoryWriter {
    return new PostgresHistoryWriter(this.#app, token, new SideConnection(this.#links, 'history-writer'), signal);
  }

  async page({ id, limit, before, notBefore }: StoredHistoryQuestion): Promise<StoredHistoryPage | undefined> {
    if (this.#links.current === undefined) throw new Error('there is no connection to PostgreSQL at the moment');
    const late = setTimeout(() => void this.#reader.close(), LOOKUP_MS);
    try {
      const values = [this.#app, id, before, Math.ceil(notBefore), limit];
      const { rows } = await this.#reader.ask({ name: 'rosterd-history-page', text: PAGE, values });
      const [first] = rows;
      if (first === undefined) return undefined;
      return {
        position: { epoch: String(first.epoch), seq: Number(first.position) },
        from: Number(first.complete_from),
        changes: rows.flatMap((row) => changeOfRow(row) ?? []),
      };
    } finally {
      clearTimeout(late);
    }
  }

  async close(): Promise<void> {
    await this.#reader.close();
  }
}

/** One row where there is a history, with nulls where there is no change. None while the log is behind the history (see POSITION). */
const PAGE = `
  select p.epoch, p.seq as position, p.complete_from, c.seq, c.at, convert_from(c.record, 'UTF8') as record, g.seq as gap_seq, g.at as gap_at
  from rosterd.history_position p join rosterd.head l on l.app = p.app and (l.epoch <> p.epoch or l.seq >= p.seq)
  left join lateral (
    select h.seq, h.at, h.record, lag(h.seq, 1, $3::bigint) over (order by h.seq desc) as newer from (
      select seq, at, record from rosterd.history
      where app = $1 and user_id = $2 and seq < $3::bigint and at >= $4::bigint order by seq desc limit $5::int
    ) h
  ) c on true
  left join lateral (
    select seq, at from rosterd.history where app = $1 and user_id = '' and seq > c.seq and seq < c.newer order by seq limit 1
  ) g on true
  where p.app = $1 order by c.seq desc`;

function changeOfRow({ seq, at, record, gap_seq: gapSeq, gap_at: gapAt }: PgRow): StoredChange | undefined {
  if (seq === null) return undefined;
  const gap = gapSeq === null ? undefined : { gap: { seq: Number(gapSeq), at: Number(gapAt) } };
  return { seq: Number(seq), at: Number(at), record: String(record), ...gap };
}

class PostgresHistoryWriter implements HistoryWriter {
  readonly #key: readonly [app: string, token: number];
  readonly #connection: SideConnection;
  readonly #signal: AbortSignal;
  #lastWrite: NodeJS.Timeout | undefined;
  #isOver = false;
  /** Gives up the question that is being asked. */
  #giveUp: (error: Error) => void = () => {};

  constructor(app: string, token: number, connection: SideConnection, signal: AbortSignal) {
    this.#key = [app, token];
    this.#connection = connection;
    this.#signal = signal;
    if (signal.aborted) this.#endSoon();
    else signal.addEventListener('abort', this.#endSoon);
  }

  readonly #endSoon = (): void => {
    this.#lastWrite = setTimeout(() => this.#end(), LAST_WRITE_MS);
  };

  #end(): void {
    this.#isOver = true;
    this.#giveUp(new Error('PostgreSQL does not answer'));
    // Not awaited: while the server is away, it takes as long as it is. What was asked may still arrive there, until another token counts.
    void this.#connection.close();
  }

  async position(): Promise<Position | undefined> {
    const { rows } = await this.#ask({ text: POSITION, values: [this.#key[0]] });
    const [row] = rows;
    if (row === undefined) return undefined;
    const position = { epoch: String(row.epoch), seq: Number(row.seq) };
    const head = Number(row.head);
    if (row.is_ahead !== true) return position;
    await this.begin({ epoch: position.epoch, after: head, time: 0 });
    return { epoch: position.epoch, seq: head };
  }

  async begin({ epoch, after, time }: Beginning): Promise<void> {
    const values = [...this.#key, epoch, after, Math.round(time)];
    for (let isDone = false; !isDone; ) {
      isDone = rowOf(await this.#ask({ text: 'select rosterd.begin_history($1, $2, $3, $4, $5) as is_done', values })).is_done === true;
    }
  }

  async record({ from, seq, users, seqs, times, records, lengths }: HistoryBatch): Promise<number> {
    const values = [...this.#key, from.epoch, from.seq, seq, users, seqs, times, records, lengths];
    return Number(rowOf(await this.#ask({ name: 'rosterd-record-history', text: RECORD, values })).bytes);
  }

  async tidy({ now, notBefore, bytesMax }: HistoryLimits): Promise<void> {
    for (let after: unknown = 0; after !== null; ) {
      const values = [...this.#key, after, Math.floor(now), Math.floor(notBefore), bytesMax];
      after = rowOf(await this.#ask({ text: 'select rosterd.tidy_history($1, $2, $3, $4, $5, $6) as after', values })).after;
    }
  }

  async remove(): Promise<void> {
    await this.tidy({ now: Number.MAX_SAFE_INTEGER, notBefore: Number.MAX_SAFE_INTEGER, bytesMax: 0 });
    await this.#ask({ text: 'select rosterd.end_history($1, $2)', values: this.#key });
  }

  async close(): Promise<void> {
    clearTimeout(this.#lastWrite);
    this.#signal.removeEventListener('abort', this.#endSoon);
    await this.#connection.close();
  }

  /** One question at a time. */
  #ask(question: Question): Promise<PgAnswer> {
    return new Promise((resolve, reject) => {
      this.#giveUp = reject;
      if (this.#isOver) return reject(new Error('the work of this writer has ended'));
      this.#connection.ask(question).then(
        (answer) => {
          // The rows can be read, but a failover may lose them.
          if (answer.isClean) resolve(answer);
          else reject(new Error('the history of users was stored, but not on the standby'));
        },
        (error: unknown) => reject(leaseLost(error) ?? error),
      );
    });
  }
}

/** In the same moment: the log never ends before an entry that was recorded, unless somebody put back an older state of it. */
const POSITION = `
  select p.epoch, p.seq, h.seq as head, p.epoch = h.epoch and p.seq > h.seq as is_ahead
  from rosterd.history_position p join rosterd.head h using (app) where app = $1`;
const RECORD = 'select rosterd.record_history($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) as bytes';
