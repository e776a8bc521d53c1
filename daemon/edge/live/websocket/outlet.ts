/**
 * A live socket as the hub sees it. Prepared frames go straight to the raw socket that the upgrade handed over; `ws` handles the handshake,
 * the reading side, control frames and closing. The two never interleave inside a message: `ws` writes whole control frames only, which
 * are never compressed, because no message is sent through it.
 */
import type { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';
import { CLOSE, type CloseReason } from '../../../../protocol/live/close-codes.ts';
import { textFrame } from '../../../pipeline/tell/frame.ts';
import type { Traffic } from '../live-counts.ts';
import { CLOSE_GRACE_MS, type SessionOutlet } from '../session/outlet.ts';
import type { PackedFrames } from './packed-frames.ts';
import { pingNow } from './ping.ts';

/** A queue below this counts as drained. So does one below the stream's own mark, since the stream then sends no further `drain`. */
export const NEARLY_EMPTY_BYTES = 32 * 1024;

export class SocketOutlet implements SessionOutlet {
  readonly #ws: WebSocket;
  readonly #socket: Duplex;
  readonly #stallMs: number;
  readonly #nearlyEmptyBytes: number;
  readonly traffic: Traffic;
  readonly #packed: PackedFrames | undefined;
  #open = true;
  /** The code of its goodbye; undefined while it has said none. */
  goodbye: number | undefined;

  /**
   * `stallMs`: a peer that takes nothing for this long while bytes wait for it is closed as slow. `packed`: undefined when the peer takes no
   * compressed messages.
   */
  constructor(ws: WebSocket, socket: Duplex, stallMs: number, traffic: Traffic, packed?: PackedFrames) {
    this.#ws = ws;
    this.#packed = packed;
    this.traffic = traffic;
    this.#socket = socket;
    this.#stallMs = stallMs;
    this.#nearlyEmptyBytes = Math.max(NEARLY_EMPTY_BYTES, socket.writableHighWaterMark);
  }

  /** Tells it that the connection is gone. */
  gone(): void {
    this.#open = false;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  write(frames: Buffer, count: number): void {
    if (!this.#open) return;
    const bytes = this.#packed === undefined ? frames : this.#packed.of(frames);
    this.traffic.framesSent += count;
    this.traffic.bytesSent += bytes.length;
    this.#socket.write(bytes);
  }

  send(message: object): void {
    this.write(textFrame(JSON.stringify(message)), 1);
  }

  /** The pong brings the time back: nothing has to be kept for it. */
  ping(): void {
    if (this.#open) this.#ws.ping(pingNow());
  }

  async drained(): Promise<boolean> {
    while (this.#isUsable && this.#socket.writableLength > this.#nearlyEmptyBytes) {
      const waiting = this.#socket.writableLength;
      if ((await this.#drainOrStall()) === 'stalled' && this.#socket.writableLength >= waiting) this.close('slow');
    }
    return this.#isUsable;
  }

  /** A socket is destroyed before its connection is gone. */
  get #isUsable(): boolean {
    return this.#open && !this.#socket.destroyed;
  }

  #drainOrStall(): Promise<'moved' | 'stalled'> {
    return new Promise((resolve) => {
      const done = (result: 'moved' | 'stalled'): void => {
        clearTimeout(timer);
        this.#socket.off('drain', moved);
        this.#socket.off('close', moved);
        resolve(result);
      };
      const moved = (): void => done('moved');
      const timer = setTimeout(() => done('stalled'), this.#stallMs);
      this.#socket.once('drain', moved);
      this.#socket.once('close', moved);
    });
  }

  /** Sends the close frame. Nothing is written after it. */
  close(reason: CloseReason): void {
    if (!this.#open) return;
    this.#open = false;
    const { code, reason: text } = CLOSE[reason];
    this.goodbye = code;
    this.#ws.close(code, text);
    setTimeout(() => this.#ws.terminate(), CLOSE_GRACE_MS).unref();
  }
}
