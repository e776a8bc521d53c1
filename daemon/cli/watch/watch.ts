/**
 * The core of `rosterd watch`: stays connected over Socket.IO and hands on every event once and in order.
 *
 * Each event has a position of its own, so after a cut it resumes exactly behind the last one it has taken. Where that is
 * no longer possible it says so; it never goes on as if nothing were missing.
 */
import { backoffMs } from '../../../protocol/base/backoff.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Position } from '../../../protocol/base/position.ts';
import type { Sub } from '../../../protocol/live/client-frames.ts';
import type { Clock } from '../../base/clock.ts';
import { closedEnding, type Ending, UNREADABLE } from './ending.ts';
import { plain } from './format.ts';
import { Link, type Transport } from './link.ts';
import { type HandOn, type LiveEvent, Outflow } from './outflow.ts';

export interface WatchOptions {
  /** Of the daemon: `http://127.0.0.1:8800`, or behind a proxy `https://example.com/roster`. */
  readonly url: string;
  readonly apiKey: string;
  /** A server token, made anew for every connection. */
  readonly token: () => string;
  readonly interest: Pick<Sub, 'all' | 'ids' | 'filter'>;
  /** Whether to hear of users that come and go, too. */
  readonly presence?: boolean;
  /** By default WebSocket, and long polling where that does not get through. */
  readonly transports?: readonly Transport[];
}

export interface WatchDeps {
  readonly clock: Clock;
  /** 0 ≤ x < 1; spreads reconnects. */
  readonly random: () => number;
  /** Gets every event; with `presence` also `presence.state`. */
  readonly onEvent: HandOn;
  readonly onTalk: (text: string) => void;
  readonly stop: AbortSignal;
}

/** `stopped` by the signal, or ended for a reason that trying again would not change. */
export type WatchEnd = { readonly kind: 'stopped' } | { readonly kind: 'refused'; readonly reason: string };

const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
const GOODBYE_MS = 1_000;
const DRAIN_MS_MAX = 60_000;
/** Silence of so many heartbeats means that the connection is dead. */
const SILENT_HEARTBEATS = 2.5;

/** Frames about the connection, not about users. */
const CHATTER: ReadonlySet<string> = new Set(['connection.ok', 'health.check', 'token.expiring', 'presence.state']);

const STOPPED: Ending = { reason: 'stopped', isFinal: false };
const SILENT: Ending = { reason: 'no sign of life', isFinal: false };
/** The reader of the output is slow: come back when it has read what it was given. */
const BEHIND: Ending = { reason: 'the output is read too slowly', isFinal: false };

