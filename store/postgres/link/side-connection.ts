/**
 * A connection of its own for one kind of work beside the log. It is opened when it is needed, and again after it was lost. It is always one to
 * the server that the log uses: an old primary may still answer.
 */
import { LogClosed } from '../../log.ts';
import type { PgAnswer, PgConnection, Question } from './connection.ts';
import type { ServerLink } from './link.ts';
import type { ServerLinks } from './links.ts';

interface Opened {
  readonly link: ServerLink;
  readonly connection: PgConnection;
}

export class SideConnection {
  readonly #links: ServerLinks;
  readonly #purpose: string;
  #opened: Promise<Opened> | undefined;
  #isClosed = false;

  constructor(links: ServerLinks, purpose: string) {
    this.#links = links;
    this.#purpose = purpose;
  }

  /** Waits for a server. Rejects when the connection is lost, and when the log is closed or its history was replaced. */
  async ask(question: Question): Promise<PgAnswer> {
    return await (await this.ready()).ask(question);
  }

  /** What is under way is refused. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const opened = this.#opened;
    this.#opened = undefined;
    const closing = opened?.then(
      ({ connection }) => connection.close(),
      () => {},
    );
    // Without a server there is none to wait for, perhaps for ever.
    if (this.#links.current !== undefined) await closing;
  }

  /** The connection, as soon as there is one. Rejects as `ask`. */
  async ready(): Promise<PgConnection> {
    for (;;) {
      if (this.#isClosed) throw new LogClosed();
      this.#opened ??= this.#open();
      const opened = this.#opened;
      try {
        const { link, connection } = await opened;
        if (!link.isOver && !connection.isLost) return connection;
        await connection.close();
        if (this.#opened === opened) this.#opened = undefined;
      } catch (error) {
        if (this.#opened === opened) this.#opened = undefined;
        throw error;
      }
    }
  }

  async #open(): Promise<Opened> {
    const link = await this.#links.ready();
    return { link, connection: await link.side(this.#purpose) };
  }
}
