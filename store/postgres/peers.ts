/**
 * Peers by rows and notifications. One connection says and hears everything; whenever it has to be opened anew, everything is said and read
 * anew, so a message that was lost is no harm.
 */
import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { parseObject } from '../../protocol/base/json.ts';
import type { OnStoreEvent } from '../events.ts';
import { NODE_FORGOTTEN_MS, NODE_GONE_MS, type PeerNode, type Peers, type PeersOptions } from '../peers.ts';
import { type PgConnection, rowOf } from './link/connection.ts';
import { KeptConnection } from './link/kept-connection.ts';
import type { ServerLinks } from './link/links.ts';
import { PostgresUnusable } from './link/target.ts';
import { ENTRY_FORMATS, type EntryFormats, raisedFormat } from './log/formats.ts';
import { differingSettings, settingsFromText, settingsText } from './node-settings.ts';

const BEAT_MS = 1_000;
/** How long changes wait for others to share their message. */
const GATHER_MS = 50;
/** Of the ids in one notification, which may have 8,000 bytes. */
const MESSAGE_BYTES = 7_000;
/** How often a node looks for others to forget. */
const FORGET_EVERY_MS = 60_000;
/** How long a node watches for a sign of life of another one of its name. */
const NAME_MS = 3 * BEAT_MS;

const NODES = `select name, boot, version, applied, config_mac, extract(epoch from clock_timestamp() - seen) * 1000 as silent_ms
  from rosterd.node where app = $1 order by name`;
const BEAT = `update rosterd.node set seen = clock_timestamp(), applied = $4 where app = $1 and name = $2 and boot = $3`;
/** Where several nodes do so at once, each leaves out the rows that another one has locked. */
const FORGET = `with gone as (delete from rosterd.node where (app, name) in (
    select app, name from rosterd.node where app = $1 and seen < clock_timestamp() - $2 * interval '1 ms' for update skip locked) returning name)
  delete from rosterd.presence where app = $1 and node in (select name from gone)`;
const PRESENCE = "select coalesce(json_agg(user_id), '[]')::text as users from rosterd.presence where app = $1 and node = $2";

export interface PostgresPeersOptions {
  readonly app: string;
  readonly node: string;
  readonly version: string;
  readonly links: ServerLinks;
  /** PE5. */
  readonly settings?: ReadonlyMap<string, string>;
  readonly onEvent?: OnStoreEvent;
  /** The formats of entries that this version reads. Default: those of this version. */
  readonly formats?: EntryFormats;
}

interface NodeRow extends PeerNode {
  readonly boot: string;
  readonly settings: ReadonlyMap<string, string>;
}

export class PostgresPeers implements Peers {
  readonly #options: PostgresPeersOptions;
  readonly #boot = randomUUID();
  readonly #channel: string;
  readonly #known = new Set<string>();
  /** PE5: what was reported of each living node, by its name. */
  readonly #reported = new Map<string, string>();
  /** PL11: whether the newest format that this node reads is written. Nothing is asked where it reads only one. */
  #isRaised: boolean;
  /** What was not said yet. */
  #unsaid = new Map<string, boolean>();
  #forgotMs = Number.NEGATIVE_INFINITY;
  /** Until the next beat. */
  #nextMs = BEAT_MS;
  #listener: PeersOptions | undefined;
  readonly #kept: KeptConnection;
  #saying: Promise<void> | undefined;
  /** What is heard is handled in order: what comes while rows are read is newer than they are, or says the same. */
  #hearing: Promise<unknown> = Promise.resolve();

