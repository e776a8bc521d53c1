/**
 * The socket of the client: opens it, sends the connect frame, reconnects after a cut, renews the token, and detects a dead
 * connection. It does not interpret other frames.
 */

import { errorText } from '../../base/errors.ts';
import { CLOSE } from '../../live/close-codes.ts';
import { RosterClientError, refusal, unanswered } from '../client-error.ts';
import type { Nodes } from '../nodes.ts';
import type { TokenKeeper } from '../tokens/token-keeper.ts';
import type { ConnectionEnd, ConnectionState } from '../types.ts';
import { comebackMs, comesBack, elsewhereMs, movesOn } from './comeback.ts';
import { outside } from './emit.ts';
import { Renewal } from './renewal.ts';
import { type Frame, type Hello, type Request, Requests } from './requests.ts';
import { type After, after, frameOf, type SocketClass, type SocketLike, socketTo } from './socket.ts';

export interface LinkOptions {
  readonly nodes: Nodes;
  readonly apiKey: string;
  readonly webSocket?: SocketClass | undefined;
  /** In [0, 1). */
  readonly random: () => number;
  /** True: no caller waits for the first connection, so network failures do not end it either. */
  readonly isPatient?: boolean;
  /** Replaced in tests. */
  readonly after?: After;
}

/** The tokens of the user or server that connects. */
export type LinkTokens = Pick<TokenKeeper, 'canRenew' | 'current' | 'renew'>;

export interface LinkOwner {
  hello(): Hello;
  /** A connect was refused. True: a different connect frame may succeed at once. */
  retries(refused: RosterClientError): boolean;
  /** `connection.ok`. Runs before the next frame is processed: a snapshot may follow in the same packet. */
  opened(ok: Frame): void;
  /** A frame that is not an answer. */
  took(frame: Frame): void;
  became(state: ConnectionState): void;
}

const EXPIRED = 40;
/** The code that a browser, too, reports for a broken connection (RFC 6455 §7.4.1). */
const NO_SIGN_OF_LIFE = 1006;
/** After a silence of this many heartbeats, the connection counts as dead. */
const SILENT_HEARTBEATS = 2.5;
/** The time for a socket to open and to answer the connect frame. */
const OPENING_MS = 20_000;

const nothing = (): void => {};

export class Link {
  readonly #options: LinkOptions;
  readonly #owner: LinkOwner;
  readonly #after: After;
  readonly #requests = new Requests();
  readonly #renewal = new Renewal(() => this.#refresh());
  #state: ConnectionState = { kind: 'idle' };
  #tokens: LinkTokens | undefined;
  #mustRenew = false;
  /** The token that the daemon holds for this connection. */
  #given: string | undefined;
  #socket: SocketLike | undefined;
  /** Where the socket leads. */
  #url = '';
  /** Counts attempts: one that was superseded while it waited for a token gives up. */
  #run = 0;
  /** These cancel the timers for the next attempt and for silence. */
  #stayAway = nothing;
  #stopListening = nothing;
  #silenceMs = OPENING_MS;
  /** Set until the first connection is open: until then, a refusal is the answer to `open` and causes no reconnect. */
  #opening: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;
  #refusal: RosterClientError | undefined;
  /** The wait before a reconnect that the daemon asked for. */
  #retryMs: unknown;

  constructor(options: LinkOptions, owner: LinkOwner) {
    this.#options = options;
    this.#owner = owner;
    this.#after = options.after ?? after;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Throws RosterClientError when a connection exists or is being made. */
  mustBeClosed(): void {
    if (this.#state.kind !== 'idle' && this.#state.kind !== 'closed') throw unanswered('already connected');
  }

  /** Resolves when the connection is open. Rejects with RosterClientError, or with the error of the token provider. */
  open(tokens: LinkTokens): Promise<void> {
    this.#tokens = tokens;
    this.#mustRenew = false;
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      void this.#attempt(0);
    });
  }

