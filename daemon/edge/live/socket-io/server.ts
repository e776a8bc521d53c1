/**
 * Live connections over Socket.IO v4 (path `/socket.io/`, main namespace), by WebSocket or long polling: the same sessions as on `/live`.
 * The `auth` of the connection is the `connect` frame, a refusal is its `connect_error`; the verbs are events with one argument and an
 * acknowledgement; everything the server sends is the event `event`.
 *
 * An Engine.IO connection is what a WebSocket is on `/live`: it counts from its handshake to its end, and carries one session.
 */

import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import { Server, type Socket } from 'socket.io';
import { NOT_EXACT } from '../../../../protocol/base/exact-numbers.ts';
import { fieldPath } from '../../../../protocol/base/field-path.ts';
import { isObject } from '../../../../protocol/base/json.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { ClientFrame } from '../../../../protocol/live/client-frames.ts';
import { CLOSE } from '../../../../protocol/live/close-codes.ts';
import { type Admission, SOCKET_IO_PATH } from '../admission.ts';
import type { LiveContext } from '../session/context.ts';
import { checkFrame, type Decoded, isOp } from '../session/frame-decoder.ts';
import type { Heartbeat } from '../session/heartbeat.ts';
import { Inbox } from '../session/inbox.ts';
import { RosterSession } from '../session/roster-session.ts';
import type { PackedFrames } from '../websocket/packed-frames.ts';
import { AckAnswers } from './ack-answers.ts';
import { boundNamespaces, boundPolling, engineWebSockets, namePolls } from './engine.ts';
import { exactParser } from './exact-parser.ts';
import { SocketIoOutlet } from './outlet.ts';

/** Requests of one connection that may wait for their turn: reading from a single Socket.IO client cannot be paused. No body holds more. */
const WAITING_MAX = 256;

const GOODBYE_LOOK_MS = 20;

export interface SocketIoServerOptions {
  readonly context: LiveContext;
  readonly admission: Admission;
  /** A peer that takes nothing for this long while bytes wait for it is closed as slow. */
  readonly stallMs: number;
  readonly heartbeat: Heartbeat;
  /** Compresses messages that many get for clients that offer it. Undefined where nothing is compressed. */
  readonly packed: PackedFrames | undefined;
}

/** Answers a request; absent when the client asked for no acknowledgement. */
type Acknowledge = ((answer: object) => void) | undefined;

/** The Engine.IO connection below a socket. */
type Connection = Socket['conn'];

interface Opening {
  readonly session: RosterSession;
  readonly outlet: SocketIoOutlet;
  readonly inbox: Inbox;
  readonly acks: AckAnswers;
}

export class SocketIoServer {
  readonly #options: SocketIoServerOptions;
  readonly #io: Server;
  /** Sessions of sockets, from their `connect` frame to their end. */
  readonly #open = new WeakMap<Socket, Opening>();
  readonly #connections = new Set<Connection>();
  /** Connections that have a session, or are about to have one. */
  readonly #taken = new WeakSet<Connection>();
  /** Of connections that have a session, or had one. */
  readonly #outlets = new WeakMap<Connection, SocketIoOutlet>();

