/**
 * Hands each request on to the next node that is ready, as a load balancer that looks at /readyz does. A request that could not be handed over, or
 * was refused with 503, goes to another node (nginx: `proxy_next_upstream error http_503 non_idempotent`).
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { ClusterNode } from './node.ts';

const LOOK_MS = 50;

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export class Balancer {
  readonly #server: Server;
  readonly #nodes: readonly ClusterNode[];
  readonly #sockets = new Set<Socket>();
  readonly #ready = new Set<ClusterNode>();
  /** Requests that went to another node. */
  moved = 0;
  #turn = 0;
  #isOver = false;
  readonly #looking: Promise<unknown>;

  static async open(nodes: readonly ClusterNode[]): Promise<Balancer> {
    const balancer = new Balancer(nodes);
    await new Promise<void>((resolve) => balancer.#server.listen(0, '127.0.0.1', resolve));
    return balancer;
  }

  private constructor(nodes: readonly ClusterNode[]) {
    this.#nodes = nodes;
    this.#server = createServer((asked, answer) => void this.#answer(asked, answer));
    this.#server.on('upgrade', (asked, client: Socket, head) => this.#tunnel(asked, client, head));
    this.#looking = Promise.all(nodes.map((node) => this.#look(node)));
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  async close(): Promise<void> {
    this.#isOver = true;
    for (const socket of this.#sockets) socket.destroy();
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    await this.#looking;
  }

  async #look(node: ClusterNode): Promise<void> {
    while (!this.#isOver) {
      const { status } = await node.call('GET', '/readyz');
      if (status === 200) this.#ready.add(node);
      else this.#ready.delete(node);
      await delay(LOOK_MS);
    }
  }

  /** Every node once, the ready ones first. */
  #order(): readonly ClusterNode[] {
    const from = this.#turn++ % this.#nodes.length;
    const inTurn = [...this.#nodes.slice(from), ...this.#nodes.slice(0, from)];
    return [...inTurn.filter((node) => this.#ready.has(node)), ...inTurn.filter((node) => !this.#ready.has(node))];
  }

  async #answer(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of asked) chunks.push(chunk);
    let last: Answer = { status: 502, headers: {}, body: Buffer.from('{}') };
    for (const node of this.#order()) {
      try {
        last = await handOn(node, asked, Buffer.concat(chunks));
      } catch (error) {
        // A request that a node has begun is not sent again.
        if (!(error instanceof Error) || !('code' in error) || error.code !== 'ECONNREFUSED') break;
        continue;
      }
      if (last.status !== 503) break;
      this.moved++;
    }
    answer.writeHead(last.status, { ...last.headers, connection: 'keep-alive' }).end(last.body);
  }

  #tunnel(asked: IncomingMessage, client: Socket, head: Buffer): void {
    const [node] = this.#order();
    if (node === undefined) return void client.destroy();
    const server = connect({ port: Number(new URL(node.url).port), host: '127.0.0.1' });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        this.#sockets.delete(socket);
        other.destroySoon();
      });
    }
    const headers = asked.rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${asked.rawHeaders[at + 1]}\r\n`] : []));
    server.write(`${asked.method} ${asked.url} HTTP/1.1\r\n${headers.join('')}\r\n`);
    server.write(head);
    client.pipe(server).pipe(client);
  }
}

/** Rejects when no whole answer comes. */
function handOn(node: ClusterNode, { method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(`${node.url}${url}`, { method, headers: { ...headers, connection: 'close' }, agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) }));
    });
    asked.on('error', reject);
    asked.end(body);
  });
}
