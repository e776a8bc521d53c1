/** The mailbox by rows and notifications: each node listens on a channel of its own, and takes its rows when it hears something. */
import { createHash } from 'node:crypto';
import { type Mailbox, MESSAGE_BYTES_MAX, MESSAGE_KEPT_MS, MESSAGES_WAITING_MAX } from '../mailbox.ts';
import type { PgConnection } from './link/connection.ts';
import { KeptConnection } from './link/kept-connection.ts';
import type { ServerLinks } from './link/links.ts';

const LOOK_MS = 1_000;
/** Messages that come while others are on their way to the storage follow together, up to so many, and so many characters. */
const GROUP_MAX = 100;
const GROUP_CHARS_MAX = 256 * 1024;
/** As many as `take_messages` gives at once. */
const TAKEN_MAX = 100;
/** How often a node that sends drops what nobody took, of nodes that are gone. */
const DROP_EVERY_MS = 10_000;

const SEND = `select rosterd.send_message($1, m.channel, m.to_node, $2, m.body)
  from (select * from unnest($3::text[], $4::text[], $5::text[]) with ordinality as u(channel, to_node, body, n) order by n) m`;

interface Unsent {
  readonly to: string;
  readonly body: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export interface PostgresMailboxOptions {
  readonly app: string;
  readonly node: string;
  readonly links: ServerLinks;
}

export class PostgresMailbox implements Mailbox {
  readonly #options: PostgresMailboxOptions;
  readonly #kept: KeptConnection;
  #receive: (body: string, from: string) => void = () => {};
  #taking: Promise<void> | undefined;
  /** Something came after the taking began. */
  #hasMore = false;
  readonly #unsent: Unsent[] = [];
  #waiting = 0;
  #isSending = false;
  #droppedMs = performance.now();

  constructor(options: PostgresMailboxOptions) {
    this.#options = options;
    this.#kept = new KeptConnection({
      ...{ links: options.links, purpose: 'mail', channel: this.#channelOf(options.node), nextMs: () => LOOK_MS },
      onHeard: (connection) => this.#take(connection),
      // What was sent while nobody listened is taken at once.
      onOpen: async (connection) => this.#take(connection),
    });
  }

  get node(): string {
    return this.#options.node;
  }

  async start(receive: (body: string, from: string) => void): Promise<void> {
    this.#receive = receive;
    await this.#kept.start();
  }

  async send(to: string, body: string): Promise<void> {
    if (Buffer.byteLength(body) > MESSAGE_BYTES_MAX) throw new RangeError(`a message has at most ${MESSAGE_BYTES_MAX} bytes`);
    this.#here();
    if (this.#waiting >= MESSAGES_WAITING_MAX) throw new Error(`${MESSAGES_WAITING_MAX} messages wait for the storage already`);
    this.#waiting++;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#unsent.push({ to, body, resolve, reject });
        if (!this.#isSending) void this.#sendAll();
      });
    } finally {
      this.#waiting--;
    }
  }

  /** The connection. Throws while there is none. */
  #here(): PgConnection {
    const connection = this.#kept.current;
    if (connection === undefined || connection.isLost) throw new Error('the storage is away');
    return connection;
  }

  /** Never rejects. */
  async #sendAll(): Promise<void> {
    this.#isSending = true;
    while (this.#unsent.length > 0) {
      const group = this.#takeGroup();
      try {
        await this.#sendGroup(this.#here(), group);
        for (const { resolve } of group) resolve();
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#isSending = false;
  }

  #takeGroup(): Unsent[] {
    let chars = 0;
    let count = 0;
    for (const { body } of this.#unsent) {
      chars += body.length;
      if (count === GROUP_MAX || (count > 0 && chars > GROUP_CHARS_MAX)) break;
      count++;
    }
    return this.#unsent.splice(0, count);
  }

  async #sendGroup(connection: PgConnection, group: readonly Unsent[]): Promise<void> {
    const { app, node } = this.#options;
    const columns = [group.map(({ to }) => this.#channelOf(to)), group.map(({ to }) => to), group.map(({ body }) => body)];
    await connection.ask({ name: 'rosterd-send', text: SEND, values: [app, node, ...columns] });
    await this.#drop(connection);
  }

  async close(): Promise<void> {
    await this.#kept.close();
  }

  #channelOf(node: string): string {
    const name = JSON.stringify([this.#options.app, node]);
    return `rosterd_mail_${createHash('sha256').update(name).digest('hex').slice(0, 32)}`;
  }

  #take(connection: PgConnection): void {
    this.#hasMore = true;
    this.#taking ??= this.#takeAll(connection).finally(() => {
      this.#taking = undefined;
    });
  }

  /** Never rejects: what is not taken now waits for the next connection. */
  async #takeAll(connection: PgConnection): Promise<void> {
    const { app, node } = this.#options;
    const values = [app, node, MESSAGE_KEPT_MS];
    try {
      while (this.#hasMore) {
        this.#hasMore = false;
        const { rows } = await connection.ask({ name: 'rosterd-take', text: 'select * from rosterd.take_messages($1, $2, $3)', values });
        if (rows.length === TAKEN_MAX) this.#hasMore = true;
        for (const { body, from_node, is_fresh } of rows) if (is_fresh === true) this.#receive(String(body), String(from_node));
      }
    } catch {
      // The connection is lost.
    }
  }

  async #drop(connection: PgConnection): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#droppedMs < DROP_EVERY_MS) return;
    this.#droppedMs = nowMs;
    await connection.ask({ text: 'select rosterd.drop_messages($1, $2)', values: [this.#options.app, MESSAGE_KEPT_MS] }).catch(() => {});
  }
}
