/**
 * The socket of the client: opens it, says hello, comes back after a cut, renews the token, and notices when nobody is there any
 * more. What the frames mean is not its business.
 */
import { CLOSE } from '../close-codes.ts';
import type { ChatErrorBody } from '../errors.ts';
import type { ClientFrame, ConnectFrame } from '../frames.ts';
import { utf8Bytes } from '../json.ts';
import { backoffMs } from './backoff.ts';
import { RosterClientError, refusal, unanswered } from './client-error.ts';
import { liveUrl } from './http-caller.ts';
import { FRAME_BYTES, type SocketClass, type SocketLike, SUBPROTOCOL } from './socket.ts';
import type { TokenKeeper } from './token-keeper.ts';
import type { ConnectionState } from './types.ts';

export interface LinkOptions {
  readonly url: string;
  readonly apiKey: string;
  readonly webSocket?: SocketClass | undefined;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Anything the daemon sends. */
export interface Frame {
  readonly re?: string;
  readonly error?: ChatErrorBody;
  readonly type?: string;
  readonly [key: string]: unknown;
}

export interface LinkOwner {
  /** What the connect frame says beside key and token. */
  hello(): Omit<ConnectFrame, 'op' | 'api_key' | 'token'>;
  /** `connection.ok`. Runs before the next frame is looked at: a snapshot may follow in the same packet. */
  opened(ok: Frame): void;
  /** A frame that is no answer. */
  took(frame: Frame): void;
  became(state: ConnectionState): void;
}

interface Pending {
  readonly taken: (answer: Frame) => void;
  readonly resolve: (answer: Frame) => void;
  readonly reject: (error: Error) => void;
}

const EXPIRED = 40;
const TOO_BIG = { code: 22, status: 413 };
/** What a browser reports, too, for a connection that broke (RFC 6455 §7.4.1). */
const NO_SIGN_OF_LIFE = 1006;
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
/** The limit of a minute is the longest that the daemon has to wait for. */
const RETRY_CAP_MS = 60_000;
/** Silence of so many heartbeats means that the connection is dead. */
const SILENT_HEARTBEATS = 2.5;
/** How long a socket may take to open and to answer the connect frame. */
const OPENING_MS = 20_000;

type Timer = ReturnType<typeof setTimeout>;

export class Link {
  readonly #options: LinkOptions;
  readonly #owner: LinkOwner;
  readonly #pending = new Map<string, Pending>();
  #state: ConnectionState = { kind: 'idle' };
  #tokens: TokenKeeper | undefined;
  #mustRenew = false;
  #socket: SocketLike | undefined;
  #nextId = 1;
  /** Counts attempts: one that was overtaken while it waited for a token gives up. */
  #run = 0;
  #timer: Timer | undefined;
  #watchdog: Timer | undefined;
  #silenceMs = OPENING_MS;
  /** Set until the first connection is open: a refusal then is the answer to `open`, not a reason to come back. */
  #opening: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  #refusal: RosterClientError | undefined;
  /** What the daemon asked to wait before coming back. */
  #drainMs = 0;

  constructor(options: LinkOptions, owner: LinkOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Throws RosterClientError while there is a connection, or one is on its way. */
  mustBeClosed(): void {
    if (this.#state.kind !== 'idle' && this.#state.kind !== 'closed') throw unanswered('already connected');
  }

  /** Resolves when the connection is open. Rejects with RosterClientError, or with what the token provider rejects with. */
  open(tokens: TokenKeeper): Promise<void> {
    this.#tokens = tokens;
    this.#mustRenew = false;
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      void this.#attempt(0);
    });
  }

