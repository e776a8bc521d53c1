/** A live connection over Socket.IO as a test drives it. */
import { io, type Socket } from 'socket.io-client';
import type { WebSocket } from 'ws';
import { type Frame, Received } from './received.ts';

/** An acknowledgement that a cut has taken never comes, and nobody says so. */
const ACK_MS = 10_000;

export interface IoOptions {
  readonly transports?: readonly ('websocket' | 'polling')[];
  /** Messages of its own from this many bytes on are compressed; false: it offers no compression. */
  readonly perMessageDeflate?: { readonly threshold: number } | false;
}

export class IoClient {
  readonly socket: Socket;
  readonly #received = new Received();

  constructor(url: string, auth: object, { transports = ['websocket'], ...options }: IoOptions = {}) {
    // The types of the client leave out what only Node's transport has.
    const more: object = { ...options, transports: [...transports], reconnection: false, forceNew: true };
    this.socket = io(url, { auth, ...more });
    this.socket.on('event', (frame: Frame) => this.#received.take(frame));
    this.socket.on('connect_error', (error) => this.#received.end(error));
  }

  /** Every `event`, in order. */
  get frames(): Frame[] {
    return this.#received.frames;
  }

  /** Resolves with `connection.ok`; rejects with what `connect_error` carries. */
  opened(): Promise<Frame> {
    return this.until(({ type }) => type === 'connection.ok');
  }

  /** See `Received.until`. */
  until(...[wanted, what]: Parameters<Received['until']>): Promise<Frame> {
    return this.#received.until(wanted, what);
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
