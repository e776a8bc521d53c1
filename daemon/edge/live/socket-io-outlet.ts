/**
 * A Socket.IO connection as the hub sees it. What the hub prepared as
 * WebSocket frames goes out as it is when the transport is a WebSocket, through
 * Engine.IO's queue, so that it keeps its order with everything else; over long
 * polling the same frames are taken apart into packets.
 *
 * Until the connection is open for the client, what is to be sent waits here.
 */
import type { Socket } from 'socket.io';
import { CLOSE, type CloseReason } from '../../../protocol/close-codes.ts';
import { eachText } from '../../pipeline/frame.ts';
import type { SessionOutlet } from './session-outlet.ts';
import { NEARLY_EMPTY_BYTES } from './socket-outlet.ts';

/** How a refused connect is told; only the first call counts. */
export type Refuse = (error: unknown) => void;

type Reply = (answer: object) => void;

export class SocketIoOutlet implements SessionOutlet {
  readonly #socket: Socket;
  readonly #stallMs: number;
  readonly #replies = new Map<string, Reply>();
  /** Called whenever something was taken by the transport, and at the end. */
  readonly #waiters = new Set<() => void>();
  #waiting: (() => void)[] | undefined = [];
  #onRefused: Refuse | undefined;
  #queued = 0;
  #nextReply = 1;
  #open = true;

  /** `stallMs`: a peer that takes nothing for so long while bytes wait for it is closed as slow. */
  constructor(socket: Socket, stallMs: number, onRefused: Refuse) {
    this.#socket = socket;
    this.#stallMs = stallMs;
    this.#onRefused = onRefused;
  }

  get queuedBytes(): number {
    return this.#queued;
  }

  /** The client was told that the connection is open: what waited follows. */
  opened(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    this.#onRefused = undefined;
    for (const send of waiting) send();
  }

  /** The connection is gone. */
  gone(): void {
    this.#open = false;
    this.#replies.clear();
    for (const wake of this.#waiters) wake();
  }

  /** A request id under which an answer reaches the acknowledgement of the client. */
  expectReply(reply: Reply | undefined): string | undefined {
    if (reply === undefined) return undefined;
    const id = `ack ${this.#nextReply++}`;
    this.#replies.set(id, reply);
    return id;
  }

  write(frames: Buffer): void {
    this.#whenOpen(() => {
      this.#queued += frames.length;
      const taken = (): void => {
        this.#queued -= frames.length;
        for (const wake of this.#waiters) wake();
      };
      const { conn } = this.#socket;
      if (conn.transport.name === 'websocket') {
        const options = { compress: false, wsPreEncodedFrame: [frames] };
        // The text only matters where the frame cannot be used, which the transport's name has ruled out.
        conn.write('', options, taken);
        return;
      }
      const packets = [...eachText(frames)];
      for (const [index, packet] of packets.entries()) conn.write(packet.slice(1), {}, index === packets.length - 1 ? taken : undefined);
    });
  }

  send(message: object): void {
    const { re, ...body } = message as { re?: unknown; retry_ms?: unknown };
    const reply = typeof re === 'string' ? this.#replies.get(re) : undefined;
    if (this.#waiting !== undefined && 'error' in body) {
      this.#refuse(body.retry_ms === undefined ? body.error : { ...Object(body.error), retry_ms: body.retry_ms });
      return;
    }
    this.#whenOpen(() => {
      if (typeof re !== 'string' || reply === undefined) {
        this.#socket.emit('event', body);
        return;
      }
      this.#replies.delete(re);
      reply(body);
    });
  }

  /** Engine.IO has its own heartbeat. */
  ping(): void {}

  #whenOpen(send: () => void): void {
    if (!this.#open) return;
    if (this.#waiting === undefined) send();
    else this.#waiting.push(send);
  }

  #refuse(error: unknown): void {
    this.#onRefused?.(error);
    this.#onRefused = undefined;
  }

  async drained(): Promise<boolean> {
    while (this.#open && this.#queued > NEARLY_EMPTY_BYTES) {
      const queued = this.#queued;
      await this.#movedOrStalled();
      if (this.#open && this.#queued >= queued) this.close('slow');
    }
    return this.#open;
  }

  #movedOrStalled(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(done);
        resolve();
      };
      const timer = setTimeout(done, this.#stallMs);
      this.#waiters.add(done);
    });
  }

  /** Socket.IO has no close codes: the reason is an event of its own, the last one. */
  close(reason: CloseReason): void {
    if (!this.#open) return;
    const { code, reason: text, reconnect } = CLOSE[reason];
    const isOpening = this.#waiting !== undefined;
    if (isOpening) this.#refuse({ code: -1, message: text, StatusCode: 503 });
    else this.#socket.emit('event', { type: 'connection.closed', code, reason: text, reconnect });
    this.gone();
    // A refused connection is left to the client, which would otherwise not get to see the refusal; if it stays, a timeout ends it.
    if (!isOpening) this.#socket.disconnect(true);
  }
}
