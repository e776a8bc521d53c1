/**
 * Requests that offer an upgrade to a protocol that is not supported here, such as `h2c` (`curl --http2`, Java's HttpClient). By HTTP they
 * are served as if they had not offered it (RFC 9110 §7.8), but Node passes each of them to the upgrade listener, with its body unread.
 */
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';

/** Headers that concern only the two ends of one connection; `http2-settings` belongs to the upgrade. */
const LEFT_OUT: ReadonlySet<string> = new Set(['upgrade', 'connection', 'http2-settings']);

/** Returns the connection to the server as if it were new, with the same request at its start, without the offer. */
export function serveWithoutUpgrade(server: Server, request: IncomingMessage, socket: Duplex, head: Buffer): void {
  const lines = [`${request.method} ${request.url} HTTP/${request.httpVersion}`];
  for (let at = 0; at < request.rawHeaders.length; at += 2) {
    const [name = '', value = ''] = request.rawHeaders.slice(at, at + 2);
    if (!LEFT_OUT.has(name.toLowerCase())) lines.push(`${name}: ${value}`);
  }
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]));
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket);
}