export async function watch(options: WatchOptions, deps: WatchDeps): Promise<WatchEnd> {
  const { clock, random, stop, onTalk, onEvent } = deps;
  const outflow = new Outflow(onEvent, stop);
  let position: Position | undefined;
  let attempt = 0;
  while (!stop.aborted) {
    const connection = new Connection(options, deps, outflow, position);
    const ending = await connection.ended;
    position = connection.position;
    attempt = connection.wasOpen ? 0 : attempt + 1;
    if (ending.isFinal || ending === BEHIND) {
      if (ending === BEHIND && !stop.aborted) onTalk(`${ending.reason}; disconnected until it has caught up`);
      await outflow.drained();
    }
    if (stop.aborted) break;
    if (ending.isFinal) return { kind: 'refused', reason: ending.reason };
    if (ending === BEHIND) continue;
    const pauseMs = connection.drainMs + backoffMs(attempt, random, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
    onTalk(`not connected (${ending.reason}); trying again in ${(pauseMs / 1_000).toFixed(1)} s`);
    await clock.sleep(pauseMs, stop);
  }
  return { kind: 'stopped' };
}

class Connection {
  /** Behind the last event taken here or before. */
  position: Position | undefined;
  wasOpen = false;
  /** What the daemon asked to wait at least. */
  drainMs = 0;
  readonly ended: Promise<Ending>;
  readonly #options: WatchOptions;
  readonly #deps: WatchDeps;
  readonly #outflow: Outflow;
  readonly #link: Link;
  readonly #over = new AbortController();
  #settle: (ending: Ending) => void = () => {};
  #heartbeatMs: number = LIMITS.heartbeatMs;
  #lastSignMs: number;
  /** What the daemon said was wrong, before it closed. */
  #error: Readonly<Record<string, unknown>> | undefined;

  constructor(options: WatchOptions, deps: WatchDeps, outflow: Outflow, position: Position | undefined) {
    this.#options = options;
    this.#deps = deps;
    this.#outflow = outflow;
    this.position = position;
    this.#lastSignMs = deps.clock.now();
    this.ended = new Promise((resolve) => {
      this.#settle = resolve;
    });
    const { url, transports = ['websocket', 'polling'] } = options;
    this.#link = new Link(
      { url, transports, auth: this.#auth() },
      {
        onFrame: (frame) => this.#receive(frame),
        // Before the daemon has let it in, heartbeats prove nothing: anything that speaks Socket.IO sends them.
        onSign: () => {
          if (this.wasOpen) this.#sign();
        },
        onEnd: (ending) => this.#end(ending),
      },
    );
    deps.stop.addEventListener('abort', this.#onStop, { once: true });
    void this.#watchForSilence();
  }

  readonly #onStop = (): void => this.#end(STOPPED);

  #auth(): Readonly<Record<string, unknown>> {
    const { apiKey, token, interest, presence } = this.#options;
    // The subscription travels with the connect: between two frames an event could pass that belongs to neither.
    const subs = [{ sub: 'watch', ...interest, ...(presence ? { presence } : {}), snapshot: false }];
    const resume = this.position === undefined ? {} : { resume: this.position };
    return { api_key: apiKey, token: token(), ...resume, subs };
  }

  /** Only the first ending counts. It is told when the network is quiet, so that two connections never overlap. */
  #end(ending: Ending): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    this.#deps.stop.removeEventListener('abort', this.#onStop);
    void this.#leave(ending === SILENT).then(() => this.#settle(ending));
  }

  /** Says goodbye, and does not wait long for the answer. */
  async #leave(isDead: boolean): Promise<void> {
    const left = new AbortController();
    void this.#link.leave().then(() => left.abort());
    if (!isDead) await this.#deps.clock.sleep(GOODBYE_MS, left.signal);
    this.#link.kill();
  }

  #receive(frame: unknown): void {
    // What was not taken comes again when it resumes.
    if (this.#over.signal.aborted) return;
    if (!isObject(frame)) this.#end(UNREADABLE);
    else if (isObject(frame.error)) this.#wrong(frame.type, frame.error);
    // What has no type answers a request: the subscription in the connect, whose position is that of the connect.
    else if (typeof frame.type === 'string') this.#told(frame.type, frame);
  }

  #wrong(type: unknown, error: Readonly<Record<string, unknown>>): void {
    this.#error = error;
    // An answer with an error leaves the connection open, but without the subscription it is of no use.
    if (type !== 'connection.error') this.#end({ reason: plain(String(error.message)), isFinal: true });
  }

  #told(type: string, frame: LiveEvent): void {
    if (type === 'connection.closed') this.#end(closedEnding(frame, this.#error));
    else if (type === 'server.drain') {
      if (typeof frame.retry_ms === 'number') this.drainMs = Math.min(Math.max(0, frame.retry_ms), DRAIN_MS_MAX);
    } else if (type === 'connection.ok') this.#opened(frame);
    else if (!this.wasOpen) this.#end(UNREADABLE);
    else if (type === 'sub.reset') this.#deps.onTalk('resync: the daemon started the subscription anew; changes before now may be missing');
    else if (this.#isChatter(type) || this.#outflow.take(frame)) this.#advance(frame);
    else this.#end(BEHIND);
  }

  #isChatter(type: string): boolean {
    return type === 'presence.state' ? this.#options.presence !== true : CHATTER.has(type);
  }

  #opened(frame: LiveEvent): void {
    const { onTalk } = this.#deps;
    if (typeof frame.heartbeat_ms === 'number' && frame.heartbeat_ms > 0) this.#heartbeatMs = frame.heartbeat_ms;
    const { epoch, seq } = frame;
    if (typeof epoch !== 'string' || typeof seq !== 'number') {
      this.#end({ reason: 'the daemon does not tell its position', isFinal: true });
      return;
    }
    this.wasOpen = true;
    this.#sign();
    if (this.position === undefined) onTalk(`connected; events after #${seq} follow`);
    else if (frame.resumed === true) onTalk(`connected again; resumed after #${this.position.seq}`);
    else onTalk(`resync: the daemon no longer has what follows #${this.position.seq}; changes up to #${seq} may be missing`);
    this.position = { epoch, seq };
  }

  #advance({ seq, type }: LiveEvent): void {
    // Coming and going has no position of its own: it names the one at which it was told, maybe ahead of the event that has it.
    if (type === 'user.presence.changed' || this.position === undefined || typeof seq !== 'number' || seq <= this.position.seq) return;
    this.position = { epoch: this.position.epoch, seq };
  }

  #sign(): void {
    this.#lastSignMs = this.#deps.clock.now();
  }

  async #watchForSilence(): Promise<void> {
    const { clock } = this.#deps;
    const over = this.#over.signal;
    while (!over.aborted) {
      const patienceMs = this.#heartbeatMs * SILENT_HEARTBEATS;
      const silentMs = clock.now() - this.#lastSignMs;
      if (silentMs >= patienceMs) this.#end(SILENT);
      else await clock.sleep(patienceMs - silentMs, over);
    }
  }
}
