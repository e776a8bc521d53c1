/**
 * Peers by rows and notifications. One connection says and hears everything; whenever it has to be opened anew, everything is said and read
 * anew, so a message that was lost is no harm.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { NODE_GONE_MS, type PeerNode, type Peers, type PeersOptions } from '../peers.ts';
import { type PgConnection, rowOf } from './link/connection.ts';
import type { ServerLinks } from './link/links.ts';
import { PostgresUnusable } from './link/target.ts';

const BEAT_MS = 1_000;
/** How long changes wait for others to share their message. */
const GATHER_MS = 50;
/** Of the ids in one notification, which may have 8,000 bytes. */
const MESSAGE_BYTES = 7_000;
const AGAIN_MS = 200;
/** How long a node watches for a sign of life of another one of its name. */
const NAME_MS = 3 * BEAT_MS;

const NODES = `select name, boot, version, applied, extract(epoch from clock_timestamp() - seen) * 1000 as silent_ms
  from rosterd.node where app = $1 order by name`;
const BEAT = `update rosterd.node set seen = clock_timestamp(), applied = $4 where app = $1 and name = $2 and boot = $3`;
const PRESENCE = "select coalesce(json_agg(user_id), '[]')::text as users from rosterd.presence where app = $1 and node = $2";

export interface PostgresPeersOptions {
  readonly app: string;
  readonly node: string;
  readonly version: string;
  readonly links: ServerLinks;
}

interface NodeRow extends PeerNode {
  readonly boot: string;
}

export class PostgresPeers implements Peers {
  readonly #options: PostgresPeersOptions;
  readonly #boot = randomUUID();
  readonly #channel: string;
  readonly #known = new Set<string>();
  /** What was not said yet. */
  #unsaid = new Map<string, boolean>();
  #listener: PeersOptions | undefined;
  #connection: PgConnection | undefined;
  #saying: Promise<void> | undefined;
  /** What is heard is handled in order: what comes while rows are read is newer than they are, or says the same. */
  #hearing: Promise<unknown> = Promise.resolve();
  #running: Promise<void> = Promise.resolve();
  readonly #stopping = new AbortController();
  readonly #stopped = new Promise<undefined>((resolve) => this.#stopping.signal.addEventListener('abort', () => resolve(undefined)));

  constructor(options: PostgresPeersOptions) {
    this.#options = options;
    this.#channel = `rosterd_peers_${createHash('sha256').update(options.app).digest('hex').slice(0, 32)}`;
  }

  get node(): string {
    return this.#options.node;
  }

