/**
 * A network between one node and one server that loses nothing on its own: what is held on its way arrives when it can pass again, even
 * after the sender has given up, as with TCP.
 */
import { connect, createServer, type Server, type Socket } from 'node:net';

type Way = 'there' | 'back';

interface Pipe {
  readonly client: Socket;
  readonly server: Socket;
  readonly held: Set<Way>;
}

export class Wire {
  readonly #server: Server;
  readonly #to: number;
  readonly #pipes = new Set<Pipe>();
  readonly #held = new Set<Way>();
  #isCut = false;

  static async open(to: number): Promise<Wire> {
    const wire = new Wire(to);
    await new Promise<void>((resolve) => wire.#server.listen(0, '127.0.0.1', resolve));
    return wire;
  }

  private constructor(to: number) {
    this.#to = to;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#serve(client));
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Every connection breaks, and new ones are refused. */
  cut(): void {
    this.#isCut = true;
    for (const { client, server } of this.#pipes) for (const socket of [client, server]) socket.destroy();
  }

  /** Nothing passes that way, and nobody is told. A new connection passes if only those that exist are to be held. */
  hold(way: Way, which: 'all' | 'existing' = 'all'): void {
    if (which === 'all') this.#held.add(way);
    for (const pipe of this.#pipes) {
      pipe.held.add(way);
      flow(pipe);
    }
  }

  /** What was held arrives. */
  heal(): void {
    this.#isCut = false;
    this.#held.clear();
    for (const pipe of this.#pipes) {
      pipe.held.clear();
      flow(pipe);
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    if (this.#isCut) return void client.destroy();
    const server = connect({ port: this.#to, host: '127.0.0.1', allowHalfOpen: true });
    const pipe = { client, server, held: new Set(this.#held) };
    this.#pipes.add(pipe);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.on('data', (chunk: Buffer) => void to.write(chunk));
      // The end comes after what was sent before it.
      from.on('end', () => void to.end());
      from.on('error', () => to.destroy());
      from.on('close', () => {
        if (client.destroyed && server.destroyed) this.#pipes.delete(pipe);
      });
    }
    flow(pipe);
  }
}

function flow({ client, server, held }: Pipe): void {
  for (const [socket, way] of [
    [client, 'there'],
    [server, 'back'],
  ] as const) {
    if (held.has(way)) socket.pause();
    else socket.resume();
  }
}
