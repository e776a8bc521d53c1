/**
 * The peers: small servers that do the same job without rosterd's promises. Each takes `POST /users` with the body that
 * rosterd takes, keeps the users in a Map, makes one event per user, and sends them to everyone who is connected.
 * No tokens, no validation, no disk.
 *
 * - `ws-loop` `for (c of clients) c.send(text)`, per event
 * - `ws-framed` a batch framed once, one `socket.write` per socket: the best that Node can do without waiting
 * - `ws-gathered` the same for all that came within 2 ms: the best that it can do for many small batches
 * - `socket.io` `io.emit`, per event
 * - `sends` `POST /sends` writes prepared bytes to some of the sockets: sending without deciding to whom, or what
 */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Server as SocketIo } from 'socket.io';
import { WebSocketServer } from 'ws';
import { textFrame } from '../../../daemon/pipeline/tell/frame.ts';
import { type BenchEvent, type BenchUser, eventOf } from '../kit/users.ts';

const [mode] = process.argv.slice(2);
const server = createServer();
const users = new Map<string, unknown>();
let seq = 0;

/** Before an event of `ws-gathered` is written. */
const GATHER_MS = 2;

/** Sends the events of one batch to everyone. */
let broadcast: (events: readonly BenchEvent[]) => void = () => {};
/** Who asked for `/some` gets only the users whose id begins with `told-`. */
const sockets: { readonly socket: Duplex; readonly isSome: boolean }[] = [];

if (mode === 'socket.io') {
  const io = new SocketIo(server, { transports: ['websocket'], perMessageDeflate: false, pingInterval: 600_000, serveClient: false });
  broadcast = (events) => {
    for (const event of events) io.emit('user', event);
  };
} else {
  const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false, maxPayload: 64 * 1024 });
  server.on('upgrade', (request, socket, head) => {
    wss.handleUpgrade(request, socket, head, (ws) => {
      const entry = { socket, isSome: request.url === '/some' };
      sockets.push(entry);
      ws.on('error', () => {});
      ws.on('close', () => sockets.splice(sockets.indexOf(entry), 1));
    });
  });
  const loop = (events: readonly BenchEvent[]): void => {
    for (const event of events) {
      const text = JSON.stringify(event);
      for (const client of wss.clients) client.send(text);
    }
  };
  broadcast = mode === 'ws-framed' ? writeFramed : mode === 'ws-gathered' ? gathered(writeFramed) : loop;
}

function writeFramed(events: readonly BenchEvent[]): void {
  const framed = (told: readonly BenchEvent[]) => Buffer.concat(told.map((event) => textFrame(JSON.stringify(event))));
  const all = framed(events);
  const some = sockets.some(({ isSome }) => isSome) ? framed(events.filter(({ user }) => user.id.startsWith('told-'))) : all;
  for (const { socket, isSome } of sockets) if (!isSome || some.length > 0) socket.write(isSome ? some : all);
}

function gathered(write: typeof broadcast): typeof broadcast {
  const waiting: BenchEvent[] = [];
  return (events) => {
    if (waiting.length === 0) setTimeout(() => write(waiting.splice(0)), GATHER_MS);
    waiting.push(...events);
  };
}

function takeUsers(body: string): void {
  const given: { readonly users: Record<string, BenchUser> } = JSON.parse(body);
  const atMs = Date.now();
  const events = Object.values(given.users).map((user) => {
    users.set(user.id, user);
    return eventOf(user, ++seq, atMs);
  });
  broadcast(events);
}

interface Sends {
  readonly turns: number;
  /** Sockets per turn. */
  readonly writes: number;
  /** Of an event's text, about. */
  readonly bytes: number;
  /** Events per write. Default 1. */
  readonly events?: number;
}

/** `turns` times, the bytes of so many events to each of `writes` sockets; pauses between turns so that the bytes can leave. */
async function send({ turns, writes, bytes, events = 1 }: Sends): Promise<void> {
  const frame = Buffer.concat(Array.from({ length: events }, () => textFrame(`{"type":"user.updated","x":"${'x'.repeat(bytes)}"}`)));
  let next = 0;
  for (let turn = 0; turn < turns; turn++) {
    for (let write = 0; write < writes; write++) sockets[next++ % sockets.length]?.socket.write(frame);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

server.on('request', async (request, response) => {
  if (request.url?.startsWith('/socket.io') === true) return;
  const body = await textOf(request);
  if (request.url === '/sends') await send(JSON.parse(body));
  else takeUsers(body);
  response.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': 2 }).end('{}');
});
// Connections of the load rest while others are measured; one that is closed just when it is used again would end the run.
server.keepAliveTimeout = 0;
server.headersTimeout = 0;
server.listen(0, '127.0.0.1', () => {
  console.log(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
