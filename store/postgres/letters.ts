/** Letters of webhooks as rows (letter-schema.ts). */
import { setTimeout as delay } from 'node:timers/promises';
import type {
  DeadPage,
  LetterCounts,
  LetterReplay,
  LetterRow,
  LetterSpan,
  LetterTable,
  LetterTerm,
  LetterWrite,
  LoadedLetters,
  ReplayedLetter,
} from '../letters.ts';
import { LogClosed, LogEpochChanged } from '../log.ts';
import { leaseLost } from './leases.ts';
import { type PgAnswer, type PgRow, type Question, rowOf, sqlState } from './link/connection.ts';
import type { ServerLinks } from './link/links.ts';
import { SideConnection } from './link/side-connection.ts';

/** The server ends, or has ended, the connection; or it chose this question to break a deadlock. */
const PASSING = /^(57P|40)/;
const AGAIN_MS = 50;
/** A question that takes longer is given up; after the end of the term, sooner. */
const ANSWER_MS = 5_000;
const LAST_ANSWER_MS = 1_000;

const COLUMNS = 'id, epoch, seq, at, lane, type, bytes, state, attempts, retries, when_ms, reason, is_replay';

export class PostgresLetters implements LetterTable {
  readonly #app: string;
  readonly #connection: SideConnection;
  /** One question is asked after the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(app: string, links: ServerLinks) {
    this.#app = app;
    this.#connection = new SideConnection(links, 'letters');
  }

  async load(term: LetterTerm, hook: string): Promise<LoadedLetters> {
    const key = [this.#app, storable(hook)];
    const open = { text: 'select rosterd.open_letters($1, $2, $3, $4)', values: [this.#app, term.job, term.token, key[1]] };
    await this.#settled(term, open);
    const { number, lost } = rowOf(
      await this.#ask({ text: 'select number, lost from rosterd.hook where app = $1 and hook = $2', values: key }),
    );
    const { rows } = await this.#ask({ text: `select ${COLUMNS} from rosterd.letter where app = $1 and hook = $2`, values: key });
    // What was seen is durable once a later commit is.
    await this.#settled(term, open);
    return { letters: rows.map(letterOfRow), lost: Number(lost), number: Number(number) };
  }

  async write(term: LetterTerm, hook: string, { number, lost, isUrgent, puts, moves, drops, expired }: LetterWrite): Promise<void> {
    const texts = (row: { readonly reason: string }) => ({ ...row, reason: storable(row.reason) });
    const rows = puts.map((row) => ({ ...texts(row), lane: storable(row.lane), type: storable(row.type) }));
    const changes = JSON.stringify({ puts: rows, moves: moves.map(texts), drops, expired });
    await this.#settled(term, {
      name: 'rosterd-write-letters',
      text: 'select rosterd.write_letters($1, $2, $3, $4, $5, $6, $7, $8)',
      values: [this.#app, term.job, term.token, storable(hook), number, lost, isUrgent, changes],
    });
  }

  async event(term: LetterTerm, hook: string, id: string): Promise<string | undefined> {
    const { rows } = await this.#settled(term, {
      name: 'rosterd-letter-event',
      text: "select encode(event, 'base64') as event from rosterd.letter where app = $1 and hook = $2 and id = $3",
      values: [this.#app, storable(hook), id],
    });
    return rows[0] === undefined ? undefined : eventText(rows[0]);
  }

  async remove(term: LetterTerm, which: 'these' | 'others', hooks: readonly string[]): Promise<void> {
    await this.#settled(term, {
      text: 'select rosterd.remove_letters($1, $2, $3, $4, $5)',
      values: [this.#app, term.job, term.token, hooks.map(storable), which === 'these'],
    });
  }

  async report(term: LetterTerm, reports: ReadonlyMap<string, string>): Promise<void> {
    await this.#settled(term, {
      name: 'rosterd-report-hooks',
      text: `with lease as materialized (select rosterd.check_lease($1, $2, $3), set_config('synchronous_commit', 'off', true))
        update rosterd.hook h set report = u.report from lease, unnest($4::text[], $5::text[]) as u(hook, report)
        where h.app = $1 and h.hook = u.hook`,
      values: [this.#app, term.job, term.token, [...reports.keys()].map(storable), [...reports.values()].map(storable)],
    });
  }

  async counts(): Promise<ReadonlyMap<string, LetterCounts>> {
    const { rows } = await this.#ask({
      name: 'rosterd-letter-counts',
      text: `select h.hook, h.lost, h.report, coalesce(l.parked, 0) as parked, coalesce(l.dead, 0) as dead from rosterd.hook h
        left join (select hook, count(*) filter (where state = 'parked') as parked, count(*) filter (where state = 'dead') as dead
          from rosterd.letter where app = $1 group by hook) l on l.hook = h.hook
        where h.app = $1`,
      values: [this.#app],
    });
    return new Map(
      rows.map(({ hook, lost, report, parked, dead }) => [
        restored(hook),
        { parked: Number(parked), dead: Number(dead), lost: Number(lost), report: restored(report) },
      ]),
    );
  }

  async dead(hook: string, { after, limit, lane, ...span }: DeadPage): Promise<readonly LetterRow[] | undefined> {
    const where = `app = $1 and hook = $2 and state = 'dead' and at between $3 and $4 and ($5::text is null or lane = $5)`;
    const key = [this.#app, storable(hook), ...bounds(span), lane === undefined ? null : storable(lane)];
    const start =
      after === undefined
        ? undefined
        : (await this.#ask({ text: `select at, seq, id from rosterd.letter where ${where} and id = $6`, values: [...key, after] })).rows[0];
    if (after !== undefined && start === undefined) return undefined;
    const { at = null, seq = null, id = null } = start ?? {};
    const { rows } = await this.#ask({
      text: `select ${COLUMNS} from rosterd.letter where ${where} and ($7::bigint is null or (at, seq, id) > ($7, $8::bigint, $9::text))
        order by at, seq, id limit $6`,
      values: [...key, limit, at, seq, id],
    });
    return rows.map(letterOfRow);
  }

  async deadLetter(hook: string, id: string): Promise<{ readonly row: LetterRow; readonly event: string } | undefined> {
    const { rows } = await this.#ask({
      text: `select ${COLUMNS}, encode(event, 'base64') as event from rosterd.letter where app = $1 and hook = $2 and id = $3 and state = 'dead'`,
      values: [this.#app, storable(hook), storable(id)],
    });
    const [row] = rows;
    return row === undefined ? undefined : { row: letterOfRow(row), event: eventText(row) };
  }

  async replay(hook: string, request: LetterReplay): Promise<{ readonly replaying: number; readonly remaining: number }> {
    const { ids, nowMs, countMax, parkedMax, parkedBytesMax, ...span } = request;
    const answer = await this.#ask({
      text: 'select * from rosterd.replay_letters($1, $2, $3, $4, $5, $6, $7, $8, $9)',
      values: [this.#app, storable(hook), ids?.map(storable) ?? null, ...bounds(span), nowMs, countMax, parkedMax, parkedBytesMax],
    });
    if (!answer.isClean) throw new Error('the request was stored, but not on the standby');
    const { replaying, remaining } = rowOf(answer);
    return { replaying: Number(replaying), remaining: Number(remaining) };
  }

  async replayedHooks(): Promise<readonly string[]> {
    const { rows } = await this.#ask({
      name: 'rosterd-replayed-hooks',
      text: 'select distinct hook from rosterd.letter where app = $1 and mark is not null',
      values: [this.#app],
    });
    return rows.map(({ hook }) => restored(hook));
  }

  async replayed(hook: string): Promise<readonly ReplayedLetter[]> {
    const { rows } = await this.#ask({
      text: `select ${COLUMNS}, mark from rosterd.letter where app = $1 and hook = $2 and mark is not null`,
      values: [this.#app, storable(hook)],
    });
    return rows.map((row) => ({ ...letterOfRow(row), mark: Number(row.mark) }));
  }

  async takenUp(term: LetterTerm, hook: string, letters: readonly Pick<ReplayedLetter, 'id' | 'mark'>[]): Promise<void> {
    await this.#settled(term, {
      text: `with lease as materialized (select rosterd.check_lease($1, $2, $3)),
          held as materialized (select from rosterd.hook where app = $1 and hook = $4 for update)
        update rosterd.letter l set mark = null from lease, held, unnest($5::text[], $6::bigint[]) as u(id, mark)
        where l.app = $1 and l.hook = $4 and l.id = u.id and l.mark = u.mark`,
      values: [this.#app, term.job, term.token, storable(hook), letters.map(({ id }) => id), letters.map(({ mark }) => mark)],
    });
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** LT3: asks until the answer counts, or the storage refuses, or the term has ended. */
  async #settled({ signal }: LetterTerm, question: Question): Promise<PgAnswer> {
    for (;;) {
      try {
        const answer = await this.#ask(question, signal);
        if (answer.isClean) return answer;
        if (signal.aborted) throw new Error('it is not known whether letters were stored on the standby');
      } catch (error) {
        const lost = leaseLost(error);
        if (lost !== undefined) throw lost;
        if (signal.aborted || !isPassing(error)) throw error;
      }
      await delay(AGAIN_MS);
    }
  }

  /** Rejects when no answer comes in time; the question may arrive nevertheless. */
  async #ask(question: Question, term?: AbortSignal): Promise<PgAnswer> {
    const late = new Error('PostgreSQL has not answered in time');
    const patience = new AbortController();
    const { signal } = patience;
    const giveUp = (): void => patience.abort();
    const timers = [setTimeout(giveUp, ANSWER_MS)];
    const hurry = (): void => void timers.push(setTimeout(giveUp, LAST_ANSWER_MS));
    if (term?.aborted === true) hurry();
    term?.addEventListener('abort', hurry);
    const isOver = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(late), { once: true }));
    const answer = this.#last.then(() => (signal.aborted ? Promise.reject(late) : this.#connection.ask(question)));
    this.#last = answer.catch(() => {});
    return await Promise.race([answer, isOver]).finally(() => {
      term?.removeEventListener('abort', hurry);
      for (const timer of timers) clearTimeout(timer);
    });
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof LogClosed || error instanceof LogEpochChanged) return false;
  const state = sqlState(error);
  return state === undefined || PASSING.test(state);
}

/** PostgreSQL's texts have no NUL. Callers choose the ids of hooks and the types of events. */
function storable(text: string): string {
  return text.replaceAll('\u2400', '\u24001').replaceAll('\0', '\u24000');
}

function restored(stored: unknown): string {
  return String(stored).replaceAll('\u24000', '\0').replaceAll('\u24001', '\u2400');
}

function eventText(row: PgRow): string {
  return Buffer.from(String(row.event), 'base64').toString('utf8');
}

function bounds({ from, to }: LetterSpan): readonly number[] {
  return [from ?? Number.MIN_SAFE_INTEGER, to ?? Number.MAX_SAFE_INTEGER];
}

function letterOfRow(row: PgRow): LetterRow {
  return {
    id: String(row.id),
    epoch: String(row.epoch),
    seq: Number(row.seq),
    at: Number(row.at),
    lane: restored(row.lane),
    type: restored(row.type),
    bytes: Number(row.bytes),
    state: row.state === 'dead' ? 'dead' : 'parked',
    attempts: Number(row.attempts),
    retries: Number(row.retries),
    whenMs: Number(row.when_ms),
    reason: restored(row.reason),
    isReplay: row.is_replay === true,
  };
}
