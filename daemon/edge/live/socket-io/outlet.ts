/**
 * A Socket.IO connection as the hub sees it. If the transport is a WebSocket, the frames that the hub prepared go out unchanged, through
 * Engine.IO's queue, so that they keep their order with everything else; over long polling the same frames are split into packets.
 *
 * The first message decides the connect: `connection.ok` opens the connection for the client, an error refuses it. Until the client has
 * received it, all other messages wait here.
 *
 * The client libraries reconnect by themselves when the transport ends, but not when the server ends the namespace or refuses it. So where
 * another attempt can help, only the transport ends, after the same goodbye; even a connect that is refused for the moment is first
 * accepted. Engine.IO's own `close` packet counts as final for some clients, and is never sent.
 */
import type { Socket } from 'socket.io';
import { WebSocket } from 'ws';
import { CLOSE, type CloseReason } from '../../../../protocol/live/close-codes.ts';
import { eachText } from '../../../pipeline/tell/frame.ts';
import type { Traffic } from '../live-counts.ts';
import { ANSWERS_BYTES_MAX, CLOSE_GRACE_MS, type SessionOutlet } from '../session/outlet.ts';
import { NEARLY_EMPTY_BYTES } from '../websocket/outlet.ts';
import type { PackedFrames } from '../websocket/packed-frames.ts';

/** Receives the result of the connect, once: refused with this error, or accepted when there is none. */
export type Decided = (error?: unknown) => void;

type Reply = (answer: object) => void;

/** The part of an Engine.IO packet that is used here. */
interface EnginePacket {
  readonly data?: string | Buffer;
  readonly options?: { readonly wsPreEncodedFrame?: readonly Buffer[] };
}

export class SocketIoOutlet implements SessionOutlet {
  readonly #socket: Socket;
  readonly #stallMs: number;
  readonly #decided: Decided;
  readonly #packed: PackedFrames | undefined;
  readonly #traffic: Traffic;
  readonly #replies = new Map<string, Reply>();
  /** Called whenever the transport has taken something, and at the end. */
  readonly #waiters = new Set<() => void>();
  #connect: 'undecided' | 'accepted' | 'refused' = 'undecided';
  /** The error of a connect that is about to be refused. */
  #refusal: unknown;
  /** Messages that wait until the client knows that it is connected; undefined from then on. */
  #waiting: (() => void)[] | undefined = [];
  /** Bytes in Engine.IO's queue, and bytes that the transport has not handed to the kernel. */
  #inQueue = 0;
  #inTransport = 0;
  #isWatched = false;
  #nextReply = 1;
  #state: 'open' | 'closing' | 'gone' = 'open';
  /** The code of its goodbye; undefined while it has said none. */
  goodbye: number | undefined;

