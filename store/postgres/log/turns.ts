/**
 * Turns (PL5): a transaction that has the application's lock to itself, so that no other node can append while this one decides. The server
 * ends it when this process stops in the middle. It only makes things fair: an append in it names head and fence like every other.
 */
import { LogUnavailable } from '../../log.ts';
import { type PgAnswer, type Question, rowOf } from '../link/connection.ts';
import type { ServerLink } from '../link/link.ts';
import type { ServerLinks } from '../link/links.ts';
import type { Confirmed } from './confirmed.ts';
import { entriesOfRows } from './wire.ts';

const TAKE_TURN = { name: 'rosterd-turn', text: 'select * from rosterd.take_turn($1, $2)' } as const;

export interface TurnsOptions {
  readonly app: string;
  readonly links: ServerLinks;
  readonly confirmed: Confirmed;
  readonly deadlineMs: number;
  /** Resolves when everything up to `seq` is confirmed. */
  readonly reach: (seq: number) => Promise<void>;
  /** Resolves when every append is answered. */
  readonly idle: () => Promise<void>;
  /** Resolves when no append is on its way any more, whether it was answered or not. */
  readonly settled: () => Promise<void>;
  readonly reason: () => string;
}

export class WriterTurns {
  readonly #options: TurnsOptions;
  /** Appends wait for it: a turn is about to begin, or to end. */
  #gate: Promise<void> | undefined;
  /** The link on which a transaction is open for the turn. */
  #open: ServerLink | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: TurnsOptions) {
    this.#options = options;
  }

  get gate(): Promise<void> | undefined {
    return this.#gate;
  }

  /** One turn after another. Rejects with LogUnavailable when it does not begin in time. */
  take<T>(work: (head: number) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    let isLate = false;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        isLate = true;
        reject(new LogUnavailable('not-written', this.#options.reason()));
      }, this.#options.deadlineMs);
    });
    const taking = this.#last.then(() => (isLate ? late : this.#takeAlone()));
    const turn = this.#run(
      Promise.race([taking, late]).finally(() => clearTimeout(timer)),
      work,
    );
    // What is taken too late goes back at once, and before the next turn begins.
    const returned = taking.then(() => (isLate ? this.#finish() : undefined));
    this.#last = Promise.allSettled([turn, returned]);
    return turn;
  }

  /** Asks as a part of the turn, which its commit ends, or by itself. A conflict leaves the turn open. */
  async within(link: ServerLink, question: Question): Promise<PgAnswer> {
    const isInTurn = this.#open === link;
    const answer = await link.writer.ask(question);
    if (!isInTurn || rowOf(answer).status !== 'appended') return answer;
    if (this.#open !== link) throw new Error('the turn ended before its append');
    this.#open = undefined;
    const committed = await link.writer.ask({ text: 'commit' });
    return { rows: answer.rows, isClean: answer.isClean && committed.isClean };
  }

  async #run<T>(begun: Promise<number>, work: (head: number) => Promise<T>): Promise<T> {
    const head = await begun;
    try {
      return await work(head);
    } finally {
      await this.#finish();
    }
  }

  /** Appends that come meanwhile wait: on the connection of the turn, they would be a part of it and never committed. */
  async #takeAlone(): Promise<number> {
    await this.#options.settled();
    let open = (): void => {};
    this.#gate = new Promise((resolve) => {
      open = resolve;
    });
    return await this.#take().finally(open);
  }

  async #take(): Promise<number> {
    const { app, links, confirmed, reach } = this.#options;
    for (;;) {
      const link = await links.ready();
      try {
        await link.writer.ask({ text: 'begin' });
        const { rows } = await link.writer.ask({ ...TAKE_TURN, values: [app, confirmed.end.seq] });
        const row = rowOf({ rows, isClean: true });
        confirmed.fence = Number(row.fence);
        confirmed.offer(entriesOfRows(app, rows, confirmed.formats));
        this.#open = link;
        // Nobody can append now, so this is all there is to know. What was stored before may still have to be confirmed.
        await reach(Number(row.seq));
        return Number(row.seq);
      } catch (error) {
        this.#open = undefined;
        if (!link.isOver) await link.writer.ask({ text: 'rollback' }).catch(() => {});
        if (!link.isOver) throw error;
      }
    }
  }

  /** The next question on this connection comes after the end of the turn. */
  async #finish(): Promise<void> {
    await this.#options.idle();
    const link = this.#open;
    this.#open = undefined;
    if (link !== undefined && !link.isOver) void link.writer.ask({ text: 'rollback' }).catch(() => {});
  }
}
