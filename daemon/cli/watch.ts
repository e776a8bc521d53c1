/**
 * The core of `rosterd watch`: stays connected to `/live` and hands on every event once and in order.
 *
 * Each event has a position of its own, so after a cut it resumes exactly behind the last one it has seen. Where that is
 * no longer possible it says so; it never goes on as if nothing were missing.
 */
import { WebSocket } from 'ws';
import { backoffMs } from '../../protocol/client/backoff.ts';
import { CLOSE } from '../../protocol/close-codes.ts';
import { LIVE_SUBPROTOCOL, type Sub } from '../../protocol/frames.ts';
import { isObject, parseObject } from '../../protocol/json.ts';
import { LIMITS } from '../../protocol/limits.ts';
import type { Position } from '../../protocol/position.ts';
import type { Clock } from '../jobs/clock.ts';
import { plain } from './watch-format.ts';

export type LiveEvent = Readonly<Record<string, unknown>>;

export interface WatchOptions {
  /** Of the daemon: `http://127.0.0.1:8800`. */
  readonly url: string;
  readonly apiKey: string;
  /** A server token, made anew for every connection. */
  readonly token: () => string;
  readonly interest: Pick<Sub, 'all' | 'ids' | 'filter'>;
}

export interface WatchDeps {
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads reconnects. */
  readonly random: () => number;
  /** Gets every event. A promise asks to receive no more until it has resolved. */
  readonly onEvent: (event: LiveEvent) => Promise<void> | undefined;
  readonly onTalk: (text: string) => void;
  readonly stop: AbortSignal;
}

/** `stopped` by the signal, or ended for a reason that trying again would not change. */
export type WatchEnd = { readonly kind: 'stopped' } | { readonly kind: 'refused'; readonly reason: string };

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
const HANDSHAKE_MS = 15_000;
const GOODBYE_MS = 1_000;
/** Silence of so many heartbeats means that the connection is dead. */
const SILENT_HEARTBEATS = 2.5;

/** Frames about the connection, not about users. */
const CHATTER: ReadonlySet<string> = new Set([
  'connection.ok',
  'connection.error',
  'health.check',
  'server.drain',
  'token.expiring',
  'sub.reset',
]);

/** How one connection ended. */
interface Ending {
  readonly reason: string;
  readonly isFinal: boolean;
  /** What the daemon asked to wait at least. */
  readonly waitMs: number;
}

