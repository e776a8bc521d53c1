/**
 * Time for uploads. A request must arrive within a minute, and Node cuts off a slower one; a file of several hundred megabytes may need
 * longer. Node reports the lateness of a request once, so an excused upload gets its own time limit.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** Counted from the moment at which a usual request would be too late. The largest file then still arrives at 90 kB/s. */
const UPLOAD_MS = 3_600_000;

export interface HttpTimeouts {
  /** From the first byte of a request to the end of its headers. */
  readonly headersMs: number;
  /** From the first byte of a request to its last. */
  readonly requestMs: number;
  /** A connection without a request is closed after this. Longer than the usual limit of load balancers, so that they close first. */
  readonly keepAliveMs: number;
}

export const TIMEOUTS: HttpTimeouts = { headersMs: 10_000, requestMs: 60_000, keepAliveMs: 75_000 };

export class LongUploads {
  readonly #requests = new WeakMap<Socket, IncomingMessage>();
  readonly #limitMs: number;

  constructor(limitMs = UPLOAD_MS) {
    this.#limitMs = limitMs;
  }

  /** Allows the body of this request to take long. */
  expect(request: IncomingMessage): void {
    this.#requests.set(request.socket, request);
  }

  /** Whether the connection may stay open although Node reported its request as late. */
  excuses(error: Error & { readonly code?: string }, socket: Socket): boolean {
    const request = this.#requests.get(socket);
    if (error.code !== 'ERR_HTTP_REQUEST_TIMEOUT' || request === undefined || request.complete) return false;
    const timer = setTimeout(() => socket.destroy(), this.#limitMs);
    request.once('close', () => clearTimeout(timer));
    return true;
  }
}
