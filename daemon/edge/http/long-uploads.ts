/**
 * Time for uploads. A request must arrive within a minute, and Node cuts off what takes longer; a file of some hundred
 * megabytes may take longer. Node tells a request's lateness once, so an upload that is excused gets a limit of its own.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** From the moment a usual request would have been too late. The largest file then still arrives at 90 kB/s. */
const UPLOAD_MS = 3_600_000;

export class LongUploads {
  readonly #requests = new WeakMap<Socket, IncomingMessage>();
  readonly #limitMs: number;

  constructor(limitMs = UPLOAD_MS) {
    this.#limitMs = limitMs;
  }

  /** The body of this request may take long. */
  expect(request: IncomingMessage): void {
    this.#requests.set(request.socket, request);
  }

  /** Whether the connection may go on although Node found its request to be late. */
  excuses(error: Error & { readonly code?: string }, socket: Socket): boolean {
    const request = this.#requests.get(socket);
    if (error.code !== 'ERR_HTTP_REQUEST_TIMEOUT' || request === undefined || request.complete) return false;
    const timer = setTimeout(() => socket.destroy(), this.#limitMs);
    request.once('close', () => clearTimeout(timer));
    return true;
  }
}
