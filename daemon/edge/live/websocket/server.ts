/**
 * Takes WebSocket upgrades: `/live` (roster.v1) and `/connect`. Checks origin and connection limits before the handshake, reads frames one
 * at a time, and passes them to the session. All other upgrade requests are answered here too, because no other code would.
 */
import type { IncomingMessage, Server } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import { LIVE_SUBPROTOCOL } from '../../../../protocol/live/client-frames.ts';
import type { Authenticator } from '../../auth.ts';
import type { ConsoleDoor } from '../../console/door.ts';
import { type Admission, type CountedConnection, SOCKET_IO_PATH } from '../admission.ts';
import type { LiveProtocol } from '../live-counts.ts';
import { ChatSession } from '../session/chat-session.ts';
import type { LiveContext } from '../session/context.ts';
import { type Decoded, decodeFrame, decodeLookingOn } from '../session/frame-decoder.ts';
import { Inbox } from '../session/inbox.ts';
import { ONE_FRAME_A_TURN, type Peer } from '../session/outlet.ts';
import { RosterSession } from '../session/roster-session.ts';
import { LiveSocket, type SocketEvents } from './live-socket.ts';
import { SocketOutlet } from './outlet.ts';
import { INBOUND_DEFLATE, keepAcceptableOffer, type PackedFrames } from './packed-frames.ts';
import { roundTripMs } from './ping.ts';
import { serveWithoutUpgrade } from './plain-request.ts';

export interface LiveServerOptions {
  readonly context: LiveContext;
  readonly admission: Admission;
  /** Admits the console's own page, to `/console/live`. */
  readonly door: Pick<ConsoleDoor, 'admitLive'>;
  /** A peer that takes nothing for this long while bytes wait for it is closed as slow. */
  readonly stallMs: number;
  /** Compresses messages that many get for clients that offer it. Undefined where nothing is compressed. */
  readonly packed: PackedFrames | undefined;
}

/** The live connection of the console's page: the path of `/live` below that of the page. */
const CONSOLE_PATH = '/console/live';

const BINARY: Decoded = { kind: 'bad', reason: 'binary frames are not part of the protocol' };

export class LiveServer {
  readonly #options: LiveServerOptions;
  readonly #wss: WebSocketServer;

  constructor(options: LiveServerOptions) {
    this.#options = options;
    this.#wss = new WebSocketServer({
      noServer: true,
      WebSocket: LiveSocket,
      clientTracking: false,
      maxPayload: LIMITS.frameBytes,
      perMessageDeflate: INBOUND_DEFLATE,
      ...ONE_FRAME_A_TURN,
      handleProtocols: (offered) => (offered.has(LIVE_SUBPROTOCOL) ? LIVE_SUBPROTOCOL : false),
    });
  }

  attach(server: Server): void {
    server.on('upgrade', (request, socket, head) => {
      // Must come first: a reset without a listener would end the process.
      socket.on('error', destroyed);
      // Socket.IO takes the requests whose target begins like this, and no others.
      if (request.url?.startsWith(`${SOCKET_IO_PATH}/`) === true) return;
      // A thousand upgrades at once are a thousand handshakes: done in slices, between other work.
      if (request.headers.upgrade?.toLowerCase() === 'websocket')
        void this.#options.context.turns.next().then(() => this.#upgrade(request, socket, head));
      else serveWithoutUpgrade(server, request, socket, head);
    });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { path, query } = partsOf(request.url ?? '');
    const isConsole = path === CONSOLE_PATH;
    const welcome = isConsole ? this.#options.door.admitLive(request) : undefined;
    const isOurs = isConsole || path === '/live' || path === '/connect';
    const closed = welcome !== undefined && 'refusal' in welcome ? welcome.refusal : undefined;
    const refusal = isOurs ? (closed ?? this.#options.admission.refusal(request)) : '404 Not Found';
    if (refusal !== undefined) {
      refuse(socket, refusal);
      return;
    }
    const peer = new WebSocketPeer(socket, request.socket.remoteAddress);
    keepAcceptableOffer(request, this.#options.packed !== undefined);
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      // `ws` has a listener of its own by now.
      socket.off('error', destroyed);
      const admitted = this.#options.admission.enter(request, path === '/connect' ? 'connect' : 'live');
      const open: Opened = { ws: ws as LiveSocket, socket, peer, admitted };
      if (welcome !== undefined && 'authenticator' in welcome) this.#openRoster(open, decodeLookingOn, welcome.authenticator);
      else if (path === '/live') this.#openRoster(open, decodeFrame);
      else this.#openChat(open, new URLSearchParams(query));
    });
  }

  #outlet({ ws, socket }: Opened, protocol: LiveProtocol): SocketOutlet {
    const { context, stallMs, packed } = this.#options;
    return new SocketOutlet(ws, socket, stallMs, context.counts.traffic[protocol], ws.extensions === '' ? undefined : packed);
  }

  /** `authenticator`: that of a page of the console, which only looks on, whatever its role. */
  #openRoster(opened: Opened, decode: Decode, authenticator?: Authenticator): void {
    const { context } = this.#options;
    const outlet = this.#outlet(opened, 'live');
    const session = new RosterSession(authenticator === undefined ? context : { ...context, authenticator }, outlet, opened.peer);
    const inbox = new Inbox(opened.ws, session, outlet, context.turns);
    opened.ws.events = new Connection(this.#options, opened.admitted, outlet, session, { inbox, decode });
  }

  #openChat(opened: Opened, query: URLSearchParams): void {
    const outlet = this.#outlet(opened, 'connect');
    const session = new ChatSession(this.#options.context, outlet, opened.peer);
    opened.ws.events = new Connection(this.#options, opened.admitted, outlet, session);
    void session.open(query);
  }
}