export async function watch(options: WatchOptions, deps: WatchDeps): Promise<WatchEnd> {
  const { clock, random, stop, onTalk } = deps;
  let position: Position | undefined;
  let attempt = 0;
  while (!stop.aborted) {
    const connection = new Connection(options, deps, position);
    const { reason, isFinal, waitMs } = await connection.ended;
    if (stop.aborted) break;
    if (isFinal) return { kind: 'refused', reason };
    position = connection.position;
    attempt = connection.wasOpen ? 0 : attempt + 1;
    const pauseMs = waitMs + backoffMs(attempt, random, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
    onTalk(`not connected (${reason}); trying again in ${(pauseMs / 1_000).toFixed(1)} s`);
    await clock.sleep(pauseMs, stop);
  }
  return { kind: 'stopped' };
}

class Connection {
  /** Behind the last event seen here or before. */
  position: Position | undefined;
  wasOpen = false;
  readonly ended: Promise<Ending>;
  readonly #options: WatchOptions;
  readonly #deps: WatchDeps;
  readonly #socket: WebSocket;
  readonly #closed = new AbortController();
  #heartbeatMs: number = LIMITS.heartbeatMs;
  #lastSignMs: number;
  #isPaused = false;
  #drainMs = 0;
  /** What the daemon said was wrong, before it closed. */
  #error: { readonly code: unknown; readonly message: string } | undefined;
  #problem: { readonly text: string; readonly isFinal: boolean } | undefined;

  constructor(options: WatchOptions, deps: WatchDeps, position: Position | undefined) {
    this.#options = options;
    this.#deps = deps;
    this.position = position;
    this.#lastSignMs = deps.clock.now();
    const url = `${options.url.replace(/^http/, 'ws').replace(/\/+$/, '')}/live`;
    this.#socket = new WebSocket(url, [LIVE_SUBPROTOCOL], { handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false });
    this.ended = this.#run();
  }

  #run(): Promise<Ending> {
    const socket = this.#socket;
    const onStop = () => void this.#leave();
    this.#deps.stop.addEventListener('abort', onStop, { once: true });
    socket.on('open', () => this.#connect());
    socket.on('message', (data) => this.#receive(data.toString()));
    socket.on('ping', () => this.#sign());
    socket.on('unexpected-response', (_request, response) => {
      const status = response.statusCode ?? 0;
      // Too busy passes; an address without /live, or a proxy that forbids it, does not.
      this.#problem = { text: `the daemon answers ${status}`, isFinal: status < 500 && status !== 429 && status !== 408 };
      socket.terminate();
    });
    socket.on('error', (error) => {
      this.#problem ??= { text: error.message || error.name, isFinal: false };
    });
    void this.#watchForSilence();
    return new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#deps.stop.removeEventListener('abort', onStop);
        this.#closed.abort();
        resolve(this.#ending(code, reason.toString()));
      });
    });
  }

  /** Says goodbye, and does not wait long for the answer. */
  async #leave(): Promise<void> {
    this.#socket.close(CLOSE.normal.code);
    await this.#deps.clock.sleep(GOODBYE_MS, this.#closed.signal);
    this.#socket.terminate();
  }

  #connect(): void {
    const { apiKey, token, interest } = this.#options;
    // The subscription travels with the connect: between two frames an event could pass that belongs to neither.
    const subs = [{ sub: 'watch', ...interest, snapshot: false }];
    const resume = this.position === undefined ? {} : { resume: this.position };
    this.#socket.send(JSON.stringify({ op: 'connect', id: '1', api_key: apiKey, token: token(), ...resume, subs }));
  }

  #receive(text: string): void {
    this.#sign();
    const frame = parseObject(text);
    if (frame === undefined) {
      this.#fail('the daemon sent something that is not a frame of roster.v1');
      return;
    }
    if (isObject(frame.error)) {
      this.#error = { code: frame.error.code, message: plain(String(frame.error.message)) };
      // An answer with an error leaves the connection open, but without the subscription it is of no use.
      if (frame.type !== 'connection.error') this.#fail(this.#error.message);
      return;
    }
    if (frame.type === 'connection.ok') this.#opened(frame);
    else if (frame.type === 'server.drain' && typeof frame.retry_ms === 'number')
      this.#drainMs = Math.min(Math.max(0, frame.retry_ms), 60_000);
    else if (frame.type === 'sub.reset')
      this.#deps.onTalk('resync: the daemon started the subscription anew; changes before now may be missing');
    else if (typeof frame.type === 'string' && !CHATTER.has(frame.type)) this.#emit(frame);
    this.#advance(frame);
  }

  #opened(frame: LiveEvent): void {
    const { onTalk } = this.#deps;
    this.wasOpen = true;
    if (typeof frame.heartbeat_ms === 'number' && frame.heartbeat_ms > 0) this.#heartbeatMs = frame.heartbeat_ms;
    const { epoch, seq } = frame;
    if (typeof epoch !== 'string' || typeof seq !== 'number') {
      this.#fail('the daemon does not tell its position');
      return;
    }
    if (this.position === undefined) onTalk(`connected; events after #${seq} follow`);
    else if (frame.resumed === true) onTalk(`connected again; resumed after #${this.position.seq}`);
    else onTalk(`resync: the daemon no longer has what follows #${this.position.seq}; changes up to #${seq} may be missing`);
    this.position = { epoch, seq };
  }

  #advance({ seq, type }: LiveEvent): void {
    // Answers to requests are not events: they tell where a subscription starts, not what was seen.
    if (typeof type !== 'string' || this.position === undefined || typeof seq !== 'number' || seq <= this.position.seq) return;
    this.position = { epoch: this.position.epoch, seq };
  }

  #emit(event: LiveEvent): void {
    const busy = this.#deps.onEvent(event);
    if (busy === undefined) return;
    // Whoever reads our output is slow: leave the events in the daemon's queue, which is bounded, not in our memory.
    this.#isPaused = true;
    this.#socket.pause();
    void busy.then(() => {
      this.#isPaused = false;
      this.#sign();
      if (this.#socket.readyState === WebSocket.OPEN) this.#socket.resume();
    });
  }

  #sign(): void {
    this.#lastSignMs = this.#deps.clock.now();
  }

  async #watchForSilence(): Promise<void> {
    const { clock } = this.#deps;
    const closed = this.#closed.signal;
    while (!closed.aborted) {
      const patienceMs = this.#heartbeatMs * SILENT_HEARTBEATS;
      const silentMs = this.#isPaused ? 0 : clock.now() - this.#lastSignMs;
      if (silentMs >= patienceMs) {
        this.#problem = { text: 'no sign of life', isFinal: false };
        this.#socket.terminate();
        return;
      }
      await clock.sleep(patienceMs - silentMs, closed);
    }
  }

  #fail(reason: string): void {
    this.#problem = { text: reason, isFinal: true };
    void this.#leave();
  }

  #ending(code: number, closeReason: string): Ending {
    const waitMs = this.#drainMs;
    if (this.#problem !== undefined) return { reason: this.#problem.text, isFinal: this.#problem.isFinal, waitMs };
    const said = this.#error?.message ?? plain(closeReason);
    const reason = said !== '' ? said : code === CODE_ABNORMAL ? 'the connection broke' : `closed with ${code}`;
    return { reason, isFinal: isFinalClose(code, this.#error?.code), waitMs };
  }
}

const CODE_TOKEN_EXPIRED = 40;
/** Never sent: it is what `ws` reports when there was no goodbye. */
const CODE_ABNORMAL = 1006;

function isFinalClose(code: number, errorCode: unknown): boolean {
  // The next connection comes with a new token.
  if (errorCode === CODE_TOKEN_EXPIRED) return false;
  const known = Object.values(CLOSE).find((spec) => spec.code === code);
  // A daemon that says a plain goodbye (1000) to a watcher is going away, whatever it means by it.
  if (known !== undefined && known !== CLOSE.normal) return !known.reconnect;
  return code >= 4400 && code < 4500;
}
