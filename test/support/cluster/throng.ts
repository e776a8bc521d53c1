/** Users who come and go at all nodes, each with several sockets, and who of them must be online by what they did. */
import type { LiveClient } from '../live/live-client.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';
import { visit } from './visitors.ts';

/** Of one user at the same time. */
const SOCKETS_MAX = 3;
/** Users that come or go at the same moment. */
const AT_ONCE = 32;

interface Place {
  readonly node: ClusterNode;
  readonly client: LiveClient;
}

export class Throng {
  readonly ids: readonly string[];
  readonly #cluster: Cluster;
  readonly #random: () => number;
  readonly #places = new Map<string, Place[]>();
  /** When the last socket of those who have none was closed. */
  readonly #leftMs = new Map<string, number>();

  constructor(cluster: Cluster, random: () => number, users: number) {
    this.#cluster = cluster;
    this.#random = random;
    this.ids = Array.from({ length: users }, (_, n) => `throng-${n}`);
  }

  get sockets(): number {
    return [...this.#places.values()].reduce((sum, places) => sum + places.length, 0);
  }

  /** Those who have a socket at one of the nodes. */
  at(nodes: readonly ClusterNode[]): string[] {
    return this.ids.filter((id) => this.#placesOf(id).some(({ node }) => nodes.includes(node)));
  }

  /** Those who have a socket, or have had none for `ms` and longer. */
  settled(ms: number): string[] {
    const nowMs = performance.now();
    return this.ids.filter((id) => this.#placesOf(id).length > 0 || nowMs - (this.#leftMs.get(id) ?? Number.NEGATIVE_INFINITY) >= ms);
  }

  /** So many comings and goings at random, of many users at the same time. Resolves when all are answered. */
  async stir(steps: number): Promise<void> {
    let left = steps;
    const goers = Array.from({ length: AT_ONCE }, async (_, goer) => {
      const own = this.ids.filter((_, n) => n % AT_ONCE === goer);
      while (own.length > 0 && left-- > 0) await this.#step(own[Math.floor(this.#random() * own.length)] ?? '');
    });
    await Promise.all(goers);
  }

  /** A socket for the user at one of these nodes. */
  async come(id: string, nodes: readonly ClusterNode[] = this.#cluster.nodes): Promise<void> {
    const node = nodes[Math.floor(this.#random() * nodes.length)];
    if (node === undefined) throw new Error('there is no node to come to');
    const place = { node, client: await visit(this.#cluster, node, id) };
    this.#places.set(id, [...this.#placesOf(id), place]);
  }

  /** The node is killed: its sockets are no more. */
  async lose(node: ClusterNode): Promise<void> {
    await node.end('SIGKILL');
    for (const id of this.at([node])) {
      this.#keep(
        id,
        this.#placesOf(id).filter((place) => place.node !== node),
      );
    }
  }

  async end(): Promise<void> {
    await Promise.all(this.ids.map((id) => Promise.all(this.#placesOf(id).map((place) => this.#go(id, place)))));
  }

  async #step(id: string): Promise<void> {
    const places = this.#placesOf(id);
    const place = places[Math.floor(this.#random() * places.length)];
    if (place === undefined || (places.length < SOCKETS_MAX && this.#random() < 0.5)) await this.come(id);
    else await this.#go(id, place);
  }

  /** With a goodbye or without. */
  async #go(id: string, place: Place): Promise<void> {
    if (this.#random() < 0.5) place.client.terminate();
    else place.client.ws.close(1000);
    await place.client.closed;
    this.#keep(
      id,
      this.#placesOf(id).filter((other) => other !== place),
    );
  }

  #placesOf(id: string): readonly Place[] {
    return this.#places.get(id) ?? [];
  }

  #keep(id: string, places: Place[]): void {
    this.#places.set(id, places);
    if (places.length === 0) this.#leftMs.set(id, performance.now());
  }
}
