/** A live connection as a test drives it: every frame is kept, and a test waits for frames instead of for time. */
import { WebSocket } from 'ws';
import { assertNoSecret } from '../http/secrecy.ts';
import { type Frame, Received } from './received.ts';

export class LiveClient {
  readonly ws: WebSocket;
  readonly #received = new Received();
  /** Settles with the close code and reason. */
  readonly closed: Promise<{ code: number; reason: string }>;
  #nextId = 1;

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data) => this.#read(data.toString()));
    ws.on('error', () => {});
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        this.#received.end(new Error(`closed with ${code} ${reason.toString()}`));
        resolve({ code, reason: reason.toString() });
      });
    });
  }

  static open(url: string, options: Record<string, unknown> = {}): Promise<LiveClient> {
    return new Promise((resolve, reject) => {
      const client = new LiveClient(new WebSocket(url, url.includes('/live') ? ['roster.v1'] : [], options));
      client.ws.once('open', () => resolve(client));
      client.ws.once('error', reject);
    });
  }

  #read(text: string): void {
    const frame = JSON.parse(text);
    if (frame.error !== undefined || frame.type === 'connection.error') assertNoSecret(text, 'an error');
    this.#received.take(frame);
  }

  /** Everything received, in order. */
  get frames(): Frame[] {
    return this.#received.frames;
  }

  /** See `Received.until`. */
  until(...[wanted, what]: Parameters<Received['until']>): Promise<Frame> {
    return this.#received.until(wanted, what);
  }

  /** See `Received.next`. */
  next(...[wanted, what]: Parameters<Received['next']>): Promise<Frame> {
    return this.#received.next(wanted, what);
  }

  /** Sends a frame with a request id and gives the answer; rejects with the error body when it is one. */
  async request(frame: Record<string, unknown>): Promise<Frame> {
    const id = `r${this.#nextId++}`;
    const answer = this.next((candidate) => candidate.re === id, `the answer to ${frame.op}`);
    this.send({ ...frame, id });
    const got = await answer;
    if (got.error !== undefined) throw Object.assign(new Error(got.error.message), { body: got.error });
    return got;
  }

  send(frame: unknown): void {
    this.ws.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** Events about users, in the order they came. */
  get events(): Frame[] {
    return this.frames.filter(({ type, seq }) => typeof type === 'string' && type.startsWith('user.') && seq !== undefined);
  }

  /** Cuts the connection without a goodbye. */
  terminate(): void {
    this.ws.terminate();
  }
}