  constructor(options: SocketIoServerOptions) {
    this.#options = options;
    const { admission, heartbeat, packed } = options;
    this.#io = new Server({
      path: SOCKET_IO_PATH,
      parser: exactParser,
      serveClient: false,
      connectTimeout: heartbeat.connectMs,
      pingInterval: heartbeat.everyMs,
      // Engine.IO sends no second ping before the first is answered; the `health.check` of the session is the other heartbeat.
      pingTimeout: heartbeat.idleMs,
      wsEngine: engineWebSockets(packed !== undefined),
      maxHttpBufferSize: LIMITS.frameBytes,
      // Upgrades to other paths belong to other servers.
      destroyUpgrade: false,
      // Whether a page may connect is decided once, below, for both transports; this only allows its browser to read the answer.
      cors: { origin: true, credentials: false },
      // Engine.IO calls this for handshakes only. It decides which requests are handshakes; a separate check of the address could differ.
      allowRequest: (request, answer) => {
        const refusal = admission.refusal(request);
        answer(refusal, refusal === undefined);
      },
    });
    this.#io.use((socket, next) => this.#admit(socket, next));
    this.#io.on('connection', (socket) => this.#open.get(socket)?.outlet.opened());
  }

  attach(server: HttpServer): void {
    this.#io.attach(server);
    const { engine } = this.#io;
    const { turns, sessions } = this.#options.context;
    namePolls(engine, () => sessions.newConnectionId());
    // Hundreds of requests may come in one packet.
    engine.use((request: IncomingMessage, response: ServerResponse, next: () => void) => {
      // A poll whose peer left meanwhile would be waited for, and the next one would count as a second at the same time.
      void turns.next().then(() => request.socket.destroyed || this.#checkOrigin(request, response, next));
    });
    engine.on('connection', (conn: Connection) => this.#count(conn));
  }

  /** Checks that later requests of a connection come from a page that may connect, as its handshake did. */
  #checkOrigin(request: IncomingMessage & { _query?: { sid?: string } }, response: ServerResponse, next: () => void): void {
    const isHandshake = (request._query?.sid ?? '') === '';
    if (isHandshake || this.#options.admission.isAllowedOrigin(request)) {
      next();
      return;
    }
    // Not chained: for an upgrade Engine.IO passes an object that only resembles a response, and whose `end` cuts the socket.
    response.writeHead(403);
    response.end();
  }

  #count(conn: Connection): void {
    const { admission } = this.#options;
    this.#connections.add(conn);
    conn.once('close', () => this.#connections.delete(conn));
    // Several handshakes in one packet all pass the check before the first of them is counted.
    if (admission.refusal(conn.request) === undefined) {
      const admitted = admission.enter(conn.request, 'socket.io');
      conn.once('close', (reason) => admission.leave(admitted, this.#outlets.get(conn)?.goodbye ?? codeOf(reason)));
    } else conn.close(true);
    const traffic = this.#options.context.counts.traffic['socket.io'];
    boundNamespaces(conn, (bytes) => {
      traffic.bytesReceived += bytes;
    });
    if (conn.transport.name === 'polling') boundPolling(conn.transport, WAITING_MAX);
  }

  /** Resolves when no connection is left, or after `maxMs`: then it ends those whose peers have not taken their goodbye. */
  async close(maxMs: number): Promise<void> {
    const overMs = performance.now() + maxMs;
    const { engine } = this.#io;
    // Without a session, there is no goodbye to take.
    for (const conn of this.#connections) if (!this.#taken.has(conn)) conn.close(true);
    while (engine.clientsCount > 0 && performance.now() < overMs) await new Promise((resolve) => setTimeout(resolve, GOODBYE_LOOK_MS));
    engine.close();
  }

  /**
   * Handles the connect. `next` opens the connection for the client, or sends it the error. It must be called once in every case, or
   * Socket.IO keeps the socket.
   */
  #admit(socket: Socket, next: (error?: Error) => void): void {
    const { conn } = socket;
    if (conn.readyState !== 'open' || this.#taken.has(conn)) {
      // A correct Socket.IO client never connects twice at once; one that does gets no reason.
      conn.close(true);
      next(new Error('the connection is taken'));
      return;
    }
    this.#taken.add(conn);
    const { context, stallMs, packed } = this.#options;
    let received = 0;
    const count = (): number => received++;
    const release = (): void => {
      this.#taken.delete(conn);
      conn.off('packet', count);
      conn.off('close', gone);
      outlet.gone();
    };
    const gone = (): void => {
      release();
      session.closed();
      decided({ message: 'the connection is gone' });
    };
    let isDecided = false;
    const decided = (error?: unknown): void => {
      if (isDecided) return;
      isDecided = true;
      if (error === undefined) next();
      else {
        next(Object.assign(new Error(messageOf(error)), { data: error }));
        release();
      }
    };
    conn.on('packet', count);
    conn.on('close', gone);
    const outlet = new SocketIoOutlet(socket, stallMs, context.counts.traffic['socket.io'], decided, packed);
    this.#outlets.set(conn, outlet);
    // While the daemon stops, a session is refused during its construction, so nothing above may need it then.
    const session = new RosterSession(context, outlet, {
      address: conn.request.socket.remoteAddress,
      get bytesRead() {
        return received;
      },
      envelope: 'io ',
    });
    const acks = new AckAnswers(outlet);
    const inbox = new Inbox({ pause: () => {}, resume: () => acks.idle() }, session, outlet, context.turns);
    this.#open.set(socket, { session, outlet, inbox, acks });
    socket.on('disconnect', (reason) => {
      // The outlet is about to end the connection.
      if (reason === 'server namespace disconnect') return;
      gone();
      // No other namespace exists to connect to, so a connection without a session would serve nothing.
      if (reason === 'client namespace disconnect') conn.close(true);
    });
    socket.onAny((op: unknown, ...args: unknown[]) => this.#take(socket, op, args));
    // Through the inbox, so that the client's next requests wait for the answers to the subscriptions of its connect.
    inbox.take(() => decodedArgument('connect', undefined, socket.handshake.auth));
  }

  #take(socket: Socket, op: unknown, args: readonly unknown[]): void {
    const opening = this.#open.get(socket);
    if (opening === undefined) return;
    const { session, outlet, inbox, acks } = opening;
    const last = args.at(-1);
    const acknowledge: Acknowledge = typeof last === 'function' ? (answer) => last(answer) : undefined;
    const [argument] = args;
    if (inbox.size >= WAITING_MAX) session.badFrame(`more than ${WAITING_MAX} requests wait for an answer`);
    else if (!isOp(op) || op === 'connect') session.badFrame('there is no such event');
    else if (argument !== acknowledge && argument !== undefined && typeof argument !== 'function' && !isObject(argument)) {
      session.badFrame('the argument must be an object');
    } else {
      const id = outlet.expectReply(acknowledge);
      inbox.take(() => decodedArgument(op, id, argument));
      acks.taken(op, id, inbox.size);
    }
  }
}

/** The close code that stands for the end of an Engine.IO connection that had no goodbye. */
function codeOf(reason: string): number {
  if (reason === 'ping timeout') return CLOSE.silent.code;
  return reason === 'forced close' ? CLOSE.normal.code : 1006;
}

function decodedArgument(op: ClientFrame['op'], id: unknown, argument: unknown): Decoded {
  const wrong = notJson(argument);
  if (wrong === undefined) return checkFrame({ ...(isObject(argument) ? argument : {}), op, id });
  return { kind: 'invalid', op, id, reason: `${wrong.path || op}: ${wrong.problem}` };
}

/**
 * The first value in `value` that JSON does not have: its place as a dotted path ("" is the value itself), and what is wrong with it.
 * Not recursive, since a client decides the depth.
 */
function notJson(value: unknown): { readonly path: string; readonly problem: string } | undefined {
  const open: [string, unknown][] = [['', value]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, part] = next;
    if (ArrayBuffer.isView(part) || part instanceof ArrayBuffer) return { path, problem: 'must be JSON, not binary' };
    if (typeof part === 'number' && !Number.isFinite(part)) return { path, problem: NOT_EXACT };
    if (typeof part !== 'object' || part === null) continue;
    for (const [name, inner] of Object.entries(part)) {
      if (typeof inner === 'object' || typeof inner === 'number') open.push([placeIn(path, name), inner]);
    }
  }
  return undefined;
}

/** A path that is long already says enough. */
const PATH_CHARS = 255;

function placeIn(path: string, name: string): string {
  return path.length < PATH_CHARS ? fieldPath(path, name) : path;
}

function messageOf(error: unknown): string {
  return isObject(error) && typeof error.message === 'string' ? error.message : 'the connection was refused';
}