interface Opened {
  readonly ws: LiveSocket;
  readonly socket: Duplex;
  readonly peer: Peer;
  readonly admitted: CountedConnection;
}

type Decode = (text: string) => Decoded;

class Connection implements SocketEvents {
  readonly #options: LiveServerOptions;
  readonly #admitted: CountedConnection;
  readonly #outlet: SocketOutlet;
  readonly #session: { closed(): void };
  readonly #inbox: Inbox | undefined;
  readonly #decode: Decode | undefined;

  /** `reading`: undefined for a client that only listens. Whatever it sends is counted and has no effect. */
  constructor(
    options: LiveServerOptions,
    admitted: CountedConnection,
    outlet: SocketOutlet,
    session: { closed(): void },
    reading?: { readonly inbox: Inbox; readonly decode: Decode },
  ) {
    this.#options = options;
    this.#admitted = admitted;
    this.#outlet = outlet;
    this.#session = session;
    this.#inbox = reading?.inbox;
    this.#decode = reading?.decode;
  }

  message(data: Buffer, isBinary: boolean): void {
    this.#outlet.traffic.bytesReceived += data.length;
    const decode = this.#decode;
    if (decode !== undefined) this.#inbox?.take(() => (isBinary ? BINARY : decode(data.toString())));
  }

  pong(content: Buffer): void {
    const { counts, sessions } = this.#options.context;
    const ms = roundTripMs(content, 2 * sessions.heartbeatMs);
    if (ms !== undefined) counts.roundTrips.observe(ms);
  }

  failed(): void {
    this.#session.closed();
  }

  over(code: number): void {
    this.#options.admission.leave(this.#admitted, this.#outlet.goodbye ?? code);
    this.#outlet.gone();
    this.#session.closed();
  }
}

/** Shared by all sockets: a closure would keep the request in memory for as long as the connection. */
function destroyed(this: Duplex): void {
  this.destroy();
}

class WebSocketPeer implements Peer {
  readonly address: string | undefined;
  readonly #socket: Duplex;

  constructor(socket: Duplex, address: string | undefined) {
    this.address = address;
    this.#socket = socket;
  }

  get bytesRead(): number {
    return this.#socket instanceof Socket ? this.#socket.bytesRead : 0;
  }

  get envelope(): '' {
    return '';
  }
}

/** Parsed by hand, because a target can be any text, and an invalid URL must not throw here. */
function partsOf(target: string): { readonly path: string; readonly query: string } {
  const [path = ''] = target.split('?', 1);
  return { path: path.endsWith('/') ? path.replace(/\/+$/, '') : path, query: target.slice(path.length + 1) };
}

/** The peer may keep its side open as long as it likes; this side ends with the answer. */
function refuse(socket: Duplex, status: string): void {
  socket.once('finish', () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n${status.startsWith('404') ? '' : 'Retry-After: 5\r\n'}\r\n`);
}
