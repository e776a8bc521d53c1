/** A daemon as `rosterd watch` sees it: it speaks Socket.IO, and on each connection does what a script says. */
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket as TcpSocket, connect as tcpConnect } from 'node:net';
import type { TestContext } from 'node:test';
import { Server, type Socket } from 'socket.io';
import { CLOSE } from '../../../protocol/live/close-codes.ts';

export type Frame = Record<string, unknown>;

/** One connection, as the daemon would act on it. */
export class FakePeer {
  readonly #socket: Socket;
  /** Resolves when the watcher is gone, with how Socket.IO calls that. */
  readonly gone: Promise<string>;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.gone = new Promise((resolve) => socket.once('disconnect', (reason) => resolve(reason)));
  }

  send(...frames: readonly unknown[]): void {
    for (const frame of frames) this.#socket.emit('event', frame);
  }

  /** Answers requests of this kind. */
  answer(op: string, answer: (frame: Frame) => Frame): void {
    this.#socket.on(op, (frame: Frame, reply: (answer: Frame) => void) => reply(answer(frame)));
  }

  /** Says goodbye as the daemon does. */
  close(code: number, reason = 'goodbye'): void {
    const reconnect = Object.values(CLOSE).find((spec) => spec.code === code)?.reconnect ?? false;
    this.send({ type: 'connection.closed', code, reason, reconnect });
    this.#socket.disconnect(true);
  }

  /** Is gone without a word. */
  cut(): void {
    this.#socket.conn.close(true);
  }

  /** Sends a packet that Engine.IO or Socket.IO does not know. */
  sendRaw(packet: string): void {
    const options = { compress: false, wsPreEncodedFrame: [Buffer.from([0x81, packet.length]), Buffer.from(packet)] };
    this.#socket.conn.write('', options);
  }
}

/** What the daemon does on one connection once it is open, or the error with which it refuses it. */
export type Script = ((peer: FakePeer, connect: Frame) => void) | { readonly refuse: Frame };

export interface FakeLive {
  readonly url: string;
  /** What each connection said to be let in. */
  readonly connects: Frame[];
  readonly transports: string[];
  /** Requests for a connection that were turned away before the handshake. */
  turnedAway: number;
}

export interface FakeLiveOptions {
  /** Path before `/socket.io`. */
  readonly base?: string;
  /** Turns requests for a connection away before the handshake while it gives a reason, as the daemon does. */
  readonly refusal?: () => string | undefined;
}

/** Plays one script per connection; the last one again for those after. */
export async function fakeLive(
  t: TestContext,
  scripts: readonly Script[],
  { base = '', refusal }: FakeLiveOptions = {},
): Promise<FakeLive> {
  const http = createServer((_request, response) => response.writeHead(404).end());
  const live = { url: '', connects: [] as Frame[], transports: [] as string[], turnedAway: 0 };
  const io = new Server(http, {
    path: `${base}/socket.io`,
    serveClient: false,
    destroyUpgrade: false,
    allowRequest: (request, answer) => {
      const reason = request.url?.includes('sid=') ? undefined : refusal?.();
      if (reason !== undefined) live.turnedAway++;
      answer(reason, reason === undefined);
    },
  });
  http.on('upgrade', (request, socket) => {
    if (request.url?.startsWith(`${base}/socket.io/`)) return;
    socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  const scriptOf = (): Script | undefined => scripts[Math.min(live.connects.length, scripts.length) - 1];
  io.use((socket, next) => {
    live.connects.push(socket.handshake.auth);
    live.transports.push(socket.conn.transport.name);
    const script = scriptOf();
    if (script === undefined || typeof script === 'function') next();
    else next(Object.assign(new Error(String(script.refuse.message)), { data: script.refuse }));
  });
  io.on('connection', (socket) => {
    const script = scriptOf();
    if (typeof script === 'function') script(new FakePeer(socket), socket.handshake.auth);
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  live.url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  t.after(async () => {
    io.disconnectSockets(true);
    http.closeAllConnections();
    await io.close();
  });
  return live;
}

export interface FrozenLink {
  readonly url: string;
  /** Nothing passes any more on the connections that there are, and nobody is told. New ones are not concerned. */
  freeze(): void;
  /** Connections whose watcher has not closed its end. */
  readonly open: number;
}

/** A network between the watcher and `url` that can die without a sign. */
export async function frozenLink(t: TestContext, url: string): Promise<FrozenLink> {
  const pairs = new Set<readonly [TcpSocket, TcpSocket]>();
  const server = createTcpServer((near) => {
    const far = tcpConnect(Number(new URL(url).port), '127.0.0.1');
    const pair = [near, far] as const;
    pairs.add(pair);
    near.on('error', () => {}).on('close', () => pairs.delete(pair) && far.destroy());
    far.on('error', () => {}).on('close', () => near.destroy());
    near.on('data', (data) => far.write(data));
    far.on('data', (data) => near.write(data));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const [near] of pairs) near.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    freeze: () => {
      for (const [near, far] of pairs) {
        far.removeAllListeners('data').pause();
        // What the watcher sends is swallowed, so that its end of the connection is still seen.
        near.removeAllListeners('data').on('data', () => {});
      }
    },
    get open() {
      return pairs.size;
    },
  };
}
