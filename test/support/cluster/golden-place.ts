/** Three nodes behind one address, as a client knows them that reads what it wrote wherever it asks. */
import type { TestContext } from 'node:test';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import type { Position } from '../../../protocol/base/position.ts';
import { positionOf, positionText } from '../../../protocol/base/position-text.ts';
import { eventually } from '../eventually.ts';
import type { GoldenFile, GoldenPlace } from '../http/golden.ts';
import type { AnswerHeaders } from '../http/request.ts';
import { LiveClient } from '../live/live-client.ts';
import { NODE_HEADER, startRoundRobin } from '../nodes/haproxy.ts';
import { API_KEY } from '../world.ts';
import { positionOf as positionAt } from './checks.ts';
import type { Cluster } from './cluster.ts';
import { LEASES } from './golden-alike.ts';
import type { ClusterNode } from './node.ts';

/** Paths of reads that are asked by POST. */
const READS = /\/(flag_count|query)$/;
const POSITION = 'x-rosterd-position';

export class ClusterPlace implements GoldenPlace {
  readonly daemon: { readonly url: string };
  readonly #clients: LiveClient[] = [];
  /** The position of the last own write. Reads name it, as those of the client library do. */
  #written: Position | undefined;
  /** How many requests each node answered. */
  readonly answered = new Map<string, number>();

  /** New nodes on the servers of `ground`, with the settings of the story. */
  static async open(t: TestContext, ground: Cluster, { flags = {} }: GoldenFile): Promise<ClusterPlace> {
    const listen = `127.0.0.1:${await freePort()}`;
    const settings = { 'public-url': `http://${listen}`, 'rate-limits': 'clients', 'drain-ms': '0', ...flags };
    const { nodes } = await ground.beside(t, { nodes: 3, app: API_KEY, flags: settings });
    await Promise.all(nodes.map((node) => node.ready()));
    await Promise.all(nodes.map((node) => begun(node)));
    await startRoundRobin(
      t,
      listen,
      nodes.map(({ url }) => url),
    );
    const place = new ClusterPlace(listen);
    t.after(() => {
      for (const client of place.#clients) client.terminate();
    });
    return place;
  }

  private constructor(listen: string) {
    this.daemon = { url: `http://${listen}` };
  }

  async open(): Promise<LiveClient> {
    const client = await LiveClient.open(`${this.daemon.url.replace('http', 'ws')}/live`);
    this.#clients.push(client);
    return client;
  }

  headersFor(method: string, path: string): Readonly<Record<string, string>> {
    const isRead = method === 'GET' || (method === 'POST' && READS.test(path));
    return !isRead || this.#written === undefined ? {} : { [POSITION]: positionText(this.#written) };
  }

  onAnswer(method: string, headers: AnswerHeaders): void {
    const node = headers.get(NODE_HEADER) ?? 'no node';
    this.answered.set(node, (this.answered.get(node) ?? 0) + 1);
    const position = method === 'GET' ? undefined : positionOf(headers.get(POSITION) ?? '');
    if (position !== undefined && position.seq > (this.#written?.seq ?? 0)) this.#written = position;
  }
}

/** Resolves when the node knows all leases: from then on, the log holds what the story writes. */
async function begun(node: ClusterNode): Promise<void> {
  await eventually(async () => (await positionAt(node)).seq >= LEASES, `${node.name}: the jobs have no holders`);
}
