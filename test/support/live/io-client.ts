/** A live connection over Socket.IO as a test drives it. */
import { io, type Socket } from 'socket.io-client';
import type { WebSocket } from 'ws';
import type { Frame } from './live-client.ts';

const PATIENCE_MS = 60_000;
/** An acknowledgement that a cut has taken never comes, and nobody says so. */
const ACK_MS = 10_000;

export interface IoOptions {
  readonly transports?: readonly ('websocket' | 'polling')[];
  /** Messages of its own from this many bytes on are compressed; false: it offers no compression. */
  readonly perMessageDeflate?: { readonly threshold: number } | false;
}

export class IoClient {
  readonly socket: Socket;
  /** Every `event`, in order. */
  readonly frames: Frame[] = [];
  #waiters: {
    readonly wanted: (frame: Frame) => boolean;
    readonly resolve: (frame: Frame) => void;
    readonly reject: (error: Error) => void;
  }[] = [];

  constructor(url: string, auth: object, { transports = ['websocket'], ...options }: IoOptions = {}) {
    // The types of the client leave out what only Node's transport has.
    const more: object = { ...options, transports: [...transports], reconnection: false, forceNew: true };
    this.socket = io(url, { auth, ...more });
    this.socket.on('event', (frame: Frame) => {
      this.frames.push(frame);
      const due = this.#waiters.filter(({ wanted }) => wanted(frame));
      this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter));
      for (const { resolve } of due) resolve(frame);
    });
    this.socket.on('connect_error', (error) => this.#reject(error));
  }

  /** Nobody waits any more. */
  #reject(error: Error): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  /** Resolves with `connection.ok`; rejects with what `connect_error` carries. */
  opened(): Promise<Frame> {
    return this.until(({ type }) => type === 'connection.ok');
  }

  /** The first frame, past or future, that is `wanted`. */
  until(wanted: (frame: Frame) => boolean, what = 'a frame'): Promise<Frame> {
    const past = this.frames.find(wanted);
    if (past !== undefined) return Promise.resolve(past);
    return new Promise((resolve, reject) => {
      // Made here, so that it says who waits.
      const late = new Error(`${what} did not come within ${PATIENCE_MS} ms`);
      const timer = setTimeout(() => reject(late), PATIENCE_MS);
      const settle =
        <T>(how: (value: T) => void) =>
        (value: T) => {
          clearTimeout(timer);
          how(value);
        };
      this.#waiters.push({ wanted, resolve: settle(resolve), reject: settle(reject) });
    });
  }

  /** Sends a verb and gives the answer, also when it is an error. */
  request(op: string, argument: object = {}): Promise<Frame> {
    return this.socket.timeout(ACK_MS).emitWithAck(op, argument);
  }

  get events(): Frame[] {
    return this.frames.filter(({ type, seq }) => typeof type === 'string' && type.startsWith('user.') && seq !== undefined);
  }

  /** Resolves with the reason when the connection ends. */
  get ended(): Promise<string> {
    if (this.socket.disconnected) return Promise.resolve('before');
    return new Promise((resolve) => this.socket.once('disconnect', (reason) => resolve(reason)));
  }

  /** The WebSocket below, while that is its transport. */
  get ws(): WebSocket {
    const { transport } = this.socket.io.engine as unknown as { transport: { ws: WebSocket } };
    return transport.ws;
  }

  close(): void {
    this.socket.disconnect();
  }
}
