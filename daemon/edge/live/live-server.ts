/**
 * Takes WebSocket upgrades: `/live` (roster.v1) and `/connect`. Checks origin
 * and connection limits before the handshake, reads frames one at a time, and
 * hands them to the session.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Compile } from 'typebox/compile';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { CLIENT_FRAMES, type ClientFrame, LIVE_SUBPROTOCOL } from '../../../protocol/frames.ts';
import { isObject } from '../../../protocol/json.ts';
import { LIMITS } from '../../../protocol/limits.ts';
import { isAllowedOrigin } from '../origins.ts';
import { ChatSession } from './chat-session.ts';
import type { LiveContext } from './live-context.ts';
import { RosterSession } from './live-session.ts';
import { SocketOutlet } from './socket-outlet.ts';

export interface LiveServerOptions {
  readonly context: LiveContext;
  readonly origins: readonly string[];
  readonly connectionsMax: number;
  readonly connectionsPerIpMax: number;
  /** A peer that takes nothing for so long while bytes wait for it is closed as slow. */
  readonly stallMs: number;
}

const CHECKS = {
  connect: Compile(CLIENT_FRAMES.connect),
  sub: Compile(CLIENT_FRAMES.sub),
  page: Compile(CLIENT_FRAMES.page),
  unsub: Compile(CLIENT_FRAMES.unsub),
  update: Compile(CLIENT_FRAMES.update),
  upsert: Compile(CLIENT_FRAMES.upsert),
  refresh: Compile(CLIENT_FRAMES.refresh),
  ping: Compile(CLIENT_FRAMES.ping),
};

export class LiveServer {
  readonly #options: LiveServerOptions;
  readonly #wss: WebSocketServer;
  readonly #perIp = new Map<string, number>();
  #connections = 0;
  #isDraining = false;

  constructor(options: LiveServerOptions) {
    this.#options = options;
    this.#wss = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: LIMITS.frameBytes,
      // Prepared frames are written past `ws`; with compression on, the two would mix inside one stream of state.
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has(LIVE_SUBPROTOCOL) ? LIVE_SUBPROTOCOL : false),
    });
  }

  get connections(): number {
    return this.#connections;
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
  }

  /** New connections are turned away from now on. */
  stopAccepting(): void {
    this.#isDraining = true;
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const url = new URL(request.url ?? '/', 'http://localhost');
    const path = url.pathname.replace(/\/+$/, '');
    const ip = request.socket.remoteAddress ?? '';
    const refusal = this.#refusal(request, path, ip);
    if (refusal !== undefined) {
      refuse(socket, refusal);
      return;
    }
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      this.#count(ip, 1);
      ws.once('close', () => this.#count(ip, -1));
      if (path === '/live') this.#openRoster(ws, socket);
      else this.#openChat(ws, socket, url.searchParams);
    });
  }

  /** The HTTP status that turns this upgrade away, or undefined when it is welcome. */
  #refusal({ headers }: IncomingMessage, path: string, ip: string): string | undefined {
    const { origins, connectionsMax, connectionsPerIpMax } = this.#options;
    if (path !== '/live' && path !== '/connect') return '404 Not Found';
    if (!isAllowedOrigin(headers.origin, headers.host, origins)) return '403 Forbidden';
    if (this.#isDraining || this.#connections >= connectionsMax) return '503 Service Unavailable';
    if ((this.#perIp.get(ip) ?? 0) >= connectionsPerIpMax) return '429 Too Many Requests';
    return undefined;
  }

  #count(ip: string, change: 1 | -1): void {
    this.#connections += change;
    const left = (this.#perIp.get(ip) ?? 0) + change;
    if (left === 0) this.#perIp.delete(ip);
    else this.#perIp.set(ip, left);
  }

  #openRoster(ws: WebSocket, socket: Duplex): void {
    const { context, stallMs } = this.#options;
    const outlet = new SocketOutlet(ws, socket, stallMs);
    const session = new RosterSession(context, outlet, randomUUID(), () => bytesRead(socket));
    const inbox = new Inbox(ws, session);
    ws.on('message', (data, isBinary) => inbox.take(data, isBinary));
    // A frame that breaks the protocol or a limit: `ws` answers with the right close code and then closes.
    ws.on('error', () => session.closed());
    ws.on('close', () => session.closed());
  }

  #openChat(ws: WebSocket, socket: Duplex, query: URLSearchParams): void {
    const { context, stallMs } = this.#options;
    const session = new ChatSession(context, new SocketOutlet(ws, socket, stallMs), () => bytesRead(socket));
    ws.on('error', () => session.closed());
    ws.on('close', () => session.closed());
    void session.open(query);
  }
}

/** Frames of one connection, handled in order. While one is being handled the socket is not read. */
class Inbox {
  readonly #ws: WebSocket;
  readonly #session: RosterSession;
  readonly #waiting: ClientFrame[] = [];
  #isBusy = false;

  constructor(ws: WebSocket, session: RosterSession) {
    this.#ws = ws;
    this.#session = session;
  }

  take(data: RawData, isBinary: boolean): void {
    const decoded: Decoded = isBinary ? { kind: 'bad', reason: 'binary frames are not part of the protocol' } : decodeFrame(data);
    switch (decoded.kind) {
      case 'bad':
        this.#session.badFrame(decoded.reason);
        break;
      case 'invalid':
        this.#session.invalidFrame(decoded.op, decoded.id, decoded.reason);
        break;
      case 'frame':
        this.#waiting.push(decoded.frame);
        if (!this.#isBusy) void this.#run();
    }
  }

  async #run(): Promise<void> {
    this.#isBusy = true;
    this.#ws.pause();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) await this.#session.handle(next);
    this.#isBusy = false;
    this.#ws.resume();
  }
}

/** `bad` is not of this protocol and ends the connection; `invalid` has a wrong field and is answered with an error. */
type Decoded =
  | { readonly kind: 'frame'; readonly frame: ClientFrame }
  | { readonly kind: 'invalid'; readonly op: ClientFrame['op']; readonly id: unknown; readonly reason: string }
  | { readonly kind: 'bad'; readonly reason: string };

export function decodeFrame(data: RawData): Decoded {
  let value: unknown;
  try {
    value = JSON.parse(data.toString());
  } catch {
    return { kind: 'bad', reason: 'the frame is not JSON' };
  }
  if (!isObject(value)) return { kind: 'bad', reason: 'the frame must be a JSON object' };
  const { op, id } = value;
  if (!isOp(op)) return { kind: 'bad', reason: `op: must be one of ${Object.keys(CLIENT_FRAMES).join(', ')}` };
  const check = CHECKS[op];
  if (check.Check(value)) return { kind: 'frame', frame: value as ClientFrame };
  const [first] = check.Errors(value);
  const path = first?.instancePath.slice(1).replaceAll('/', '.') || op;
  return { kind: 'invalid', op, id, reason: `${path}: ${first?.message ?? 'is not valid'}` };
}

function isOp(op: unknown): op is ClientFrame['op'] {
  return typeof op === 'string' && Object.hasOwn(CLIENT_FRAMES, op);
}

function bytesRead(socket: Duplex): number {
  return socket instanceof Socket ? socket.bytesRead : 0;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n${status.startsWith('404') ? '' : 'Retry-After: 5\r\n'}\r\n`);
}
