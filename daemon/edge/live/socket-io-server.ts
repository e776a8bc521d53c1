/**
 * Live connections over Socket.IO v4 (path `/socket.io/`, main namespace), by
 * WebSocket or long polling: the same sessions as on `/live`. The `auth` of the
 * connection is the `connect` frame, a refusal is its `connect_error`; the verbs
 * are events with one argument and an acknowledgement; everything the server tells is the event `event`.
 */
import { randomUUID } from 'node:crypto';
import type { Server as HttpServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import { isObject } from '../../../protocol/json.ts';
import { LIMITS } from '../../../protocol/limits.ts';
import type { Admission } from './admission.ts';
import { checkFrame, isOp } from './frame-decoder.ts';
import { Inbox } from './inbox.ts';
import type { LiveContext } from './live-context.ts';
import { RosterSession } from './live-session.ts';
import type { Heartbeat } from './session-registry.ts';
import { SocketIoOutlet } from './socket-io-outlet.ts';

export const SOCKET_IO_PATH = '/socket.io';

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

interface Opening {
  readonly session: RosterSession;
  readonly outlet: SocketIoOutlet;
  readonly inbox: Inbox;
}

export class SocketIoServer {
  readonly #options: SocketIoServerOptions;
  readonly #io: Server;
  /** Sessions of sockets between their `connect` frame and the end. */
  readonly #open = new WeakMap<Socket, Opening>();

  constructor(options: SocketIoServerOptions) {
    this.#options = options;
    const { admission, heartbeat } = options;
    this.#io = new Server({
      path: SOCKET_IO_PATH,
      serveClient: false,
      connectTimeout: LIMITS.connectTimeoutMs,
      pingInterval: heartbeat.everyMs,
      pingTimeout: heartbeat.idleMs - heartbeat.everyMs,
      maxHttpBufferSize: LIMITS.frameBytes,
      // Upgrades to other paths belong to other servers.
      destroyUpgrade: false,
      // Whether a page may connect is decided once, below, for both transports; here its browser is told so.
      cors: { origin: true, credentials: false },
      allowRequest: (request, answer) => {
        const isNew = !(request.url ?? '').includes('sid=');
        const refusal = isNew ? admission.refusal(request) : undefined;
        answer(refusal, refusal === undefined);
      },
    });
    this.#io.use((socket, next) => this.#admit(socket, next));
    this.#io.on('connection', (socket) => this.#open.get(socket)?.outlet.opened());
  }

  attach(server: HttpServer): void {
    this.#io.attach(server);
  }

  /** Ends what is left. Sessions were told before; a goodbye that still waits for its client's next poll has a moment to be fetched. */
  async close(): Promise<void> {
    for (let waitedMs = 0; this.#io.engine.clientsCount > 0 && waitedMs < GOODBYE_MS; waitedMs += GOODBYE_LOOK_MS) {
      await new Promise((resolve) => setTimeout(resolve, GOODBYE_LOOK_MS));
    }
    this.#io.disconnectSockets(true);
    this.#io.engine.close();
  }

  /** The connect: `next` opens the connection for the client, or tells it the error. */
  #admit(socket: Socket, next: (error?: Error) => void): void {
    const { context, admission, stallMs } = this.#options;
    const leave = admission.enter(socket.request);
    let received = 0;
    socket.conn.on('packet', () => received++);
    const outlet = new SocketIoOutlet(socket, stallMs, (error) => {
      leave();
      next(Object.assign(new Error(messageOf(error)), { data: error }));
    });
    const session = new RosterSession(context, outlet, randomUUID(), () => received, 'io ');
    const inbox = new Inbox({ pause: () => {}, resume: () => {} }, session);
    this.#open.set(socket, { session, outlet, inbox });
    const gone = (): void => {
      leave();
      outlet.gone();
      session.closed();
    };
    socket.on('disconnect', gone);
    socket.conn.on('close', gone);
    socket.onAny((op: unknown, ...args: unknown[]) => this.#take(socket, op, args));
    const decoded = checkFrame({ ...socket.handshake.auth, op: 'connect', id: undefined });
    if (decoded.kind !== 'frame') {
      session.badFrame(decoded.reason);
      return;
    }
    void session.handle(decoded.frame).then(() => {
      if (session.isOpen) next();
    });
  }

  #take(socket: Socket, op: unknown, args: readonly unknown[]): void {
    const { session, outlet, inbox } = this.#open.get(socket) ?? {};
    if (session === undefined || outlet === undefined || inbox === undefined) return;
    const last = args.at(-1);
    const acknowledge: Acknowledge = typeof last === 'function' ? (answer) => last(answer) : undefined;
    const [argument] = args;
    if (inbox.size >= WAITING_MAX) session.badFrame(`more than ${WAITING_MAX} requests wait for an answer`);
    else if (!isOp(op) || op === 'connect') session.badFrame('there is no such event');
    else if (argument !== acknowledge && argument !== undefined && typeof argument !== 'function' && !isObject(argument)) {
      session.badFrame('the argument must be an object');
    } else inbox.take(checkFrame({ ...(isObject(argument) ? argument : {}), op, id: outlet.expectReply(acknowledge) }));
  }
}

function messageOf(error: unknown): string {
  return isObject(error) && typeof error.message === 'string' ? error.message : 'the connection was refused';
}
