/**
 * One keep-alive HTTP connection, one request at a time, on a plain socket: a client that costs next to nothing, so that
 * the server is what is measured. Understands answers with a Content-Length, which is all that the servers here send.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface HttpTarget {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export class HttpLine {
  readonly #port: number;
  #socket: Socket;
  /** Settled when the last request that was asked for has its answer. */
  #before: Promise<unknown> = Promise.resolve();
  #waiting: { readonly resolve: (status: number) => void; readonly reject: (error: Error) => void } | undefined;
  /** The beginning of an answer, until its headers are whole. */
  #head: Buffer = Buffer.alloc(0);
  #status = 0;
  /** Bytes of the body still to come; negative while the headers are. */
  #left = -1;

  private constructor(port: number) {
    this.#port = port;
    this.#socket = this.#connect();
  }

  #connect(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', (error) => this.#waiting?.reject(error));
    socket.on('close', () => this.#waiting?.reject(new Error('the server closed the connection')));
    return socket;
  }

  static async open(port: number): Promise<HttpLine> {
    const line = new HttpLine(port);
    await once(line.#socket, 'connect');
    return line;
  }

  static many(port: number, count: number): Promise<HttpLine[]> {
    return Promise.all(Array.from({ length: count }, () => HttpLine.open(port)));
  }

  /** Resolves with the status when the answer is whole; rejects when it is not a success. Waits for the request before it. */
  post(target: HttpTarget, body: Buffer): Promise<number> {
    const answer = this.#before.then(() => this.#send(target, body));
    this.#before = answer.catch(() => {});
    return answer;
  }

  #send({ path, headers = {} }: HttpTarget, body: Buffer): Promise<number> {
    const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `POST ${path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${extra.join('')}\r\n`;
    return new Promise<number>((resolve, reject) => {
      // Servers close connections that rest for long; a write to one would fail without a word.
      if (this.#socket.destroyed) this.#socket = this.#connect();
      this.#waiting = { resolve, reject };
      this.#socket.cork();
      this.#socket.write(head);
      this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  #take(chunk: Buffer): void {
    if (this.#left < 0) {
      this.#head = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
      const end = this.#head.indexOf('\r\n\r\n');
      if (end < 0) return;
      const text = this.#head.toString('latin1', 0, end);
      this.#status = Number(text.slice(9, 12));
      this.#left = Number(/^content-length: *(\d+)/im.exec(text)?.[1] ?? 0) - (this.#head.length - end - 4);
      if (this.#status >= 300) this.#waiting?.reject(new Error(`${text}\n${this.#head.toString('utf8', end, end + 500)}`));
      this.#head = Buffer.alloc(0);
    } else this.#left -= chunk.length;
    if (this.#left > 0) return;
    this.#left = -1;
    const { resolve } = this.#waiting ?? {};
    this.#waiting = undefined;
    resolve?.(this.#status);
  }

  close(): void {
    this.#socket.removeAllListeners('close').on('error', () => {});
    this.#socket.destroy();
  }
}

/** Sends the bodies over the lines, one in flight on each; gives the acknowledgement times in milliseconds. */
export async function postAll(lines: readonly HttpLine[], target: HttpTarget, bodies: Iterable<Buffer>): Promise<number[]> {
  const next = bodies[Symbol.iterator]();
  const acks: number[] = [];
  const worker = async (line: HttpLine): Promise<void> => {
    for (let one = next.next(); one.done !== true; one = next.next()) {
      const sentMs = performance.now();
      await line.post(target, one.value);
      acks.push(performance.now() - sentMs);
    }
  };
  await Promise.all(lines.map(worker));
  return acks;
}
