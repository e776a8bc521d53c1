/** Subscribers, one at each node, that hear who comes and goes, and when. */
import { LiveClient } from '../live/live-client.ts';
import { serverToken } from '../world.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';

interface Change {
  readonly id: string;
  readonly isOnline: boolean;
  readonly atMs: number;
}

export class Onlooker {
  readonly node: ClusterNode;
  readonly #client: LiveClient;
  readonly online = new Set<string>();
  /** In the order in which they came. */
  readonly changes: Change[] = [];

  /** Begins while nobody is online. */
  static async begin(cluster: Cluster, node: ClusterNode): Promise<Onlooker> {
    const client = await LiveClient.open(`${node.url.replace('http', 'ws')}/live`);
    const onlooker = new Onlooker(node, client);
    const subs = [{ sub: 'all', all: true, presence: true, snapshot: false }];
    await client.request({ op: 'connect', api_key: cluster.app, token: serverToken(), subs });
    return onlooker;
  }

  private constructor(node: ClusterNode, client: LiveClient) {
    this.node = node;
    this.#client = client;
    client.ws.on('message', (data) => this.#take(JSON.parse(data.toString())));
  }

  /** Those who went offline since then, each as often as this was said. */
  goneSince(sinceMs: number): Change[] {
    return this.changes.filter(({ isOnline, atMs }) => !isOnline && atMs >= sinceMs);
  }

  end(): void {
    this.#client.terminate();
  }

  #take({ type, user }: { readonly type?: string; readonly user?: { readonly id: string; readonly online: boolean } }): void {
    if (type !== 'user.presence.changed' || user === undefined) return;
    this.changes.push({ id: user.id, isOnline: user.online, atMs: performance.now() });
    if (user.online) this.online.add(user.id);
    else this.online.delete(user.id);
  }
}
