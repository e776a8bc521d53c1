/**
 * The network connections of the server, and what is going on over them: requests in progress, and WebSockets. A stop waits for these, up to
 * a limit, and then cuts every connection: Node does not find all that are kept open, neither those with a half-made TLS handshake nor
 * WebSockets whose peers never answer.
 */
import type { EventEmitter } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export class OpenConnections {
  readonly #sockets = new Set<Socket>();
  #active = 0;
  #onIdle: () => void = () => {};

  constructor(server: Server) {
    const sockets = this.#sockets;
    // Shared by all sockets, so that a connection costs no closure.
    function closed(this: Socket): void {
      sockets.delete(this);
    }
    server.on('connection', (socket) => {
      sockets.add(socket);
      socket.once('close', closed);
    });
    server.on('request', (_request, response) => this.#began(response));
    server.on('upgrade', (request, socket) => {
      if (request.headers.upgrade?.toLowerCase() === 'websocket') this.#began(socket);
    });
  }

  #began(activity: EventEmitter): void {
    this.#active++;
    activity.once('close', this.#ended);
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
    for (const socket of this.#sockets) socket.destroy();
  }
}
