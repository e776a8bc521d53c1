/**
 * A connection for questions that may be asked twice: one whose answer is lost is asked again, on another connection, until its deadline. One is on
 * its way at a time, so what waits longer than that is never sent.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { LogClosed, LogEpochChanged } from '../../log.ts';
import { type PgAnswer, type Question, sqlState } from './connection.ts';
import type { ServerLinks } from './links.ts';
import { SideConnection } from './side-connection.ts';

const AGAIN_MS = 50;
/** Classes of errors that pass when the server does: connections, conflicts of transactions, shutdowns, a server that became a standby. */
const PASSING = /^(?:08|40|57|25006)/;

/** No answer came in time. What was asked may have been done, or be done later if it was sent. */
export class NoAnswer extends Error {}

export class PatientConnection {
  readonly #connection: SideConnection;
  readonly #deadlineMs: number;
  /** The end of the last question, which never rejects. */
  #last: Promise<unknown> = Promise.resolve();
  /** Of the questions under way. */
  readonly #refusals = new Set<() => void>();
  #isClosed = false;

  constructor(links: ServerLinks, purpose: string, deadlineMs: number) {
    this.#connection = new SideConnection(links, purpose);
    this.#deadlineMs = deadlineMs;
  }

  /**
   * Rejects with NoAnswer at the deadline, or with an error of the server that stays when it is asked again. A commit is asked again until its
   * answer is clean (PL3).
   */
  async ask(question: Question, isCommit = false): Promise<PgAnswer> {
    if (this.#isClosed) throw new NoAnswer('the connection is closed');
    const untilMs = performance.now() + this.#deadlineMs;
    let refuse = (): void => {};
    const late = new Promise<never>((_, reject) => {
      refuse = () => reject(new NoAnswer('no answer came in time'));
    });
    const timer = setTimeout(refuse, this.#deadlineMs);
    this.#refusals.add(refuse);
    return await Promise.race([this.#askUntil(untilMs, question, isCommit), late]).finally(() => {
      clearTimeout(timer);
      this.#refusals.delete(refuse);
    });
  }

  /** What is under way is refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const refuse of this.#refusals) refuse();
    await this.#connection.close();
  }

  async #askUntil(untilMs: number, question: Question, isCommit: boolean): Promise<PgAnswer> {
    for (;;) {
      try {
        const answer = await this.#inTurn(() => this.#send(untilMs, question));
        if (answer.isClean || !isCommit) return answer;
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      await delay(AGAIN_MS);
    }
  }

  async #send(untilMs: number, question: Question): Promise<PgAnswer> {
    const connection = await this.#connection.ready();
    if (performance.now() >= untilMs) throw new NoAnswer('it was not asked in time');
    return await connection.ask(question);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => {});
    return done;
  }
}

function isPassing(error: unknown): boolean {
  if (error instanceof NoAnswer || error instanceof LogClosed || error instanceof LogEpochChanged) return false;
  const state = sqlState(error);
  return state === undefined || PASSING.test(state);
}
