/**
 * The network connections of the server, and what is going on over them: requests in progress, and WebSockets. A stop waits for these, up to
 * a limit, and then cuts every connection: Node does not find all that are kept open, neither those with a half-made TLS handshake nor
 * WebSockets whose peers never answer.
 */
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';

/** Makes a server with the options of the edge, which attaches to it and lets it listen. */
export type MakeServer = (options: ServerOptions, handler: RequestListener) => Server;

/** A certificate chain and its private key, PEM. */
export interface TlsFiles {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Node's own server. */
export function nodeServer(tls: TlsFiles | undefined): MakeServer {
  return (options, handler) => (tls === undefined ? createServer(options, handler) : createTlsServer({ ...tls, ...options }, handler));
}

export class OpenConnections {
  /** And whether a WebSocket goes over it. */
  readonly #sockets = new Map<Duplex, boolean>();
  #active = 0;
  #webSockets = 0;
  #onIdle: () => void = () => {};

  constructor(server: Server) {
    const [sockets, ended] = [this.#sockets, this.#ended];
    const endedWebSocket = (): void => {
      this.#webSockets--;
      ended();
    };
    // One for all sockets, and once on each: idle connections pay for every listener.
    function closed(this: Duplex): void {
      if (sockets.get(this) === true) endedWebSocket();
      sockets.delete(this);
    }
    const opened = (socket: Duplex, isWebSocket: boolean): void => {
      if (!sockets.has(socket)) socket.on('close', closed);
      sockets.set(socket, isWebSocket);
    };
    server.on('connection', (socket) => opened(socket, false));
    server.on('request', (_request, response) => {
      this.#active++;
      response.on('close', ended);
    });
    // With TLS, it is another socket than the one that was connected.
    server.on('upgrade', (request, socket) => {
      if (request.headers.upgrade?.toLowerCase() !== 'websocket') return;
      this.#active++;
      this.#webSockets++;
      opened(socket, true);
    });
  }

  /** Requests in progress, long polls included. */
  get requests(): number {
    return this.#active - this.#webSockets;
  }

  readonly #ended = (): void => {
    this.#active--;
    if (this.#active === 0) this.#onIdle();
  };

  /** Resolves when no request and no WebSocket is left, or after `maxMs`. */
  async idle(maxMs: number): Promise<void> {
    if (this.#active === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, maxMs);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  cut(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }
}