  /**
   * Sends a frame and returns its answer. Rejects when there is no connection, when it is cut, and when the daemon refuses.
   * `taken` gets the answer before the next frame is processed, since frames in one packet do not wait for promises.
   */
  request(frame: Request, taken: (answer: Frame) => void = () => {}): Promise<Frame> {
    const socket = this.#socket;
    if (socket === undefined || this.#state.kind !== 'open') return Promise.reject(unanswered('there is no connection'));
    return this.#requests.make(
      frame,
      (text) => socket.send(text),
      (answer) => {
        if (frame.op === 'refresh') this.#given = frame.token;
        taken(answer);
      },
    );
  }

  /** Sends a frame that has no answer; does nothing without a connection. */
  tell(frame: Request): void {
    if (this.#state.kind !== 'open') return;
    try {
      this.#socket?.send(JSON.stringify(frame));
    } catch {
      // A socket that refuses to send is about to close, and no caller waits for an answer.
    }
  }

  /** Sends a new token to the daemon, so that the connection outlives the old one. Resolves with whether there was a new one. */
  async #refresh(): Promise<boolean> {
    const socket = this.#socket;
    const token = await this.#tokens?.renew(this.#given);
    if (token === undefined || token === this.#given || this.#socket !== socket) return false;
    await this.request({ op: 'refresh', token });
    return true;
  }

  /** Closes without reconnecting. */
  close(): void {
    const socket = this.#socket;
    this.#leave(CLOSE.normal.code, CLOSE.normal.reason);
    socket?.close(CLOSE.normal.code);
  }

  async #attempt(attempt: number): Promise<void> {
    const run = ++this.#run;
    this.#become({ kind: 'connecting', attempt });
    try {
      const token = await (this.#mustRenew ? this.#tokens?.renew(this.#given) : this.#tokens?.current());
      if (run !== this.#run) return;
      this.#mustRenew = false;
      this.#connect(token ?? '', attempt);
    } catch (error) {
      if (run !== this.#run) return;
      if (this.#isAwaited) this.#fail(error);
      else this.#wait(attempt + 1, { code: NO_SIGN_OF_LIFE, reason: errorText(error) });
    }
  }

  #connect(token: string, attempt: number): void {
    const { nodes, webSocket } = this.#options;
    this.#url = nodes.current;
    const socket = socketTo(this.#url, webSocket);
    this.#socket = socket;
    this.#given = token;
    this.#silenceMs = OPENING_MS;
    this.#expectMore();
    // Ignores events of a socket that was given up.
    const ours = () => this.#socket === socket;
    socket.addEventListener('open', () => ours() && this.#introduce(socket, token));
    socket.addEventListener('message', ({ data }) => ours() && this.#take(socket, frameOf(data)));
    socket.addEventListener('close', ({ code, reason }) => ours() && this.#closed(code, reason, attempt));
    socket.addEventListener('error', () => {});
  }

  /** `#take` handles the answer, or the close handler if the daemon refuses. */
  #introduce(socket: SocketLike, token: string): void {
    const frame = { ...this.#owner.hello(), op: 'connect', api_key: this.#options.apiKey, token } as const;
    this.#requests
      .make(frame, (text) => socket.send(text))
      .catch((error: unknown) => {
        const isOver = this.#socket !== socket || this.#refusal !== undefined;
        if (isOver || !(error instanceof RosterClientError) || error.status === 0) return;
        // The frame was refused here and never sent. Without this close, the daemon would wait, time out, and allow a reconnect.
        socket.close(CLOSE.normal.code);
        this.#fail(error, CLOSE.bad_frame.code, CLOSE.bad_frame.reason, error);
      });
  }

  /** `frame`: undefined when it is not a JSON object. */
  #take(socket: SocketLike, frame: Frame | undefined): void {
    if (frame === undefined) {
      this.#cut('a frame is not JSON');
      return;
    }
    if (frame.type === 'connection.ok') this.#opened(socket, frame);
    // A listener may have closed the connection as soon as it opened.
    if (this.#socket !== socket) return;
    this.#expectMore();
    if (typeof frame.re === 'string') this.#requests.answer(frame.re, frame, frame.error === undefined ? undefined : this.#noted(frame));
    else if (frame.type === 'connection.error') this.#noted(frame);
    else if (frame.type === 'server.drain') this.#retryMs = frame.retry_ms;
    else {
      if (frame.type === 'token.expiring' && this.#tokens?.canRenew === true) this.#renewal.warned();
      this.#owner.took(frame);
    }
  }

  /** Returns the refusal, and keeps the one that ends the connection for the close event that follows. */
  #noted({ type, error, retry_ms: retryMs }: Frame): RosterClientError {
    const refused = refusal(error);
    if (type === 'connection.error' || this.#state.kind === 'connecting') this.#refusal = refused;
    if (retryMs !== undefined) this.#retryMs = retryMs;
    return refused;
  }

  get #isAwaited(): boolean {
    return this.#opening !== undefined && this.#options.isPatient !== true;
  }

  #opened(socket: SocketLike, ok: Frame): void {
    this.#silenceMs = Number(ok.heartbeat_ms) * SILENT_HEARTBEATS;
    this.#become({ kind: 'open', connectionId: String(ok.connection_id) });
    if (this.#socket !== socket) return;
    this.#opening?.resolve();
    this.#opening = undefined;
    this.#owner.opened(ok);
  }

  /** Any frame is a sign of life; after a silence, the connection is given up and made again. */
  #expectMore(): void {
    this.#stopListening();
    if (this.#socket !== undefined) this.#stopListening = this.#after(this.#silenceMs, () => this.#cut('no sign of life'));
  }

  /** The connection is unusable: closes it here and treats it as cut by the network. */
  #cut(reason: string): void {
    this.#socket?.close();
    this.#closed(NO_SIGN_OF_LIFE, reason, this.#state.kind === 'connecting' ? this.#state.attempt : 0);
  }

  #closed(code: number, reason: string, attempt: number): void {
    const wasOpen = this.#state.kind === 'open';
    this.#stopListening();
    this.#renewal.cut();
    this.#socket = undefined;
    const refused = this.#refusal;
    this.#refusal = undefined;
    const isExpired = refused?.code === EXPIRED && this.#tokens?.canRenew === true;
    const end = { code, isExpired, isAwaited: this.#isAwaited, attempt, nodes: this.#options.nodes.count };
    if (comesBack(end)) {
      this.#mustRenew = isExpired;
      this.#requests.fail(`the connection was cut (${code})`);
      this.#wait(wasOpen ? 0 : attempt + 1, why(code, reason, refused), movesOn(end));
    } else if (!wasOpen && refused !== undefined && this.#owner.retries(refused)) {
      this.#requests.fail(refused.message);
      void this.#attempt(attempt);
    } else this.#fail(refused ?? unanswered(`the connection closed with ${code} ${reason}`), code, reason, refused);
  }

  #fail(error: unknown, code: number = NO_SIGN_OF_LIFE, reason = '', refused?: RosterClientError): void {
    this.#opening?.reject(error);
    this.#leave(code, reason, refused);
  }

  #wait(attempt: number, ended: ConnectionEnd, moves = false): void {
    const { nodes, random } = this.#options;
    if (moves) nodes.leave(this.#url);
    const delayMs = moves ? elsewhereMs(attempt, nodes.count, this.#retryMs, random) : comebackMs(attempt, this.#retryMs, random);
    this.#retryMs = undefined;
    this.#stayAway = this.#after(delayMs, () => void this.#attempt(attempt));
    this.#become({ kind: 'waiting', attempt, delayMs, ...ended });
  }

  #leave(code: number, reason: string, error?: RosterClientError): void {
    this.#run++;
    this.#stayAway();
    this.#stopListening();
    this.#renewal.stop();
    this.#socket = undefined;
    this.#refusal = undefined;
    this.#opening?.reject(unanswered(`the connection is closed (${code})`));
    this.#opening = undefined;
    this.#requests.fail(`the connection is closed (${code})`);
    this.#become({ kind: 'closed', ...why(code, reason, error) });
  }

  /** An error of a listener is left to the application: the connection continues. */
  #become(state: ConnectionState): void {
    this.#state = state;
    outside(() => this.#owner.became(state));
  }
}

function why(code: number, reason: string, error: RosterClientError | undefined): ConnectionEnd {
  return { code, reason, ...(error === undefined ? undefined : { error }) };
}