  constructor(options: PostgresPeersOptions) {
    this.#options = options;
    const { oldest, newest } = options.formats ?? ENTRY_FORMATS;
    this.#isRaised = oldest === newest;
    this.#channel = `rosterd_peers_${createHash('sha256').update(options.app).digest('hex').slice(0, 32)}`;
    this.#kept = new KeptConnection({
      ...{ links: options.links, purpose: 'peers', channel: this.#channel, nextMs: () => this.#nextMs },
      onHeard: (connection, payload) => this.#heard(connection, payload),
      onOpen: (connection) => this.#join(connection),
      onLook: (connection) => this.#beat(connection),
    });
  }

  get node(): string {
    return this.#options.node;
  }

  async start(listener: PeersOptions): Promise<void> {
    this.#listener = listener;
    await this.#checkName();
    await this.#kept.start();
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
    await this.#saying;
    const { app, node } = this.#options;
    const leave = { text: 'select rosterd.leave_nodes($1, $2, $3, $4)', values: [app, this.#channel, node, this.#boot] };
    await this.#kept.close((connection) => connection.ask(leave));
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

  async #join(connection: PgConnection): Promise<void> {
    const { app, node, version, settings = new Map(), formats = ENTRY_FORMATS } = this.#options;
    // What is said from here on comes after this.
    this.#unsaid = new Map();
    await connection.ask({
      text: 'select rosterd.join_nodes($1, $2, $3, $4, $5, $6, $7, $8, $9)',
      values: [
        ...[app, this.#channel, node, this.#boot, version, this.#listener?.applied() ?? 0, [...(this.#listener?.here() ?? [])]],
        ...[settingsText(settings), formats.newest],
      ],
    });
    await this.#follow(connection, await this.#nodes(connection), 'all');
  }

  /**
   * Reads what others say that are there, all of them or only those that are new here, and loses those that are not. A row says it, not what
   * was heard: the word that a node is gone may be handled while rows of before it are on their way.
   */
  async #follow(connection: PgConnection, nodes: readonly NodeRow[], which: 'all' | 'new'): Promise<void> {
    const here = new Set(nodes.filter(({ name, silentMs }) => name !== this.node && silentMs <= NODE_GONE_MS).map(({ name }) => name));
    const lost = [...this.#known].filter((name) => !here.has(name));
    for (const name of lost) await this.#inOrder(() => this.#lost(name));
    for (const name of here) if (which === 'all' || !this.#known.has(name)) await this.#inOrder(() => this.#read(connection, name));
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
    // Every role of the database may say anything here.
    const { joined, gone, node, arrived, left } = parseObject(payload) ?? {};
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
    await this.#forget(connection);
    await connection.ask({ name: 'rosterd-node', text: BEAT, values: [app, node, this.#boot, this.#listener?.applied() ?? 0] });
    const nodes = await this.#nodes(connection);
    // Its row went with a crash of the server, or another process took its name: everything is said anew.
    if (!nodes.some(({ name, boot }) => name === node && boot === this.#boot)) throw new Error('this node is not known any more');
    const others = nodes.filter(({ name }) => name !== node);
    this.#compare(others);
    if (!this.#isRaised) this.#isRaised = await raisedFormat(connection, app, this.#options.formats ?? ENTRY_FORMATS);
    // PE3: the time of a silent node ends at the same moment for all others, whenever their beats are.
    this.#nextMs = Math.min(BEAT_MS, ...others.map(({ silentMs }) => NODE_GONE_MS + 1 - silentMs).filter((leftMs) => leftMs > 0));
    await this.#follow(connection, nodes, 'new');
  }

  /** PE6. */
  async #forget(connection: PgConnection): Promise<void> {
    const nowMs = performance.now();
    if (nowMs - this.#forgotMs < FORGET_EVERY_MS) return;
    this.#forgotMs = nowMs;
    await connection.ask({ text: FORGET, values: [this.#options.app, NODE_FORGOTTEN_MS] });
  }

  /** PE5. Once for each start of the other node. */
  #compare(others: readonly NodeRow[]): void {
    for (const name of this.#reported.keys()) if (!others.some((other) => other.name === name)) this.#reported.delete(name);
    const { settings: mine = new Map(), onEvent } = this.#options;
    for (const { name, boot, silentMs, settings } of others) {
      if (silentMs > NODE_GONE_MS || this.#reported.get(name) === boot) continue;
      this.#reported.set(name, boot);
      const names = differingSettings([mine, settings]);
      if (names.length > 0) onEvent?.({ type: 'settings-differ', node: name, settings: names });
    }
  }

  async #nodes(connection: PgConnection): Promise<NodeRow[]> {
    const { rows } = await connection.ask({ name: 'rosterd-nodes', text: NODES, values: [this.#options.app] });
    return rows.map(({ name, boot, version, applied, silent_ms, config_mac }) => ({
      name: String(name),
      boot: String(boot),
      version: String(version),
      applied: Number(applied),
      silentMs: Number(silent_ms),
      settings: settingsFromText(String(config_mac)),
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
        await this.#kept.current?.ask(question).catch(() => {});
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
