/** What Engine.IO, below Socket.IO, has no options for: bounds on what a peer can hold up. */
import type { Socket } from 'socket.io';
import { type ServerOptions, WebSocket, WebSocketServer } from 'ws';
import { CLOSE_GRACE_MS, ONE_FRAME_A_TURN } from '../session/outlet.ts';
import { INBOUND_DEFLATE, keepAcceptableOffer } from '../websocket/packed-frames.ts';

/** Compresses nothing by itself: its packets share the connection, and so the client's window, with frames that were compressed for many. */
class UncompressedSocket extends WebSocket {
  override send(data: string | Buffer, ...rest: unknown[]): void {
    super.send(data, { compress: false }, rest.at(-1) as (error?: Error) => void);
  }
}

/**
 * Its WebSockets: one frame a turn, and a peer that does not answer the close frame is cut off as soon as on `/live`. `compresses`: an offer
 * of compression is accepted as it is there. Engine.IO must not know, or it would leave the prepared frames unused.
 */
export function engineWebSockets(compresses: boolean): new (options: ServerOptions) => WebSocketServer {
  return class extends WebSocketServer {
    constructor(options: ServerOptions) {
      // The types of `ws` do not know `closeTimeout` yet.
      const more: object = { WebSocket: UncompressedSocket, perMessageDeflate: INBOUND_DEFLATE, closeTimeout: CLOSE_GRACE_MS };
      super({ ...options, ...more, ...ONE_FRAME_A_TURN });
    }

    override handleUpgrade(...[request, ...rest]: Parameters<WebSocketServer['handleUpgrade']>): void {
      keepAcceptableOffer(request, compresses);
      super.handleUpgrade(request, ...rest);
    }
  };
}

/** Ids that name this node, so that a proxy finds it for each request of a long poll (DP1). Their first part is random and secret, and no connection id. */
export function namePolls(engine: object, newId: () => string): void {
  Object.assign(engine, { generateId: newId });
}

/** The parts of its long polling that are used here. */
interface LongPolling {
  closeTimeout: number;
  onData(body: string): void;
  onError(reason: string): void;
}

const PACKET_END = '\u001e';

/**
 * Bounds how long a connection waits for the poll that is to carry its end (by default 30 s), and how many packets one body may hold, since
 * all of them are handled at once.
 */
export function boundPolling(transport: Socket['conn']['transport'], packetsMax: number): void {
  // Engine.IO keeps these parts to itself.
  const polling = transport as unknown as LongPolling;
  const take = polling.onData.bind(polling);
  polling.closeTimeout = CLOSE_GRACE_MS;
  polling.onData = (body) => {
    if (holdsMore(body, PACKET_END, packetsMax)) polling.onError('too many packets in one body');
    else take(body);
  };
}

function holdsMore(text: string, part: string, most: number): boolean {
  let count = 0;
  for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + 1)) if (++count > most) return true;
  return false;
}

/** A connect to another namespace than the main one, the only one that exists. */
const OTHER_NAMESPACE = '0/';
/** Such connects of one connection that are refused with a reason. */
const REFUSED_MAX = 16;

/**
 * Socket.IO answers these by itself, with the name that they had, whether or not the peer takes its answers: so not without end. `onReceived`:
 * receives the bytes of every packet.
 */
export function boundNamespaces(conn: Socket['conn'], onReceived: (bytes: number) => void): void {
  let refused = 0;
  conn.on('packet', ({ type, data }: { readonly type: string; readonly data?: unknown }) => {
    if (typeof data === 'string' || Buffer.isBuffer(data)) onReceived(data.length);
    if (type === 'message' && typeof data === 'string' && data.startsWith(OTHER_NAMESPACE) && ++refused > REFUSED_MAX) conn.close(true);
  });
}
