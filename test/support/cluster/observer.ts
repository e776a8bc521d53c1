/** A subscriber that resumes at any node of a cluster, keeps what it was sent, and notes what no subscriber may ever get. */
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../eventually.ts';
import { LiveClient } from '../live/live-client.ts';
import { serverToken } from '../world.ts';
import type { Cluster } from './cluster.ts';

/** What of an event has to be the same for everyone. */
export interface Seen {
  readonly seq: number;
  readonly type: string;
  readonly user: string;
  readonly rev: number;
  /** The mark of the write that caused it, if it left one. */
  readonly mark: string | undefined;
  /** The revision that the write required. */
  readonly from: number | undefined;
}

const AGAIN_MS = 50;
const CONNECT_MS = 6_000;

export class Observer {
  readonly seen: Seen[] = [];
  /** What must never happen. */
  readonly breaches: string[] = [];
  resumes = 0;
  /** The newest revision of each user. */
  readonly revs = new Map<string, number>();
  readonly #cluster: Cluster;
  readonly #random: () => number;
  #position: { readonly epoch: string; readonly seq: number } | undefined;
  #client: LiveClient | undefined;
  #isOver = false;
  readonly #following: Promise<void>;

  /** Begins after `from`, or with what comes next. */
  constructor(cluster: Cluster, random: () => number, from?: { readonly epoch: string; readonly seq: number }) {
    this.#cluster = cluster;
    this.#random = random;
    this.#position = from;
    this.#following = this.#follow();
  }

  /** Loses its connection, and what is on its way. */
  cut(): void {
    this.#client?.terminate();
  }

  /** Resolves when it has seen an event of that user; rejects when nothing came for `withinMs`: how much there is to read has no bound. */
  async sees(user: string, withinMs: number): Promise<void> {
    const says = (): string => `an observer is at ${this.#position?.seq}, and has not seen ${user}`;
    while (!this.revs.has(user)) {
      const at = this.#position?.seq;
      await eventually(() => this.revs.has(user) || this.#position?.seq !== at, says, withinMs);
    }
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.cut();
    await this.#following;
  }

  async #follow(): Promise<void> {
    while (!this.#isOver) {
      const { nodes } = this.#cluster;
      const node = nodes[Math.floor(this.#random() * nodes.length)];
      await this.#connection(`${node?.url.replace('http', 'ws')}/live`).catch(() => {});
      await delay(AGAIN_MS);
    }
  }

  /** One connection, until it ends. */
  async #connection(url: string): Promise<void> {
    const client = await LiveClient.open(url, { handshakeTimeout: CONNECT_MS });
    this.#client = client;
    if (this.#isOver) client.terminate();
    const resume = this.#position === undefined ? {} : { resume: this.#position };
    let isOpen = false;
    client.ws.on('message', (data) => {
      const frame = JSON.parse(data.toString());
      if (frame.type === 'connection.ok') {
        isOpen = true;
        this.#opened(frame);
      } else if (isOpen && frame.seq !== undefined && frame.user !== undefined) this.#take(frame);
    });
    client.send({
      ...{ op: 'connect', id: 'c', api_key: this.#cluster.app, token: serverToken(), ...resume },
      subs: [{ sub: 'all', all: true, snapshot: false }],
    });
    const late = setTimeout(() => isOpen || client.terminate(), CONNECT_MS);
    await client.closed;
    clearTimeout(late);
  }

  #opened({ resumed, epoch, seq }: { resumed: boolean; epoch: string; seq: number }): void {
    if (resumed) this.resumes++;
    else if (this.#position !== undefined)
      this.breaches.push(`a resume at ${this.#position.epoch}:${this.#position.seq} was refused at ${epoch}:${seq}`);
    if (!resumed) this.#position = { epoch, seq };
  }

  // biome-ignore lint/suspicious/noExplicitAny: frames have every shape
  #take({ type, seq, user }: any): void {
    const last = this.#position;
    if (last === undefined) return;
    if (seq <= last.seq) this.breaches.push(`${type} of ${user.id} at ${seq} came after ${last.seq}`);
    this.#position = { epoch: last.epoch, seq };
    this.seen.push({ seq, type, user: user.id, rev: user.rev, mark: user.custom?.mark, from: user.custom?.from });
    this.revs.set(user.id, user.rev);
  }
}
