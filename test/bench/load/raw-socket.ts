/** A WebSocket client on a plain TCP socket: handshake by hand, frames counted and not decoded, one read buffer for all. */
import { connect, type Socket } from 'node:net';
import { FrameCounter } from './frame-counter.ts';

/** Shared by all sockets: what is read is looked at before the next read. */
const READ_BUFFER = Buffer.alloc(256 * 1024);
const PONG = Buffer.from([0x8a, 0x80, 0, 0, 0, 0]);

export interface RawOptions {
  readonly port: number;
  readonly path: string;
  readonly protocol?: string;
  /** What the client offers, as in the header. */
  readonly extensions?: string;
}

export class RawSocket {
  events = 0;
  bytes = 0;
  closedWith: number | undefined;
  /** Called for each piece of the stream with events in it; `first` is the index of the first of them on this socket. */
  onEvents: ((first: number, count: number) => void) | undefined;
  onText: (text: string) => void = () => {};
  readonly #socket: Socket;
  readonly #frames: FrameCounter;
  /** The answer to the upgrade, until it is whole. */
  #head: string | undefined = '';
  #opened: () => void = () => {};
  #failed: (error: Error) => void = () => {};
  #isOver = false;

  private constructor({ port, path, protocol, extensions }: RawOptions) {
    this.#frames = new FrameCounter({
      events: (count) => this.took(count),
      text: (text) => this.onText(text),
      ping: () => this.#socket.write(PONG),
      close: (code) => {
        this.closedWith = code;
      },
    });
    this.#socket = connect({
      port,
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: READ_BUFFER,
        callback: (bytes, buffer) => {
          this.#read(bytes, buffer as Buffer);
          return true;
        },
      },
    });
    const wanted =
      (protocol === undefined ? '' : `Sec-WebSocket-Protocol: ${protocol}\r\n`) +
      (extensions === undefined ? '' : `Sec-WebSocket-Extensions: ${extensions}\r\n`);
    this.#socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n${wanted}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
    );
    this.#socket.on('error', (error) => this.#failed(error));
    this.#socket.on('close', () => {
      this.#isOver = true;
      this.#failed(new Error('the server closed the connection'));
    });
  }

  static open(options: RawOptions): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const raw = new RawSocket(options);
      raw.#opened = () => resolve(raw);
      raw.#failed = reject;
    });
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** So many events have arrived. */
  took(count: number): void {
    const first = this.events;
    this.events += count;
    this.onEvents?.(first, count);
  }

  #read(bytes: number, buffer: Buffer): void {
    this.bytes += bytes;
    if (this.#head === undefined) {
      this.#frames.take(buffer, bytes);
      return;
    }
    this.#head += buffer.toString('latin1', 0, bytes);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const rest = Buffer.from(this.#head.slice(end + 4), 'latin1');
    if (!this.#head.startsWith('HTTP/1.1 101')) this.#failed(new Error(this.#head.slice(0, end)));
    this.#head = undefined;
    this.#opened();
    this.#frames.take(rest, rest.length);
  }

  /** Masked with zeros, which is masking enough for a benchmark. */
  send(text: string): void {
    const length = Buffer.byteLength(text);
    const header = length < 126 ? Buffer.from([0x81, 0x80 | length]) : Buffer.from([0x81, 0xfe, length >> 8, length & 0xff]);
    this.#socket.write(Buffer.concat([header, Buffer.alloc(4), Buffer.from(text)]));
  }

  /** Resolves with the next text that is no event and that is `wanted`. */
  text(wanted: (text: string) => boolean): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#failed = reject;
      this.onText = (text) => {
        if (wanted(text)) resolve(text);
        else if (text.includes('"error"')) reject(new Error(text));
      };
    });
  }

  pause(): void {
    this.#socket.pause();
  }

  /** Cuts it without a goodbye and without leaving the port in TIME_WAIT. */
  cut(): void {
    this.#failed = () => {};
    this.#socket.resetAndDestroy();
  }
}