  /** `stallMs`: a peer that takes nothing for this long while bytes wait for it is closed as slow. */
  constructor(socket: Socket, stallMs: number, traffic: Traffic, decided: Decided, packed?: PackedFrames) {
    this.#socket = socket;
    this.#traffic = traffic;
    this.#stallMs = stallMs;
    this.#decided = decided;
    this.#packed = packed;
    socket.conn.on('packetCreate', this.#packetCreated);
    socket.conn.on('flush', this.#flushed);
  }

  /** All bytes that wait on this connection: events, answers, and Socket.IO's own packets. */
  get queuedBytes(): number {
    return this.#inQueue + this.#inTransport;
  }

  readonly #packetCreated = ({ data, options }: EnginePacket): void => {
    let bytes = data === undefined ? 0 : Buffer.byteLength(data);
    for (const frames of options?.wsPreEncodedFrame ?? []) bytes += frames.length;
    this.#inQueue += bytes;
    this.#traffic.bytesSent += bytes;
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
    this.#state = 'gone';
    this.#waiting = [];
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

  write(frames: Buffer, count: number): void {
    this.#whenOpen(() => {
      this.#traffic.framesSent += count;
      const { conn } = this.#socket;
      const ws = webSocketOf(conn);
      if (ws !== undefined) {
        const bytes = ws.extensions === '' ? frames : (this.#packed?.of(frames) ?? frames);
        // The text is used only where the frame cannot be, which no WebSocket is.
        const options = { compress: false, wsPreEncodedFrame: [bytes] };
        conn.write('', options);
        return;
      }
      for (const packet of eachText(frames)) conn.write(packet.slice(1), {});
    });
  }

  send(message: object): void {
    const { re, ...body } = message as { re?: unknown; type?: unknown; error?: unknown; retry_ms?: unknown };
    if (this.#connect === 'undecided') {
      if (body.type === 'connection.ok') this.#accept();
      else if (body.error !== undefined) this.#refusal = body.error;
    }
    const reply = typeof re === 'string' ? this.#replies.get(re) : undefined;
    this.#whenOpen(() => {
      this.#traffic.framesSent++;
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
    if (this.#state !== 'open') return;
    if (this.#waiting === undefined) send();
    else this.#waiting.push(send);
  }

  #accept(): void {
    this.#connect = 'accepted';
    this.#decided();
  }

  async drained(): Promise<boolean> {
    while (this.#state === 'open' && this.queuedBytes > NEARLY_EMPTY_BYTES) {
      if ((await this.#movedOrStalled(this.#stallMs)) === 'stalled') this.close('slow');
    }
    return this.#state === 'open';
  }

  /** Not every sender waits until its message is taken, so the connection checks for a stall itself. */
  async #watch(): Promise<void> {
    if (this.#isWatched) return;
    this.#isWatched = true;
    await this.drained();
    this.#isWatched = false;
  }

  #movedOrStalled(stallMs: number): Promise<'moved' | 'stalled'> {
    return new Promise((resolve) => {
      const done = (result: 'moved' | 'stalled'): void => {
        clearTimeout(timer);
        this.#waiters.delete(moved);
        resolve(result);
      };
      const moved = (): void => done('moved');
      const timer = setTimeout(() => done('stalled'), stallMs);
      this.#waiters.add(moved);
    });
  }

  /** Socket.IO has no close codes: the reason is a separate event, the last one. */
  close(reason: CloseReason): void {
    if (this.#state !== 'open') return;
    const { code, reason: text, reconnect } = CLOSE[reason];
    this.goodbye = code;
    if (this.#connect === 'undecided' && !reconnect) {
      // The client closes a refused connection; otherwise it might never see the refusal. If it does not, a timeout closes it.
      this.#connect = 'refused';
      this.#decided(this.#refusal ?? { code: -1, message: text, StatusCode: 503 });
      this.gone();
      return;
    }
    const sayGoodbye = (): void => {
      this.#socket.emit('event', { type: 'connection.closed', code, reason: text, reconnect });
      if (!reconnect) this.#socket.disconnect();
      void this.#end();
    };
    this.#state = 'closing';
    if (this.#waiting === undefined) sayGoodbye();
    else this.#waiting.push(sayGoodbye);
    if (this.#connect === 'undecided') this.#accept();
  }

  /** Ends the transport once the peer has taken the goodbye, or has had the time for it. */
  async #end(): Promise<void> {
    const overMs = performance.now() + CLOSE_GRACE_MS;
    for (let leftMs = CLOSE_GRACE_MS; leftMs > 0 && this.queuedBytes > 0; leftMs = overMs - performance.now()) {
      await this.#movedOrStalled(leftMs);
    }
    const { conn } = this.#socket;
    // Without a close frame, after which Java's client would wait for ever; and without a `close` packet, since no poll waits for one.
    webSocketOf(conn)?.terminate();
    conn.close(true);
  }
}

/** That of its transport; undefined for long polling. */
function webSocketOf({ transport }: Socket['conn']): WebSocket | undefined {
  return 'socket' in transport && transport.socket instanceof WebSocket ? transport.socket : undefined;
}
