/** Servers that answer an HTTP request as none should: the table of what every outgoing request must survive. */
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createNetServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** What a server does with a connection on which a request has begun to arrive. It is called once for each. */
type Manner = (socket: Socket) => void;

const says =
  (text: string, end = false): Manner =>
  (socket) => {
    socket.write(text, 'latin1');
    if (end) socket.end();
  };

/** Writes again and again, until the peer goes. */
const floods =
  (begin: string, more: string, everyMs = 1): Manner =>
  (socket) => {
    socket.write(begin, 'latin1');
    const timer = setInterval(() => socket.write(more, 'latin1'), everyMs);
    socket.once('close', () => clearInterval(timer));
  };

const OK = 'HTTP/1.1 200 OK\r\n';

export const MANNERS = {
  '101 Switching Protocols': says('HTTP/1.1 101 Switching Protocols\r\nUpgrade: foo\r\nConnection: Upgrade\r\n\r\n'),
  '101 without an upgrade': says('HTTP/1.1 101 Switching Protocols\r\n\r\n'),
  'a close without an answer': (socket) => socket.end(),
  'a reset without an answer': (socket) => socket.resetAndDestroy(),
  'half a status line': says('HTTP/1.1 20', true),
  'half the headers, then silence': says(`${OK}Content-Type: text`),
  'half the headers, then a close': says(`${OK}Content-Type: text`, true),
  'a flood of 102': floods('', 'HTTP/1.1 102 Processing\r\n\r\n'),
  'endless headers': floods(OK, `X-More: ${'x'.repeat(500)}\r\n`),
  'an endless body': floods(`${OK}Transfer-Encoding: chunked\r\n\r\n`, `400\r\n${'x'.repeat(0x400)}\r\n`),
  'a body that never comes': says(`${OK}Content-Length: 10\r\n\r\n`),
  'a Content-Length that is too long': says(`${OK}Content-Length: 10\r\n\r\nshort`, true),
  'two different lengths': says(`${OK}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, true),
  'garbage in chunks': says(`${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
  'a redirect to itself': says('HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n'),
  'a reset after the head': (socket) => {
    socket.write(`${OK}Content-Length: 10\r\n\r\n`, () => socket.resetAndDestroy());
  },
  'no reading, no answer': (socket) => socket.pause(),
  'one byte a second': (socket) => {
    const text = `${OK}Content-Length: 0\r\n\r\n`;
    let at = 0;
    socket.write(text.charAt(at++));
    const timer = setInterval(() => socket.write(text.charAt(at++)), 1_000);
    socket.once('close', () => clearInterval(timer));
  },
  'a huge status line': says(`HTTP/1.1 200 ${'x'.repeat(100_000)}\r\n\r\n`),
  'HTTP/0.9': says('hello\n', true),
  'keep-alive, then a close': (socket) => {
    socket.write(`${OK}Connection: keep-alive\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy());
  },
  'an offer of h2c': says(`${OK}Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n`),
  '204 with a body': says('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello'),
  '407 Proxy Authentication Required': says(
    'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n',
  ),
  'bytes that are no HTTP': says('\x16\x03\x01\x00\x00garbage\x00\xff', true),
} satisfies Readonly<Record<string, Manner>>;

export type MannerName = keyof typeof MANNERS;
export const MANNER_NAMES = Object.keys(MANNERS) as readonly MannerName[];

export interface RudeServer {
  readonly url: string;
  /** While true, the server behaves as its manner says; then as `polite` does. */
  isRude: boolean;
}

/** A server on a port of its own. */
export async function rudeServer(
  t: TestContext,
  name: MannerName,
  polite: RequestListener = (_, response) => response.end(),
): Promise<RudeServer> {
  const manner: Manner = MANNERS[name];
  const good = createServer(polite);
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
    if (!rude.isRude) good.emit('connection', socket);
    else if (name === 'no reading, no answer') manner(socket);
    else socket.once('data', () => manner(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const rude = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, isRude: true };
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return rude;
}
