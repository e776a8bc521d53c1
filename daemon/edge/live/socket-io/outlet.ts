/**
 * A Socket.IO connection as the hub sees it. What the hub prepared as
 * WebSocket frames goes out as it is when the transport is a WebSocket, through
 * Engine.IO's queue, so that it keeps its order with everything else; over long
 * polling the same frames are taken apart into packets.
 *
 * The first message decides the connect: `connection.ok` opens the connection for
 * the client, an error refuses it. Until the client was told, what else is to be sent waits here.
 */
import type { Socket } from 'socket.io';
import { CLOSE, type CloseReason } from '../../../../protocol/live/close-codes.ts';
import { eachText } from '../../../pipeline/tell/frame.ts';
import { ANSWERS_BYTES_MAX, type SessionOutlet } from '../session/outlet.ts';
import { NEARLY_EMPTY_BYTES } from '../websocket/outlet.ts';

/** How the connect ended, told once: refused with this error, or accepted when there is none. */
export type Decided = (error?: unknown) => void;

type Reply = (answer: object) => void;

/** The part of an Engine.IO packet that counts. */
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
  /** Called whenever something was taken by the transport, and at the end. */
  readonly #waiters = new Set<() => void>();
  #connect: 'undecided' | 'accepted' | 'refused' = 'undecided';
  /** What waits for the client to be told that it is connected; undefined from then on. */
  #waiting: (() => void)[] | undefined = [];
  /** Bytes in Engine.IO's queue, and bytes that the transport has not handed to the kernel. */
  #inQueue = 0;
  #inTransport = 0;
  #isWatched = false;
  #nextReply = 1;
  #open = true;

  /** `stallMs`: a peer that takes nothing for so long while bytes wait for it is closed as slow. */
  constructor(socket: Socket, stallMs: number, decided: Decided) {
    this.#socket = socket;
    this.#stallMs = stallMs;
    this.#decided = decided;
    socket.conn.on('packetCreate', this.#packetCreated);
    socket.conn.on('flush', this.#flushed);
  }

  /** Everything that waits on this connection: events, answers, and what Socket.IO says by itself. */
  get queuedBytes(): number {
    return this.#inQueue + this.#inTransport;
  }

  readonly #packetCreated = ({ data, options }: EnginePacket): void => {
    for (const frames of options?.wsPreEncodedFrame ?? []) this.#inQueue += frames.length;
    if (data !== undefined) this.#inQueue += Buffer.byteLength(data);
    if (this.queuedBytes > ANSWERS_BYTES_MAX) void this.#watch();
  };

  /** The whole queue goes to the transport, which has room for one batch and says when it is taken. */
  readonly #flushed = (): void => {
    const bytes = this.#inQueue;
    this.#inQueue = 0;
    this.#inTransport += bytes;
    this.#socket.conn.transport.once('drain', () => {
      this.#inTransport -= bytes;
      for (const wake of this.#waiters) wake();
    });
  };

  /** The client was told that the connection is open: what waited follows. */
  opened(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const send of waiting) send();
  }

  /** The connection is gone. */
  gone(): void {
    this.#open = false;
    this.#replies.clear();
    this.#socket.conn.off('packetCreate', this.#packetCreated);
    this.#socket.conn.off('flush', this.#flushed);
    for (const wake of this.#waiters) wake();
  }

  /** A request id under which an answer reaches the acknowledgement of the client. */
  expectReply(reply: Reply | undefined): string | undefined {
    if (reply === undefined) return undefined;
    const id = `ack ${this.#nextReply++}`;
    this.#replies.set(id, reply);
    return id;
  }

  /** Answers a request that has been dealt with and has no answer of its own. */
  settle(id: string): void {
    if (this.#replies.has(id)) this.send({ re: id });
  }

  write(frames: Buffer): void {
    this.#whenOpen(() => {
      const { conn } = this.#socket;
      if (conn.transport.name === 'websocket') {
        const options = { compress: false, wsPreEncodedFrame: [frames] };
        // The text only matters where the frame cannot be used, which the transport's name has ruled out.
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

  /** Not everything that is said is waited for by whoever said it, so the connection looks after itself. */
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

  /** Socket.IO has no close codes: the reason is an event of its own, the last one. */
  close(reason: CloseReason): void {
    if (!this.#open) return;
    const { code, reason: text, reconnect } = CLOSE[reason];
    // A refused connection is left to the client, which would otherwise not get to see the refusal; if it stays, a timeout ends it.
    if (this.#connect === 'undecided') this.#refuse({ code: -1, message: text, StatusCode: 503 });
    else if (this.#connect === 'accepted') {
      this.#whenOpen(() => {
        this.#socket.emit('event', { type: 'connection.closed', code, reason: text, reconnect });
        this.#socket.disconnect(true);
      });
    }
    this.gone();
    // Engine.IO would wait for its queue to empty, which this peer does not do.
    if (reason === 'slow') setTimeout(() => this.#socket.conn.close(true), CLOSE_GRACE_MS).unref();
  }
}
