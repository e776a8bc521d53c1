/** Connections of a real log that answer what a test says, instead of the server. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import pg from 'pg';
import type { PgAnswer, PgConnection, PgRow, Question } from '../../../store/postgres/link/connection.ts';

export type Reply = PgAnswer | Error | ((question: Question) => PgAnswer | Promise<PgAnswer>);

/** A clean answer with these rows. */
export const answered = (...rows: readonly PgRow[]): PgAnswer => ({ rows, isClean: true });

/** The same with a warning: it is not known to be durable (PL3). */
export const warned = (...rows: readonly PgRow[]): PgAnswer => ({ rows, isClean: false });

/** An error of the server, with this SQLSTATE. */
export function serverError(code: string, message = 'refused'): Error {
  const error = new pg.DatabaseError(message, message.length, 'error');
  error.code = code;
  return error;
}

/** Answers the next questions in this order, until the test ends; one more is a mistake. The result gathers what was asked. */
export function scripted(t: TestContext, connection: PgConnection, ...replies: readonly Reply[]): Question[] {
  const asked: Question[] = [];
  const left = [...replies];
  t.mock.method(connection, 'ask', async (question: Question) => {
    asked.push(question);
    const reply = left.shift() ?? assert.fail(`nobody expects ${question.name ?? question.text}`);
    if (reply instanceof Error) throw reply;
    return typeof reply === 'function' ? await reply(question) : reply;
  });
  return asked;
}
