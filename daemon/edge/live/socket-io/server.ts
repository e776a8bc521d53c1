/**
 * Live connections over Socket.IO v4 (path `/socket.io/`, main namespace), by
 * WebSocket or long polling: the same sessions as on `/live`. The `auth` of the
 * connection is the `connect` frame, a refusal is its `connect_error`; the verbs
 * are events with one argument and an acknowledgement; everything the server tells is the event `event`.
 *
 * An Engine.IO connection is what a WebSocket is on `/live`: it counts from its handshake to its end, and carries one session.
 */

import { randomUUID } from 'node:crypto';
import type { Server as HttpServer, IncomingMessage, ServerResponse } from 'node:http';
import { Server, type Socket } from 'socket.io';
import { isObject } from '../../../../protocol/base/json.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { ClientFrame } from '../../../../protocol/live/client-frames.ts';
import { type Admission, SOCKET_IO_PATH } from '../admission.ts';
import type { LiveContext } from '../session/context.ts';
import { checkFrame, type Decoded, isOp } from '../session/frame-decoder.ts';
import { Inbox } from '../session/inbox.ts';
import type { Heartbeat } from '../session/registry.ts';
import { RosterSession } from '../session/roster-session.ts';
import { SocketIoOutlet } from './outlet.ts';

/** Requests of one connection that may wait for their turn: there is no way to stop reading from one Socket.IO client. */
const WAITING_MAX = 256;

const GOODBYE_MS = 1_000;
const GOODBYE_LOOK_MS = 20;

export interface SocketIoServerOptions {
  readonly context: LiveContext;
  readonly admission: Admission;
  /** A peer that takes nothing for so long while bytes wait for it is closed as slow. */
  readonly stallMs: number;
  readonly heartbeat: Heartbeat;
}

/** Answers a request; absent when the client asked for no acknowledgement. */
type Acknowledge = ((answer: object) => void) | undefined;

/** The Engine.IO connection below a socket. */
type Connection = Socket['conn'];

interface Opening {
  readonly session: RosterSession;
  readonly outlet: SocketIoOutlet;
  readonly inbox: Inbox;
  readonly turns: Turns;
}

export class SocketIoServer {
  readonly #options: SocketIoServerOptions;
  readonly #io: Server;
  /** Sessions of sockets between their `connect` frame and the end. */
  readonly #open = new WeakMap<Socket, Opening>();
  /** Connections that have a session, or are about to. */
  readonly #taken = new WeakSet<Connection>();

  constructor(options: SocketIoServerOptions) {
    this.#options = options;
    const { admission, heartbeat } = options;
    this.#io = new Server({
      path: SOCKET_IO_PATH,
      serveClient: false,
      connectTimeout: heartbeat.connectMs,
      pingInterval: heartbeat.everyMs,
      pingTimeout: heartbeat.idleMs - heartbeat.everyMs,
      maxHttpBufferSize: LIMITS.frameBytes,
      // Upgrades to other paths belong to other servers.
      destroyUpgrade: false,
      // Whether a page may connect is decided once, below, for both transports; here its browser is told so.
      cors: { origin: true, credentials: false },
      // Engine.IO asks about handshakes only. What is one is its decision: a look of our own at the address could differ from it.
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
    engine.use((request: IncomingMessage, response: ServerResponse, next: () => void) => this.#checkOrigin(request, response, next));
    engine.on('connection', (conn: Connection) => this.#count(conn));
  }

  /** Later requests of a connection come from a page that may connect, as its handshake did. */
  #checkOrigin(request: IncomingMessage & { _query?: { sid?: string } }, response: ServerResponse, next: () => void): void {
    const isHandshake = (request._query?.sid ?? '') === '';
    if (isHandshake || this.#options.admission.isAllowedOrigin(request)) {
      next();
      return;
    }
    // Not chained: for an upgrade Engine.IO gives something that only resembles a response, and whose end cuts the socket.
    response.writeHead(403);
    response.end();
  }

  #count(conn: Connection): void {
    const { admission } = this.#options;
    // Handshakes that came in one packet were all let through before the first of them was counted.
    if (admission.refusal(conn.request) === undefined) conn.once('close', admission.enter(conn.request));
    else conn.close(true);
  }

  /** Ends what is left. Sessions were told before; a goodbye that still waits for its client's next poll has a moment to be fetched. */
  async close(): Promise<void> {
    for (let waitedMs = 0; this.#io.engine.clientsCount > 0 && waitedMs < GOODBYE_MS; waitedMs += GOODBYE_LOOK_MS) {
      await new Promise((resolve) => setTimeout(resolve, GOODBYE_LOOK_MS));
    }
    this.#io.disconnectSockets(true);
    this.#io.engine.close();
  }