  /**
   * Sends a frame and gives its answer. Rejects when there is no connection, when it is cut, and when the daemon refuses.
   * `taken` gets the answer before the next frame is looked at: frames that came in one packet do not wait for promises.
   */
  request(frame: ClientFrame, taken: (answer: Frame) => void = () => {}): Promise<Frame> {
    if (this.#socket === undefined || (this.#state.kind !== 'open' && frame.op !== 'connect')) {
      return Promise.reject(unanswered('there is no connection'));
    }
    const id = String(this.#nextId++);
    const text = JSON.stringify({ ...frame, id });
    if (utf8Bytes(text) > FRAME_BYTES) {
      return Promise.reject(new RosterClientError(`${frame.op} is bigger than a frame may be (${FRAME_BYTES} bytes)`, TOO_BIG));
    }
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { taken, resolve, reject });
      this.#send(text, id);
    });
  }

  /** Sends a frame that is not answered; nowhere, when there is no connection. */
  tell(frame: ClientFrame): void {
    if (this.#state.kind === 'open') this.#send(JSON.stringify(frame));
  }

  #send(text: string, id = ''): void {
    try {
      this.#socket?.send(text);
    } catch (error) {
      this.#pending.get(id)?.reject(unanswered('the frame could not be sent', error));
      this.#pending.delete(id);
    }
  }

  /** Asks the provider for a token and gives it to the daemon, so that the connection outlives the old one. */
  async refresh(): Promise<void> {
    if (this.#tokens?.canRenew !== true) return;
    const token = await this.#tokens.renew();
    await this.request({ op: 'refresh', token });
  }

  /** Closes for good. */
  close(): void {
    const socket = this.#socket;
    this.#leave(CLOSE.normal.code, CLOSE.normal.reason);
    socket?.close(CLOSE.normal.code);
  }

  async #attempt(attempt: number): Promise<void> {
    const run = ++this.#run;
    this.#become({ kind: 'connecting', attempt });
    try {
      const token = await (this.#mustRenew ? this.#tokens?.renew() : this.#tokens?.current());
      if (run !== this.#run) return;
      this.#mustRenew = false;
      this.#connect(token ?? '', attempt);
    } catch (error) {
      if (run !== this.#run) return;
      if (this.#opening === undefined) this.#wait(attempt + 1);
      else this.#fail(error);
    }
  }

  #connect(token: string, attempt: number): void {
    const WebSocketClass = this.#options.webSocket ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
    if (WebSocketClass === undefined) throw unanswered('there is no WebSocket here: give the option webSocket');
    const socket = new WebSocketClass(liveUrl(this.#options.url), [SUBPROTOCOL]);
    this.#socket = socket;
    this.#silenceMs = OPENING_MS;
    this.#expectMore();
    // Events of a socket that was given up are no longer ours.
    const ours = () => this.#socket === socket;
    socket.addEventListener('open', () => ours() && this.#introduce(token));
    socket.addEventListener('message', ({ data }) => ours() && this.#take(JSON.parse(String(data))));
    socket.addEventListener('close', ({ code, reason }) => ours() && this.#closed(code, reason, attempt));
    socket.addEventListener('error', () => {});
  }

  /** What follows is in `#take`, or in the close that comes after a refusal. */
  #introduce(token: string): void {
    this.request({ ...this.#owner.hello(), op: 'connect', api_key: this.#options.apiKey, token }).catch((error: unknown) => {
      if (error instanceof RosterClientError && error.status !== 0) this.#refusal = error;
    });
  }

  #take(frame: Frame): void {
    if (frame.type === 'connection.ok') this.#opened(frame);
    this.#expectMore();
    if (typeof frame.re === 'string') {
      const pending = this.#pending.get(frame.re);
      this.#pending.delete(frame.re);
      if (frame.error === undefined) {
        pending?.taken(frame);
        pending?.resolve(frame);
      } else pending?.reject(this.#noted(frame));
      return;
    }
    if (frame.type === 'connection.error') this.#noted(frame);
    else if (frame.type === 'server.drain') this.#comeBackIn(frame.retry_ms);
    else {
      // A provider that fails now is asked again when the token has ended and the daemon says so.
      if (frame.type === 'token.expiring') this.refresh().catch(() => {});
      this.#owner.took(frame);
    }
  }

  /** The refusal; when it is why the connection ends, it is kept for the close that follows. */
  #noted({ type, error, retry_ms: retryMs }: Frame): RosterClientError {
    const refused = refusal(error);
    if (type === 'connection.error') this.#refusal = refused;
    if (retryMs !== undefined) this.#comeBackIn(retryMs);
    return refused;
  }

  #comeBackIn(retryMs: unknown): void {
    this.#drainMs = Math.min(Number(retryMs) || 0, RETRY_CAP_MS);
  }

  #opened(ok: Frame): void {
    this.#silenceMs = Number(ok.heartbeat_ms) * SILENT_HEARTBEATS;
    this.#become({ kind: 'open', connectionId: String(ok.connection_id) });
    this.#owner.opened(ok);
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  /** Any frame is a sign of life; without one for a while the connection is given up and made anew. */
  #expectMore(): void {
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#watchdog = setTimeout(() => {
      if (this.#socket !== socket) return;
      socket?.close();
      this.#closed(NO_SIGN_OF_LIFE, 'no sign of life', this.#state.kind === 'connecting' ? this.#state.attempt : 0);
    }, this.#silenceMs);
  }

  #closed(code: number, reason: string, attempt: number): void {
    const wasOpen = this.#state.kind === 'open';
    clearTimeout(this.#watchdog);
    this.#socket = undefined;
    const refused = this.#refusal;
    this.#refusal = undefined;
    const isExpired = refused?.code === EXPIRED && this.#tokens?.canRenew === true;
    // A provider whose token is refused as expired twice in a row is not asked for ever by somebody who waits for the answer.
    const mayRenew = isExpired && (this.#opening === undefined || attempt === 0);
    const spec = Object.values(CLOSE).find((one) => one.code === code);
    // A code that is not on the list is the network's doing.
    if (mayRenew || (spec === undefined ? this.#opening === undefined : spec.reconnect)) {
      this.#mustRenew = isExpired;
      this.#failPending(`the connection was cut (${code})`);
      this.#wait(wasOpen ? 0 : attempt + 1);
      return;
    }
    this.#fail(refused ?? unanswered(`the connection closed with ${code} ${reason}`), code, reason, refused);
  }

  #fail(error: unknown, code: number = NO_SIGN_OF_LIFE, reason = '', refused?: RosterClientError): void {
    this.#opening?.reject(error);
    this.#leave(code, reason, refused);
  }

  #wait(attempt: number): void {
    const delayMs = this.#drainMs + backoffMs(attempt, this.#options.random, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
    this.#drainMs = 0;
    this.#timer = setTimeout(() => void this.#attempt(attempt), delayMs);
    this.#become({ kind: 'waiting', attempt, delayMs });
  }

  #leave(code: number, reason: string, error?: RosterClientError): void {
    this.#run++;
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    this.#socket = undefined;
    this.#opening?.reject(unanswered(`the connection is closed (${code})`));
    this.#opening = undefined;
    this.#failPending(`the connection is closed (${code})`);
    this.#become({ kind: 'closed', code, reason, ...(error === undefined ? undefined : { error }) });
  }

  #failPending(message: string): void {
    const waiting = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of waiting) reject(unanswered(message));
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#owner.became(state);
  }
}