  async start(listener: PeersOptions): Promise<void> {
    this.#listener = listener;
    await this.#checkName();
    let joined = (): void => {};
    const first = new Promise<void>((resolve) => {
      joined = resolve;
    });
    this.#running = this.#run(joined);
    await Promise.race([first, this.#running]);
  }

  say(user: string, isHere: boolean): void {
    if (this.#listener === undefined) return;
    this.#unsaid.set(user, isHere);
    this.#saying ??= this.#sayAll();
  }

  async nodes(): Promise<readonly PeerNode[]> {
    const link = await this.#options.links.ready();
    const connection = await link.side('nodes');
    return await this.#nodes(connection).finally(() => connection.close());
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#saying;
    const { app, node } = this.#options;
    await this.#connection
      ?.ask({ text: 'select rosterd.leave_nodes($1, $2, $3, $4)', values: [app, this.#channel, node, this.#boot] })
      .catch(() => {});
    await this.#connection?.close();
    await this.#running;
  }

  /** PE4. Rejects with PostgresUnusable when another living node has this name. */
  async #checkName(): Promise<void> {
    const { node, links } = this.#options;
    const link = await links.ready();
    const connection = await link.side('nodes');
    try {
      const same = async () => (await this.#nodes(connection)).find(({ name }) => name === node);
      const first = await same();
      if (first === undefined || first.silentMs > NODE_GONE_MS) return;
      await delay(NAME_MS);
      const later = await same();
      if (later === undefined || later.silentMs >= first.silentMs + NAME_MS / 2) return;
      throw new PostgresUnusable(
        link.target.name,
        `another node named "${node}" is running: give each node a name of its own (node.name), and never start one twice`,
      );
    } finally {
      await connection.close();
    }
  }

  async #run(joined: () => void): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let connection: PgConnection | undefined;
      try {
        const link = await Promise.race([this.#options.links.ready(), this.#stopped]);
        if (link === undefined) return;
        connection = await link.side('peers');
        await this.#join(connection);
        joined();
        while (!signal.aborted && !link.isOver && !connection.isLost) {
          await delay(BEAT_MS, undefined, { signal }).catch(() => {});
          await this.#beat(connection);
        }
      } catch {
        // The log says when the storage is away.
      }
      if (signal.aborted) return;
      this.#connection = undefined;
      await connection?.close();
      await delay(AGAIN_MS, undefined, { signal }).catch(() => {});
    }
  }

  async #join(connection: PgConnection): Promise<void> {
    const { app, node, version } = this.#options;
    connection.onNotification = (payload) => this.#heard(connection, payload);
    await connection.ask({ text: 'set synchronous_commit = off' });
    await connection.ask({ text: `listen ${this.#channel}` });
    // What is said from here on comes after this.
    this.#unsaid = new Map();
    this.#connection = connection;
    await connection.ask({
      text: 'select rosterd.join_nodes($1, $2, $3, $4, $5, $6, $7)',
      values: [app, this.#channel, node, this.#boot, version, this.#listener?.applied() ?? 0, [...(this.#listener?.here() ?? [])]],
    });
    const others = (await this.#nodes(connection)).filter(({ name, silentMs }) => name !== node && silentMs <= NODE_GONE_MS);
    for (const name of this.#known) if (!others.some((other) => other.name === name)) await this.#inOrder(() => this.#lost(name));
    for (const { name } of others) await this.#inOrder(() => this.#read(connection, name));
  }

  #inOrder(work: () => void | Promise<void>): Promise<void> {
    const done = this.#hearing.then(work);
    this.#hearing = done.catch(() => {});
    return done;
  }

  async #read(connection: PgConnection, name: string): Promise<void> {
    const users: unknown = JSON.parse(String(rowOf(await connection.ask({ text: PRESENCE, values: [this.#options.app, name] })).users));
    this.#known.add(name);
    this.#listener?.replaced(name, new Set(textList(users)));
  }

  #heard(connection: PgConnection, payload: string): void {
    const message: unknown = JSON.parse(payload);
    if (typeof message !== 'object' || message === null) return;
    const { joined, gone, node, arrived, left } = message as Readonly<Record<string, unknown>>;
    void this.#inOrder(async () => {
      if (typeof joined === 'string' && joined !== this.node) await this.#read(connection, joined);
      if (typeof gone === 'string' && gone !== this.node) this.#lost(gone);
      if (typeof node === 'string' && this.#known.has(node)) this.#listener?.changed(node, textList(arrived), textList(left));
      // A connection that is lost is replaced, and everything is read then.
    }).catch(() => {});
  }

  #lost(name: string): void {
    if (this.#known.delete(name)) this.#listener?.gone(name);
  }

  async #beat(connection: PgConnection): Promise<void> {
    const { app, node } = this.#options;
    await connection.ask({ name: 'rosterd-node', text: BEAT, values: [app, node, this.#boot, this.#listener?.applied() ?? 0] });
    const nodes = await this.#nodes(connection);
    // Its row went with a crash of the server, or another process took its name: everything is said anew.
    if (!nodes.some(({ name, boot }) => name === node && boot === this.#boot)) throw new Error('this node is not known any more');
    const others = nodes.filter(({ name }) => name !== node);
    for (const { name, silentMs } of others) {
      const isGone = silentMs > NODE_GONE_MS;
      if (isGone === this.#known.has(name)) await this.#inOrder(() => (isGone ? this.#lost(name) : this.#read(connection, name)));
    }
  }

  async #nodes(connection: PgConnection): Promise<NodeRow[]> {
    const { rows } = await connection.ask({ name: 'rosterd-nodes', text: NODES, values: [this.#options.app] });
    return rows.map(({ name, boot, version, applied, silent_ms }) => ({
      name: String(name),
      boot: String(boot),
      version: String(version),
      applied: Number(applied),
      silentMs: Number(silent_ms),
    }));
  }

  /** Never rejects: when the connection is lost, the next one begins by saying everything. */
  async #sayAll(): Promise<void> {
    const { app, node } = this.#options;
    while (this.#unsaid.size > 0) {
      await delay(GATHER_MS);
      const unsaid = this.#unsaid;
      this.#unsaid = new Map();
      for (const part of inMessages(unsaid)) {
        const [arrived, left] = [true, false].map((wanted) => part.flatMap(([id, isHere]) => (isHere === wanted ? [id] : [])));
        const values = [app, this.#channel, node, arrived, left];
        const question = { name: 'rosterd-presence', text: 'select rosterd.say_presence($1, $2, $3, $4, $5)', values };
        await this.#connection?.ask(question).catch(() => {});
      }
    }
    this.#saying = undefined;
  }
}

function* inMessages(changes: ReadonlyMap<string, boolean>): Generator<[string, boolean][]> {
  let part: [string, boolean][] = [];
  let bytes = 0;
  for (const change of changes) {
    bytes += change[0].length + 3;
    if (bytes > MESSAGE_BYTES) {
      yield part;
      part = [];
      bytes = change[0].length + 3;
    }
    part.push(change);
  }
  if (part.length > 0) yield part;
}

function textList(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
}
