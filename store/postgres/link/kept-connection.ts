/**
 * A connection that listens and is kept: opened anew whenever it or its link is lost, until it is closed. What came meanwhile was not heard, so
 * whoever has it begins anew each time.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { PgConnection } from './connection.ts';
import type { ServerLinks } from './links.ts';

const AGAIN_MS = 200;

export interface KeptConnectionOptions {
  readonly links: ServerLinks;
  readonly purpose: string;
  readonly channel: string;
  readonly onHeard: (connection: PgConnection, payload: string) => void;
  /**
   * It listens. From this call on it is `current`, so what is asked first here comes before what anybody else asks. Rejecting gives it up, and
   * another one is opened.
   */
  readonly onOpen: (connection: PgConnection) => Promise<void>;
  /** The time until it is looked after again. Asked for each time. */
  readonly nextMs: () => number;
  /** Rejecting gives it up, and another one is opened. */
  readonly onLook?: (connection: PgConnection) => Promise<void>;
}

export class KeptConnection {
  readonly #options: KeptConnectionOptions;
  readonly #stopping = new AbortController();
  readonly #stopped = new Promise<undefined>((resolve) => this.#stopping.signal.addEventListener('abort', () => resolve(undefined)));
  #current: PgConnection | undefined;
  #running: Promise<void> = Promise.resolve();

  constructor(options: KeptConnectionOptions) {
    this.#options = options;
  }

  /** The one to use; undefined while there is none. It may be lost already. */
  get current(): PgConnection | undefined {
    return this.#current;
  }

  /** Resolves when `onOpen` has ended for the first time, or this was closed. */
  async start(): Promise<void> {
    let opened = (): void => {};
    const first = new Promise<void>((resolve) => {
      opened = resolve;
    });
    this.#running = this.#run(opened);
    await Promise.race([first, this.#running]);
  }

  /** `last` is asked before, of the one that is there; its failure does no harm. */
  async close(last: (connection: PgConnection) => Promise<unknown> = async () => {}): Promise<void> {
    this.#stopping.abort();
    const current = this.#current;
    if (current !== undefined) await last(current).catch(() => {});
    await current?.close();
    await this.#running;
  }

  async #run(opened: () => void): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let connection: PgConnection | undefined;
      try {
        const link = await Promise.race([this.#options.links.ready(), this.#stopped]);
        if (link === undefined) return;
        connection = await link.side(this.#options.purpose);
        await this.#open(connection);
        opened();
        while (!signal.aborted && !link.isOver && !connection.isLost) await this.#look(connection);
      } catch {
        // The log says when the storage is away.
      }
      // The one in use is left to `close`, which still asks something of it.
      if (signal.aborted && connection === this.#current) return;
      this.#current = undefined;
      await connection?.close();
      await delay(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #open(connection: PgConnection): Promise<void> {
    const { channel, onHeard, onOpen } = this.#options;
    connection.onNotification = (payload) => onHeard(connection, payload);
    await connection.ask({ text: 'set synchronous_commit = off' });
    await connection.ask({ text: `listen ${channel}` });
    if (this.#stopping.signal.aborted) throw new Error('it was closed meanwhile');
    this.#current = connection;
    await onOpen(connection);
  }

  async #look(connection: PgConnection): Promise<void> {
    const { nextMs, onLook } = this.#options;
    const { signal } = this.#stopping;
    await delay(nextMs(), undefined, { signal }).catch(() => {});
    if (!signal.aborted) await onLook?.(connection);
  }
}
