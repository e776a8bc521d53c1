/** Chat clients that come and go at any node, and what the nodes say about who is online. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { isObject } from '../../../protocol/base/json.ts';
import { LiveClient } from '../live/live-client.ts';
import { userToken } from '../world.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';

const CONNECT_MS = 6_000;
const TRIES = 5;

/** A connection of a chat user at the node, which asks again where a storage under load stored nothing; rejects when it is refused. */
export async function visit(cluster: Cluster, node: ClusterNode, id: string): Promise<LiveClient> {
  for (let refusals = 1; ; refusals++) {
    try {
      return await visitOnce(cluster, node, id);
    } catch (error) {
      if (refusals === TRIES || !isNotStored(error)) throw error;
    }
  }
}

function isNotStored(error: unknown): boolean {
  return error instanceof Error && 'body' in error && isObject(error.body) && error.body.outcome === 'not_stored';
}

async function visitOnce(cluster: Cluster, node: ClusterNode, id: string): Promise<LiveClient> {
  const client = await LiveClient.open(`${node.url.replace('http', 'ws')}/live`, { handshakeTimeout: CONNECT_MS });
  try {
    await client.request({ op: 'connect', api_key: cluster.app, token: userToken(id), user: { id } });
    return client;
  } catch (error) {
    client.terminate();
    throw error;
  }
}

export class Visitor {
  readonly id: string;
  readonly #cluster: Cluster;
  readonly #random: () => number;
  #isOver = false;
  #leave: () => void = () => {};
  readonly #visiting: Promise<void>;

  constructor(cluster: Cluster, random: () => number, id: string) {
    this.#cluster = cluster;
    this.#random = random;
    this.id = id;
    this.#visiting = this.#visits();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    this.#leave();
    await this.#visiting;
  }

  async #visits(): Promise<void> {
    while (!this.#isOver) {
      const node = this.#cluster.nodes[Math.floor(this.#random() * this.#cluster.nodes.length)];
      const client = node === undefined ? undefined : await visit(this.#cluster, node, this.id).catch(() => undefined);
      if (client !== undefined) {
        const left = new Promise<void>((resolve) => {
          this.#leave = resolve;
        });
        await Promise.race([client.closed, left, delay(this.#random() * 4_000)]);
        if (this.#random() < 0.5) client.terminate();
        else client.ws.close(1000);
      }
      await delay(this.#random() * 1_000);
    }
  }
}

/** As many as one query may name. */
const ASKED_MAX = 100;
/** A machine that takes longer for so many looks is too slow to be judged by the clock. */
const LOOKS = 3;
/** A difference is shown in so many characters. */
const SHOWN_MAX = 400;

/** Who of `ids` is online, as the node says; undefined when it does not. */
async function online(node: ClusterNode, ids: readonly string[]): Promise<readonly string[] | undefined> {
  const parts = Array.from({ length: Math.ceil(ids.length / ASKED_MAX) }, (_, n) => ids.slice(n * ASKED_MAX, (n + 1) * ASKED_MAX));
  const answers = await Promise.all(
    parts.map((part) => {
      const payload = JSON.stringify({ filter_conditions: { id: { $in: part } }, limit: part.length });
      return node.call('GET', `/users?payload=${encodeURIComponent(payload)}`);
    }),
  );
  if (answers.some(({ status }) => status !== 200)) return undefined;
  const users: readonly { id: string; online: boolean }[] = answers.flatMap(({ body }) => body.users);
  return users.filter((user) => user.online).map(({ id }) => id);
}

/** How what a node says differs from what is right; empty when it does not. */
function difference(said: readonly string[] | undefined, right: ReadonlySet<string>): string {
  if (said === undefined) return 'no answer';
  const saidToo = new Set(said);
  const missing = [...right].filter((id) => !saidToo.has(id));
  const extra = said.filter((id) => !right.has(id));
  const list = (ids: readonly string[]): string => `${ids.length} (${ids.join().slice(0, SHOWN_MAX)})`;
  return missing.length + extra.length === 0 ? '' : `offline, and should be online: ${list(missing)}; the other way: ${list(extra)}`;
}

/** Resolves with the time, in milliseconds, until all of `nodes` say that of `ids` exactly `wanted` are online. */
export async function agree(
  nodes: readonly ClusterNode[],
  ids: readonly string[],
  wanted: readonly string[],
  withinMs: number,
): Promise<number> {
  const started = performance.now();
  const right = new Set(wanted);
  for (;;) {
    const lookedMs = performance.now();
    const said = await Promise.all(nodes.map((node) => online(node, ids)));
    const ms = performance.now() - started;
    const boundMs = Math.max(withinMs, LOOKS * (started + ms - lookedMs));
    const wrong = said.flatMap((one, n) => {
      const text = difference(one, right);
      return text === '' ? [] : [`${nodes[n]?.name}: ${text}`];
    });
    if (wrong.length === 0) return ms;
    assert.ok(ms < boundMs, `after ${Math.round(ms)} of ${Math.round(boundMs)} ms: ${wrong.join('\n')}`);
    await delay(20);
  }
}