  /** The connect: `next` opens the connection for the client, or tells it the error. Called once in any case, or Socket.IO keeps the socket. */
  #admit(socket: Socket, next: (error?: Error) => void): void {
    const { conn } = socket;
    if (conn.readyState !== 'open' || this.#taken.has(conn)) {
      // No client of Socket.IO connects twice at once; who does is not told why.
      conn.close(true);
      next(new Error('the connection is taken'));
      return;
    }
    this.#taken.add(conn);
    const { context, stallMs } = this.#options;
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
    const outlet = new SocketIoOutlet(socket, stallMs, decided);
    // While the daemon stops, a session is refused before it exists: what is used above must not need it then.
    const session = new RosterSession(context, outlet, randomUUID(), () => received, 'io ');
    const turns = new Turns(outlet);
    const inbox = new Inbox({ pause: () => {}, resume: () => turns.idle() }, session, outlet);
    this.#open.set(socket, { session, outlet, inbox, turns });
    socket.on('disconnect', (reason) => {
      gone();
      // There is nothing else to connect to, and a connection without a session would wait for nobody.
      if (reason === 'client namespace disconnect') conn.close(true);
    });
    socket.onAny((op: unknown, ...args: unknown[]) => this.#take(socket, op, args));
    // Through the inbox, so that what the client asks for next waits for the answers to the subscriptions of its connect.
    inbox.take(checkFrame({ ...socket.handshake.auth, op: 'connect', id: undefined }));
  }

  #take(socket: Socket, op: unknown, args: readonly unknown[]): void {
    const opening = this.#open.get(socket);
    if (opening === undefined) return;
    const { session, outlet, inbox, turns } = opening;
    const last = args.at(-1);
    const acknowledge: Acknowledge = typeof last === 'function' ? (answer) => last(answer) : undefined;
    const [argument] = args;
    if (inbox.size >= WAITING_MAX) session.badFrame(`more than ${WAITING_MAX} requests wait for an answer`);
    else if (!isOp(op) || op === 'connect') session.badFrame('there is no such event');
    else if (argument !== acknowledge && argument !== undefined && typeof argument !== 'function' && !isObject(argument)) {
      session.badFrame('the argument must be an object');
    } else {
      const id = outlet.expectReply(acknowledge);
      const binary = binaryPath(argument);
      const decoded: Decoded =
        binary === undefined
          ? checkFrame({ ...(isObject(argument) ? argument : {}), op, id })
          : { kind: 'invalid', op, id, reason: `${binary || op}: must be JSON, not binary` };
      inbox.take(decoded);
      if (decoded.kind === 'frame') turns.taken(decoded.frame, inbox.size);
    }
  }
}

/**
 * Answers `ack`, which has no answer of its own unless it is refused: with an empty one, once it had its turn. Else the client
 * would wait for ever, and its callback would be kept here as long.
 */
class Turns {
  readonly #outlet: SocketIoOutlet;
  readonly #unanswered: { readonly id: string; readonly turn: number }[] = [];
  #taken = 0;

  constructor(outlet: SocketIoOutlet) {
    this.#outlet = outlet;
  }

  /** The inbox has taken this frame, and `waiting` frames wait in it. */
  taken({ op, id }: ClientFrame, waiting: number): void {
    this.#taken++;
    if (op === 'ack' && typeof id === 'string') this.#unanswered.push({ id, turn: this.#taken });
    // One more may be in the middle of its turn.
    this.#settle(this.#taken - waiting - 1);
  }

  /** Everything taken had its turn. */
  idle(): void {
    this.#settle(this.#taken);
  }

  #settle(turn: number): void {
    for (let next = this.#unanswered[0]; next !== undefined && next.turn <= turn; next = this.#unanswered[0]) {
      this.#outlet.settle(next.id);
      this.#unanswered.shift();
    }
  }
}

/** Where in `value` there is something binary, as a dotted path ("" is the value itself), or undefined. Does not recurse: a client says how deep it is. */
function binaryPath(value: unknown): string | undefined {
  const open: [string, unknown][] = [['', value]];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [path, part] = next;
    if (ArrayBuffer.isView(part) || part instanceof ArrayBuffer) return path;
    if (typeof part !== 'object' || part === null) continue;
    for (const [name, inner] of Object.entries(part)) {
      if (typeof inner === 'object') open.push([path === '' ? name : `${path}.${name}`, inner]);
    }
  }
  return undefined;
}

function messageOf(error: unknown): string {
  return isObject(error) && typeof error.message === 'string' ? error.message : 'the connection was refused';
}
