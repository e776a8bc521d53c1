/**
 * A Socket.IO connection as the hub sees it. If the transport is a WebSocket, the frames that the hub prepared go out unchanged, through
 * Engine.IO's queue, so that they keep their order with everything else; over long polling the same frames are split into packets.
 *
 * The first message decides the connect: `connection.ok` opens the connection for the client, an error refuses it. Until the client has
 * received it, all other messages wait here.
 */
import type { Socket } from 'socket.io';
import { CLOSE, type CloseReason } from '../../../../protocol/live/close-codes.ts';
import { eachText } from '../../../pipeline/tell/frame.ts';
import { ANSWERS_BYTES_MAX, type SessionOutlet } from '../session/outlet.ts';
import { NEARLY_EMPTY_BYTES } from '../websocket/outlet.ts';

/** Receives the result of the connect, once: refused with this error, or accepted when there is none. */
export type Decided = (error?: unknown) => void;

type Reply = (answer: object) => void;

/** The part of an Engine.IO packet that is used here. */
interface EnginePacket {
  readonly data?: string | Buffer;
  readonly options?: { readonly wsPreEncodedFrame?: readonly Buffer[] };
}

/** A slow peer that does not take the goodbye either is cut off after this. */
const CLOSE_GRACE_MS = 3_000;

export class SocketIoOutlet implements SessionOutlet {
  readonly #socket: Socket;
  readonly #stallMs: number;
  readonly #decided: Decided;
  readonly #replies = new Map<string, Reply>();
  /** Called whenever the transport has taken something, and at the end. */
  readonly #waiters = new Set<() => void>();
  #connect: 'undecided' | 'accepted' | 'refused' = 'undecided';
  /** Messages that wait until the client knows that it is connected; undefined from then on. */
  #waiting: (() => void)[] | undefined = [];
  /** Bytes in Engine.IO's queue, and bytes that the transport has not handed to the kernel. */
  #inQueue = 0;
  #inTransport = 0;
  #isWatched = false;
  #nextReply = 1;
  #open = true;

  /** `stallMs`: a peer that takes nothing for this long while bytes wait for it is closed as slow. */
  constructor(socket: Socket, stallMs: number, decided: Decided) {
    this.#socket = socket;
    this.#stallMs = stallMs;
    this.#decided = decided;
    socket.conn.on('packetCreate', this.#packetCreated);
    socket.conn.on('flush', this.#flushed);
  }

  /** All bytes that wait on this connection: events, answers, and Socket.IO's own packets. */
  get queuedBytes(): number {
    return this.#inQueue + this.#inTransport;
  }

  readonly #packetCreated = ({ data, options }: EnginePacket): void => {
    for (const frames of options?.wsPreEncodedFrame ?? []) this.#inQueue += frames.length;
    if (data !== undefined) this.#inQueue += Buffer.byteLength(data);
    if (this.queuedBytes > ANSWERS_BYTES_MAX) void this.#watch();
  };

  /** The whole queue goes to the transport, which has room for one batch and reports when it is taken. */
  readonly #flushed = (): void => {
    const bytes = this.#inQueue;
    this.#inQueue = 0;
    this.#inTransport += bytes;
    this.#socket.conn.transport.once('drain', () => {
      this.#inTransport -= bytes;
      for (const wake of this.#waiters) wake();
    });
  };

  /** Called when the client knows that the connection is open: the waiting messages follow. */
  opened(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const send of waiting) send();
  }

  /** Called when the connection has closed. */
  gone(): void {
    this.#open = false;
    this.#replies.clear();
    this.#socket.conn.off('packetCreate', this.#packetCreated);
    this.#socket.conn.off('flush', this.#flushed);
    for (const wake of this.#waiters) wake();
  }

  /** A request id that routes an answer to the acknowledgement of the client. */
  expectReply(reply: Reply | undefined): string | undefined {
    if (reply === undefined) return undefined;
    const id = `ack ${this.#nextReply++}`;
    this.#replies.set(id, reply);
    return id;
  }

  /** Answers a handled request that has no answer of its own. */
  settle(id: string): void {
    if (this.#replies.has(id)) this.send({ re: id });
  }

  write(frames: Buffer): void {
    this.#whenOpen(() => {
      const { conn } = this.#socket;
      if (conn.transport.name === 'websocket') {
        const options = { compress: false, wsPreEncodedFrame: [frames] };
        // The text is used only where the frame cannot be, which the check of the transport's name has excluded.
        conn.write('', options);
        return;
      }
      for (const packet of eachText(frames)) conn.write(packet.slice(1), {});
    });
  }

  send(message: object): void {
    const { re, ...body } = message as { re?: unknown; type?: unknown; error?: unknown; retry_ms?: unknown };
    if (this.#connect === 'undecided') {
      if (body.error !== undefined)
        this.#refuse(body.retry_ms === undefined ? body.error : { ...Object(body.error), retry_ms: body.retry_ms });
      else if (body.type === 'connection.ok') this.#accept();
    }
    const reply = typeof re === 'string' ? this.#replies.get(re) : undefined;
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
    else if (this.#connect === 'accepted') this.#waiting.push(send);
  }

  #accept(): void {
    this.#connect = 'accepted';
    this.#decided();
  }

  #refuse(error: unknown): void {
    this.#connect = 'refused';
    this.#decided(error);
  }

  async drained(): Promise<boolean> {
    while (this.#open && this.queuedBytes > NEARLY_EMPTY_BYTES) {
      if ((await this.#movedOrStalled()) === 'stalled') this.close('slow');
    }
    return this.#open;
  }

  /** Not every sender waits until its message is taken, so the connection checks for a stall itself. */
  async #watch(): Promise<void> {
    if (this.#isWatched) return;
    this.#isWatched = true;
    await this.drained();
    this.#isWatched = false;
  }

  #movedOrStalled(): Promise<'moved' | 'stalled'> {
    return new Promise((resolve) => {
      const done = (result: 'moved' | 'stalled'): void => {
        clearTimeout(timer);
        this.#waiters.delete(moved);
        resolve(result);
      };
      const moved = (): void => done('moved');
      const timer = setTimeout(() => done('stalled'), this.#stallMs);
      this.#waiters.add(moved);
    });
  }

  /** Socket.IO has no close codes: the reason is a separate event, the last one. */
  close(reason: CloseReason): void {
    if (!this.#open) return;
    const { code, reason: text, reconnect } = CLOSE[reason];
    // The client closes a refused connection; otherwise it might never see the refusal. If it does not, a timeout closes it.
    if (this.#connect === 'undecided') this.#refuse({ code: -1, message: text, StatusCode: 503 });
    else if (this.#connect === 'accepted') {
      this.#whenOpen(() => {
        this.#socket.emit('event', { type: 'connection.closed', code, reason: text, reconnect });
        this.#socket.disconnect(true);
      });
    }
    this.gone();
    // Engine.IO would wait for its queue to empty, which does not happen with this peer.
    if (reason === 'slow') setTimeout(() => this.#socket.conn.close(true), CLOSE_GRACE_MS).unref();
  }
}
