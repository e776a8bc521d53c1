/**
 * The port of an emulated application. It takes every request and upgrade, keeps those below /emulator for itself, and passes the others to
 * the daemon behind it. While the daemon is replaced, they wait.
 *
 * It keeps EM3 (README.md).
 */
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerOptions, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { originForm } from '../edge/http/request-parts.ts';
import { SOCKET_IO_PATH } from '../edge/live/admission.ts';
import { serveWithoutUpgrade } from '../edge/live/websocket/plain-request.ts';
import { ServerBehind } from './behind.ts';

/** Requests in progress have this long to end before the daemon is replaced; then they are cut. */
const LAST_REQUESTS_MS = 10_000;
/** What the edge listens for beside requests and upgrades. */
const PASSED_ON = ['clientError', 'checkExpectation', 'connect'] as const;

/** What lies between the port and the daemon. */
export interface Between {
  /** A request below /emulator. */
  control(request: IncomingMessage, response: ServerResponse): void;
  /** May answer or cut a request, or call `serve` once, now or later. */
  request(request: IncomingMessage, response: ServerResponse, serve: () => void): void;
  /** The same for a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, serve: () => void): void;
}

export class Front {
  readonly #between: Between;
  #server: Server | undefined;
  #behind: ServerBehind | undefined;
  /** Connections on which a WebSocket is, or is about to be, open. */
  readonly #live = new Set<Duplex>();
  readonly #sockets = new Set<Socket>();
  readonly #active = new Set<ServerResponse>();
  #isHeld = false;
  #held: (() => void)[] = [];
  #onIdle: () => void = () => {};

  constructor(between: Between) {
    this.#between = between;
  }

  /** Makes the server of the next daemon. */
  readonly createServer = (options: ServerOptions, handler: RequestListener): Server => {
    const behind = new ServerBehind(options, handler, (place) => this.#open(options, behind, place));
    this.#behind = behind;
    return behind;
  };

  /** Lets no request through any more until `release`. Resolves when none is in progress. */
  async hold(): Promise<void> {
    this.#isHeld = true;
    if (this.#active.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#cutActive(), LAST_REQUESTS_MS);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  release(): void {
    this.#isHeld = false;
    for (const pass of this.#held.splice(0)) pass();
  }

  /** Cuts every WebSocket as a failure of the network does. Returns their number. */
  cutLive(): number {
    const count = this.#live.size;
    for (const socket of this.#live) socket.destroy();
    return count;
  }

  /** Closes the port and every connection. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #open(options: ServerOptions, behind: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<AddressInfo> {
    if (this.#server !== undefined) return Promise.resolve(addressOf(this.#server));
    const server = createServer(options, (request, response) => this.#request(request, response));
    server.maxHeadersCount = behind.maxHeadersCount;
    server.on('upgrade', (request, socket, head) => this.#upgrade(server, request, socket, head));
    for (const event of PASSED_ON) server.on(event, (...parts: unknown[]) => this.#behind?.emit(event, ...parts));
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        this.#server = server;
        resolve(addressOf(server));
      });
    });
  }

  #request(request: IncomingMessage, response: ServerResponse): void {
    if (isControl(request.url)) {
      this.#between.control(request, response);
      return;
    }
    this.#between.request(request, response, () =>
      this.#pass(() => {
        if (response.destroyed) return;
        // A poll of Socket.IO is a live connection, which the daemon ends when it stops.
        if (request.url?.startsWith(`${SOCKET_IO_PATH}/`) !== true) this.#count(response);
        this.#behind?.emit('request', request, response);
      }),
    );
  }

  #upgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      // It comes back as a request.
      serveWithoutUpgrade(server, request, socket, head);
      return;
    }
    // A reset without a listener would end the process.
    socket.on('error', () => socket.destroy());
    this.#live.add(socket);
    socket.once('close', () => this.#live.delete(socket));
    this.#between.upgrade(request, socket, () =>
      this.#pass(() => {
        if (!socket.destroyed) this.#behind?.emit('upgrade', request, socket, head);
      }),
    );
  }

  #count(response: ServerResponse): void {
    this.#active.add(response);
    response.once('close', () => {
      this.#active.delete(response);
      if (this.#active.size === 0) this.#onIdle();
    });
  }

  #pass(serve: () => void): void {
    if (this.#isHeld) this.#held.push(serve);
    else serve();
  }

  #cutActive(): void {
    for (const response of this.#active) response.destroy();
  }
}

function isControl(target = ''): boolean {
  return /^\/emulator(\/|\?|$)/.test(originForm(target));
}

/** The server listens on TCP, so its address is an AddressInfo. */
function addressOf(server: Server): AddressInfo {
  return server.address() as AddressInfo;
}
