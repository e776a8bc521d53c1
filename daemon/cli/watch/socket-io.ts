/**
 * A Socket.IO connection with the interface of the WebSocket that the client library's link expects: over WebSocket, or over long
 * polling where that does not get through. The `auth` of the connection is the connect frame, verbs are events, and the daemon's
 * messages arrive as decoded frames (protocol/README.md, "Live: Socket.IO").
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { Duplex } from 'node:stream';
import { io, type Socket } from 'socket.io-client';
import { isObject, parseObject } from '../../../protocol/base/json.ts';
import type { SocketClass, SocketLike } from '../../../protocol/client/link/socket.ts';
import { brokenEnd, closedEnd, failedEnd, isRedirect, refusedEnd, type SocketEnd, UNREADABLE } from './ending.ts';

export type Transport = 'websocket' | 'polling';

type Fields = Readonly<Record<string, unknown>>;

type Listening =
  | [type: 'open' | 'error', listener: () => void]
  | [type: 'message', listener: (event: { data: unknown }) => void]
  | [type: 'close', listener: (event: SocketEnd) => void];

/** For one transport. Two of them fit into the time that the link allows for opening. */
const HANDSHAKE_MS = 8_000;
/** Time that a goodbye has to be answered. */
const GOODBYE_MS = 1_000;

/** The class to pass to the link. `transports` are tried in this order. */
export function socketIoClass(transports: readonly Transport[]): SocketClass {
  return class extends SocketIoSocket {
    constructor(url: string) {
      super(url, transports);
    }
  };
}

class SocketIoSocket implements SocketLike {
  /** `/socket.io` beside `/live`, below the same path prefix of a proxy. */
  readonly #address: URL;
  readonly #wires: Wires;
  #socket: Socket;
  /** Sends the connect frame. */
  #connect: (auth: Fields) => void = () => {};
  /** Id of the connect frame until it is answered. */
  #connectId: unknown;
  #isOver = false;
  #onOpen = (): void => {};
  #onMessage: (event: { data: unknown }) => void = () => {};
  #onClose: (event: SocketEnd) => void = () => {};

  constructor(url: string, transports: readonly Transport[]) {
    this.#address = new URL('socket.io', url);
    this.#wires = new Wires(this.#address.protocol === 'wss:');
    this.#socket = this.#open(transports);
  }

  addEventListener(...[type, listener]: Listening): void {
    if (type === 'open') this.#onOpen = listener;
    else if (type === 'message') this.#onMessage = listener;
    else if (type === 'close') this.#onClose = listener;
  }

  send(text: string): void {
    const { op, id, ...frame } = parseObject(text) ?? {};
    if (op === 'connect') {
      this.#connectId = id;
      this.#connect(frame);
    } else this.#socket.emit(String(op), frame, (answer: unknown) => this.#tell({ ...(isObject(answer) ? answer : {}), re: id }));
  }

  /** Says goodbye and waits only briefly for the answer; without a code, not at all. Reports nothing any more. */
  close(code?: number): void {
    this.#isOver = true;
    this.#socket.off();
    this.#socket.disconnect();
    this.#wires.cut(code === undefined ? 0 : GOODBYE_MS);
  }

  #open([transport = 'websocket', ...others]: readonly Transport[]): Socket {
    const { agent } = this.#wires;
    // Socket.IO takes the path of its address for a namespace.
    const socket = io(this.#address.origin, {
      path: this.#address.pathname,
      transports: [transport],
      transportOptions: { websocket: { agent }, polling: { agent } },
      auth: (connect) => {
        this.#connect = connect;
        this.#onOpen();
      },
      timeout: HANDSHAKE_MS,
      // The link decides when to reconnect, and from which position.
      reconnection: false,
      forceNew: true,
    });
    let hadAnswer = false;
    socket.io.on('open', () => {
      hadAnswer = true;
    });
    socket.on('event', (frame: unknown) => this.#take(frame));
    socket.on('disconnect', (reason, details) => this.#end(brokenEnd(reason, details)));
    socket.on('connect_error', (error: Error & { readonly data?: unknown }) => {
      if (isObject(error.data)) this.#refused(error.data);
      else if (hadAnswer || others.length === 0 || isRedirect(error)) this.#end(failedEnd(error, hadAnswer));
      else {
        socket.off();
        socket.disconnect();
        this.#socket = this.#open(others);
      }
    });
    return socket;
  }

  #take(frame: unknown): void {
    if (!isObject(frame)) this.#end(UNREADABLE);
    else if (frame.type === 'connection.closed') this.#end(closedEnd(frame));
    else if (this.#connectId === undefined || frame.error !== undefined) this.#tell(frame);
    // Nothing precedes the answer to the connect.
    else if (frame.type !== 'connection.ok') this.#end(UNREADABLE);
    else {
      const re = this.#connectId;
      this.#connectId = undefined;
      this.#tell({ ...frame, re });
    }
  }

  /** A WebSocket would bring a frame, and then the close. */
  #refused(error: Fields): void {
    this.#tell({ type: 'connection.error', re: this.#connectId, error, retry_ms: error.retry_ms });
    this.#end(refusedEnd(error));
  }

  #tell(data: Fields): void {
    if (!this.#isOver) this.#onMessage({ data });
  }

  /** Only the first end counts. */
  #end(end: SocketEnd): void {
    if (this.#isOver) return;
    this.close(end.code);
    this.#onClose(end);
  }
}

/** The network connections below one Socket.IO connection, which does not expose them: needed to cut them without an answer. */
class Wires {
  readonly agent: HttpAgent;
  readonly #open = new Set<Duplex>();

  constructor(isSecure: boolean) {
    this.agent = isSecure ? new HttpsAgent() : new HttpAgent();
    const connect = this.agent.createConnection.bind(this.agent);
    this.agent.createConnection = (options, callback) => {
      const wire = connect(options, callback);
      if (wire) {
        this.#open.add(wire);
        wire.once('close', () => this.#open.delete(wire));
      }
      return wire;
    };
  }

  cut(afterMs: number): void {
    // An open connection keeps the process alive by itself.
    setTimeout(() => {
      for (const wire of this.#open) wire.destroy();
    }, afterMs).unref();
  }
}
