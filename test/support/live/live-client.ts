/** A live connection as a test drives it: every frame is kept, and a test waits for frames instead of for time. */
import { WebSocket } from 'ws';
import { assertNoSecret } from '../http/secrecy.ts';

// biome-ignore lint/suspicious/noExplicitAny: frames of every shape; asserting on a wrong one fails the test all the same
export type Frame = any;

interface Waiter {
  readonly wanted: (frame: Frame) => boolean;
  readonly resolve: (frame: Frame) => void;
  readonly reject: (error: Error) => void;
}

const PATIENCE_MS = 60_000;

export class LiveClient {
  readonly ws: WebSocket;
  /** Everything received, in order. */
  readonly frames: Frame[] = [];
  /** Settles with the close code and reason. */
  readonly closed: Promise<{ code: number; reason: string }>;
  #waiters: Waiter[] = [];
  #nextId = 1;

  private constructor(ws: WebSocket) {
    this.ws = ws;
    ws.on('message', (data) => this.#read(data.toString()));
    ws.on('error', () => {});
    this.closed = new Promise((resolve) => {
      ws.on('close', (code, reason) => {
        for (const waiter of this.#waiters) waiter.reject(new Error(`closed with ${code} ${reason.toString()}`));
        this.#waiters = [];
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
    this.#take(frame);
  }

  #take(frame: Frame): void {
    this.frames.push(frame);
    const due = this.#waiters.filter(({ wanted }) => wanted(frame));
    this.#waiters = this.#waiters.filter((waiter) => !due.includes(waiter));
    for (const { resolve } of due) resolve(frame);
  }

  /** The first frame, past or future, that is `wanted`. */
  until(wanted: (frame: Frame) => boolean, what = 'a frame'): Promise<Frame> {
    const past = this.frames.find(wanted);
    return past === undefined ? this.next(wanted, what) : Promise.resolve(past);
  }

  /** The next frame from now on that is `wanted`. */
  next(wanted: (frame: Frame) => boolean, what = 'a frame'): Promise<Frame> {
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
