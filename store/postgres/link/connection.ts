/**
 * One connection to PostgreSQL, with the settings on which the promises of the store rest:
 * nothing cancels a commit that waits for its standby (PL3), and a commit is never acknowledged before it is durable.
 */
import type pg from 'pg';
import type { PostgresTarget } from './target.ts';

/** A connection that takes longer is given up, and so is one whose first questions do. */
const CONNECT_MS = 5_000;
/** How long a goodbye may take; then the socket is closed without one. */
const CLOSE_MS = 1_000;

/** Their numbers among PostgreSQL's types: bool, int8, int2, int4. */
const PARSERS: ReadonlyMap<number, (text: string) => unknown> = new Map<number, (text: string) => unknown>([
  [16, (text) => text === 't'],
  [20, Number],
  [21, Number],
  [23, Number],
]);

/**
 * Whatever the role or the database say. A role that asks for `remote_apply` keeps it: it promises more. A turn that its process no longer
 * works on ends by itself. Settings that a version does not have are left out.
 */
const SETTINGS = `
  select set_config(name, case name
    when 'synchronous_commit' then case setting when 'remote_apply' then 'remote_apply' else 'on' end
    when 'default_transaction_isolation' then 'read committed'
    when 'client_min_messages' then 'warning'
    when 'idle_in_transaction_session_timeout' then $1
    else '0' end, false)
  from pg_settings
  where name in ('synchronous_commit', 'default_transaction_isolation', 'client_min_messages', 'idle_in_transaction_session_timeout',
    'statement_timeout', 'lock_timeout', 'idle_session_timeout', 'transaction_timeout')`;

/** Loaded with the first connection: a daemon on a journal needs none. */
let driver: typeof pg | undefined;

export type PgRow = Readonly<Record<string, unknown>>;

export interface PgAnswer {
  readonly rows: readonly PgRow[];
  /** No warning came with the answer. A warning about a commit means that it is not known to be durable (PL3). */
  readonly isClean: boolean;
}

export interface Question {
  /** Prepared once per connection under this name. */
  readonly name?: string;
  readonly text: string;
  readonly values?: readonly unknown[];
}

function clientConfig(target: PostgresTarget, purpose: string): pg.ClientConfig {
  return {
    connectionString: target.url,
    application_name: `rosterd-${purpose}`,
    connectionTimeoutMillis: CONNECT_MS,
    keepAlive: true,
    types: { getTypeParser: (type: number) => PARSERS.get(type) ?? ((text: string) => text) },
  };
}

export class PgConnection {
  readonly #client: pg.Client;
  #warnings = 0;
  /** The end of the last question, which never rejects. */
  #last: Promise<unknown> = Promise.resolve();
  #lost: Error | undefined;
  #onLost: (error: Error) => void = () => {};
  #onNotification: (payload: string) => void = () => {};

  /**
   * Rejects with the error of the driver. `turnMs`: how long a transaction may be idle. `greet`: the first questions on it, which must be
   * answered soon: nothing watches over the connection before its owner has it, and a server that falls silent would be waited for without an
   * end.
   */
  static async open(
    target: PostgresTarget,
    purpose: string,
    turnMs = 0,
    greet: (connection: PgConnection) => Promise<void> = async () => {},
  ): Promise<PgConnection> {
    driver ??= (await import('pg')).default;
    const connection = new PgConnection(new driver.Client(clientConfig(target, purpose)));
    const late = setTimeout(() => void connection.close(), CONNECT_MS);
    try {
      await connection.#client.connect();
      await connection.ask({ text: SETTINGS, values: [String(turnMs)] });
      await greet(connection);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  private constructor(client: pg.Client) {
    this.#client = client;
    this.#client.on('notice', () => {
      this.#warnings++;
    });
    this.#client.on('error', (error) => this.#end(error));
    this.#client.on('end', () => this.#end(new Error('the connection was closed')));
    this.#client.on('notification', ({ payload }) => this.#onNotification(payload ?? ''));
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Called once, also when the connection is lost already. */
  set onLost(listener: (error: Error) => void) {
    this.#onLost = listener;
    if (this.#lost !== undefined) listener(this.#lost);
  }

  set onNotification(listener: (payload: string) => void) {
    this.#onNotification = listener;
  }

  /** Questions are answered in order; one is on its way at a time (PL13). */
  ask(question: Question): Promise<PgAnswer> {
    const answer = this.#last.then(() => this.#send(question));
    this.#last = answer.catch(() => {});
    return answer;
  }

  async #send(question: Question): Promise<PgAnswer> {
    const before = this.#warnings;
    const { rows } = await this.#client.query({ ...question, values: [...(question.values ?? [])] });
    return { rows, isClean: this.#warnings === before };
  }

  /** The process number that the protocol announced; a pooler announces one of its own. */
  get announcedPid(): unknown {
    return Reflect.get(this.#client, 'processID');
  }

  /** Never rejects. A question without an answer is given up. */
  async close(): Promise<void> {
    const ending = this.#client.end().catch(() => {});
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, CLOSE_MS);
    });
    await Promise.race([ending, late]).finally(() => clearTimeout(timer));
    this.#client.connection.stream.destroy();
    this.#end(new Error('the connection was closed'));
  }

  #end(error: Error): void {
    if (this.#lost !== undefined) return;
    this.#lost = error;
    this.#onLost(error);
  }
}

/** The first row of an answer that always has one. */
export function rowOf({ rows }: PgAnswer): PgRow {
  const row = rows[0];
  if (row === undefined) throw new Error('the answer has no row');
  return row;
}

/** The SQLSTATE of an error that the server sent; undefined for every other error. */
export function sqlState(error: unknown): string | undefined {
  return driver !== undefined && error instanceof driver.DatabaseError ? error.code : undefined;
}
