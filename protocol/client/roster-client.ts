/**
 * A live connection of `roster.v1`. It keeps the position of the last event it
 * handed on; after a cut it comes back with that position and its subscriptions,
 * so every event arrives once and in order. When the daemon cannot go on from
 * there, `resync` says so and carries the users as they are now.
 */
import { EventEmitter } from 'eventemitter3';
import { CLOSE } from '../close-codes.ts';
import type { ChatErrorBody } from '../errors.ts';
import { type ClientFrame, LIVE_SUBPROTOCOL, type Sub } from '../frames.ts';
import type { Position } from '../position.ts';
import { backoffMs } from './backoff.ts';
import { RosterRefusal } from './refusal.ts';
import type { ConnectionState, LiveUser, UserEvent } from './types.ts';

/** The part of the browser's WebSocket that is used; the one of the `ws` package has it too. */
interface SocketLike {
  send(text: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open' | 'error', listener: () => void): void;
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void;
}

export interface RosterClientOptions {
  /** `ws://host:8800` or `wss://…`, without a path. */
  readonly url: string;
  readonly apiKey: string;
  /** Needed where there is no global WebSocket, such as Node 20: the class of the `ws` package. */
  readonly webSocket?: new (
    url: string,
    protocols: string[],
  ) => SocketLike;
  /** In [0, 1); replaced in tests. */
  readonly random?: () => number;
}

/** Gives a token; asked again when the old one has expired. */
type TokenSource = string | (() => Promise<string>);

/** A subscription as asked for: exactly one of ids, teams, filter or all. */
export type Subscription = Sub;

interface ClientEvents {
  /**
   * Every event about a user, in order. Each is also emitted under its own type; a custom event whose type is a name in this
   * list is only emitted here (see `onCustom`).
   */
  event: (event: UserEvent) => void;
  'user.updated': (event: UserEvent) => void;
  'user.deleted': (event: UserEvent) => void;
  'user.deactivated': (event: UserEvent) => void;
  'user.reactivated': (event: UserEvent) => void;
  'user.banned': (event: UserEvent) => void;
  'user.unbanned': (event: UserEvent) => void;
  'user.muted': (event: UserEvent) => void;
  'user.unmuted': (event: UserEvent) => void;
  'user.flagged': (event: UserEvent) => void;
  'user.unflagged': (event: UserEvent) => void;
  /** A user came or went. It is told as it happens, and not made up for after a cut. */
  'user.presence.changed': (event: UserEvent) => void;
  state: (state: ConnectionState) => void;
  /** The daemon could not go on from the last position: events may have been missed, these are the users of the subscription now. */
  resync: (sub: string, users: readonly LiveUser[]) => void;
}

interface Answer {
  readonly re?: string;
  readonly error?: ChatErrorBody;
  readonly type?: string;
  readonly [key: string]: unknown;
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** Names of the client's own that no event of the daemon is emitted under. */
const OWN_NAMES: ReadonlySet<string> = new Set(['event', 'state', 'resync']);
const EXPIRED = 40;
/** What a browser reports, too, for a connection that broke (RFC 6455 §7.4.1). */
const NO_SIGN_OF_LIFE = 1006;
const BACKOFF_BASE_MS = 500;
const BACKOFF_CAP_MS = 30_000;
/** Silence of so many heartbeats means that the connection is dead. */
const SILENT_HEARTBEATS = 2.5;

export class RosterClient extends EventEmitter<ClientEvents> {
  readonly #options: RosterClientOptions;
  readonly #subs = new Map<string, Sub>();
  readonly #pending = new Map<string, Pending>();
  #state: ConnectionState = { kind: 'idle' };
  #socket: SocketLike | undefined;
  #token: TokenSource = '';
  #user: Record<string, unknown> | undefined;
  #position: Position | undefined;
  #me: LiveUser | undefined;
  #nextId = 1;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Set until the first connection is open: a refusal then is the answer to `connect`, not a reason to come back. */
  #opening: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined;
  #refusal: RosterRefusal | undefined;
  /** The snapshots that follow a connect which could not resume are told as `resync`. */
  #isResyncing = false;
  #heartbeatMs = 0;
  #watchdog: ReturnType<typeof setTimeout> | undefined;
  /** What the daemon asked to wait before coming back. */
  #drainMs = 0;

  constructor(options: RosterClientOptions) {
    super();
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** The last position handed on; a new client that is given the same subscriptions could go on from it. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** Creates or merges the token's own user and opens the connection. Rejects with RosterRefusal. */
  async connectUser(user: { readonly id: string; readonly [key: string]: unknown }, token: TokenSource): Promise<LiveUser> {
    this.#user = user;
    await this.connect(token);
    if (this.#me === undefined) throw new Error('the daemon did not say who we are');
    return this.#me;
  }

  /** Opens the connection with a server token, without a user of its own. Rejects with RosterRefusal. */
  connect(token: TokenSource): Promise<void> {
    if (this.#state.kind !== 'idle' && this.#state.kind !== 'closed') return Promise.reject(new Error('already connected'));
    this.#token = token;
    return new Promise((resolve, reject) => {
      this.#opening = { resolve, reject };
      void this.#attempt(0);
    });
  }

  /** Starts a subscription, which lasts over reconnects; resolves with the users as they are now (none with `snapshot: false`). */
  async subscribe(sub: Subscription): Promise<LiveUser[]> {
    this.#subs.set(sub.sub, sub);
    const first = await this.#request({ op: 'sub', ...sub });
    return await this.#pages(sub.sub, first);
  }

  async unsubscribe(sub: string): Promise<void> {
    this.#subs.delete(sub);
    await this.#request({ op: 'unsub', sub });
  }

  /** Partial update of the own user. */
  async update(change: { readonly set?: Record<string, unknown>; readonly unset?: readonly string[] }): Promise<LiveUser> {
    const { user } = await this.#request({ op: 'update', ...change });
    return user as LiveUser;
  }

  /** Listens to custom events of one type. Returns what ends that. */
  onCustom(type: string, listener: (event: UserEvent) => void): () => void {
    const filtered = (event: UserEvent): void => {
      if (event.type === type) listener(event);
    };
    this.on('event', filtered);
    return () => void this.off('event', filtered);
  }

  /** Closes for good. */
  disconnectUser(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#watchdog);
    const socket = this.#socket;
    this.#leave(CLOSE.normal.code, CLOSE.normal.reason);
    socket?.close(CLOSE.normal.code);
  }

  async #attempt(attempt: number): Promise<void> {
    this.#become({ kind: 'connecting', attempt });
    const WebSocketClass = this.#options.webSocket ?? (globalThis as { WebSocket?: RosterClientOptions['webSocket'] }).WebSocket;
    if (WebSocketClass === undefined) throw new Error('there is no WebSocket here: give the option webSocket');
    const token = typeof this.#token === 'string' ? this.#token : await this.#token();
    const socket = new WebSocketClass(`${this.#options.url}/live`, [LIVE_SUBPROTOCOL]);
    this.#socket = socket;
    // Events of a socket that was given up are no longer ours.
    const ours = () => this.#socket === socket;
    socket.addEventListener('open', () => ours() && this.#introduce(token));
    socket.addEventListener('message', ({ data }) => ours() && this.#take(JSON.parse(String(data))));
    socket.addEventListener('close', ({ code, reason }) => ours() && this.#closed(code, reason, attempt));
    socket.addEventListener('error', () => {});
  }

  /** Sends the connect frame. What follows is in `#opened`, or in the close that comes after a refusal. */
  #introduce(token: string): void {
    const { apiKey } = this.#options;
    const user = this.#user === undefined ? {} : { user: this.#user };
    const resume = this.#position === undefined ? {} : { resume: this.#position };
    const frame = { op: 'connect' as const, api_key: apiKey, token, ...user, ...resume, subs: [...this.#subs.values()] };
    this.#request(frame).catch((error: unknown) => {
      if (error instanceof RosterRefusal) this.#refusal = error;
    });
  }

  /** Runs before the next frame is looked at: a snapshot may follow in the same packet. */
  #opened(ok: Answer): void {
    this.#isResyncing = this.#position !== undefined && ok.resumed !== true;
    this.#position = { epoch: String(ok.epoch), seq: Number(ok.seq) };
    this.#me = ok.me as LiveUser | undefined;
    this.#heartbeatMs = Number(ok.heartbeat_ms);
    this.#expectMore();
    this.#become({ kind: 'open', connectionId: String(ok.connection_id) });
    this.#opening?.resolve();
    this.#opening = undefined;
  }

  #take(answer: Answer): void {
    this.#expectMore();
    if (answer.type === 'connection.ok') this.#opened(answer);
    if (typeof answer.re === 'string') {
      const pending = this.#pending.get(answer.re);
      this.#pending.delete(answer.re);
      if (answer.error === undefined) pending?.resolve(answer);
      else pending?.reject(new RosterRefusal(answer.error));
      return;
    }
    if (answer.type === 'connection.error' && answer.error !== undefined) this.#refusal = new RosterRefusal(answer.error);
    else if (answer.type === 'health.check') this.#advance(answer.seq);
    else if (answer.type === 'server.drain') this.#drainMs = Math.min(Number(answer.retry_ms) || 0, BACKOFF_CAP_MS);
    else if (answer.type === 'user.presence.changed') this.#tell(answer as unknown as UserEvent);
    else if (answer.type !== undefined && typeof answer.seq === 'number') this.#hand(answer as unknown as UserEvent);
    else if (this.#isResyncing && typeof answer.sub === 'string' && Array.isArray(answer.users)) void this.#resync(answer.sub, answer);
  }

  #hand(event: UserEvent): void {
    // At least once after a resume becomes exactly once here.
    if (this.#position !== undefined && event.seq <= this.#position.seq) return;
    this.#advance(event.seq);
    this.#tell(event);
  }

  #tell(event: UserEvent): void {
    this.emit('event', event);
    // Names of custom events are the application's: the list of typed ones cannot hold them.
    if (!OWN_NAMES.has(event.type)) (this as unknown as EventEmitter<string>).emit(event.type, event);
  }

  #advance(seq: unknown): void {
    if (this.#position !== undefined && typeof seq === 'number') this.#position = { ...this.#position, seq };
  }

  async #resync(sub: string, first: Answer): Promise<void> {
    this.emit('resync', sub, await this.#pages(sub, first));
  }

  async #pages(sub: string, first: Answer): Promise<LiveUser[]> {
    const users: LiveUser[] = [];
    for (let page = first; ; page = await this.#request({ op: 'page', sub, more: String(page.more) })) {
      users.push(...((page.users ?? []) as LiveUser[]));
      if (page.more === undefined) return users;
    }
  }

  #request(frame: ClientFrame): Promise<Answer> {
    const id = String(this.#nextId++);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      try {
        this.#socket?.send(JSON.stringify({ ...frame, id }));
      } catch (error) {
        this.#pending.delete(id);
        reject(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }

  /** Any frame is a sign of life; without one for a few heartbeats the connection is given up and made anew. */
  #expectMore(): void {
    clearTimeout(this.#watchdog);
    if (this.#heartbeatMs === 0) return;
    const socket = this.#socket;
    this.#watchdog = setTimeout(() => {
      if (this.#socket !== socket) return;
      socket?.close();
      this.#closed(NO_SIGN_OF_LIFE, 'no sign of life', 0);
    }, this.#heartbeatMs * SILENT_HEARTBEATS);
  }

  #closed(code: number, reason: string, attempt: number): void {
    const wasOpen = this.#state.kind === 'open';
    clearTimeout(this.#watchdog);
    this.#socket = undefined;
    const refusal = this.#refusal;
    this.#refusal = undefined;
    const spec = Object.values(CLOSE).find((one) => one.code === code);
    const canRefresh = refusal?.code === EXPIRED && typeof this.#token !== 'string';
    // A code that is not on the list is the network's doing.
    if (canRefresh || (spec === undefined ? this.#opening === undefined : spec.reconnect)) {
      this.#failPending(new Error(`the connection was cut (${code})`));
      this.#wait(wasOpen ? 0 : attempt + 1);
      return;
    }
    this.#opening?.reject(refusal ?? new Error(`the connection closed with ${code} ${reason}`));
    this.#leave(code, reason);
  }

  #wait(attempt: number): void {
    const delayMs = this.#drainMs + backoffMs(attempt, this.#options.random ?? Math.random, BACKOFF_BASE_MS, BACKOFF_CAP_MS);
    this.#drainMs = 0;
    this.#become({ kind: 'waiting', attempt, delayMs });
    this.#timer = setTimeout(() => void this.#attempt(attempt).catch(() => this.#wait(attempt + 1)), delayMs);
  }

  #leave(code: number, reason: string): void {
    this.#socket = undefined;
    this.#opening = undefined;
    this.#failPending(new Error(`the connection is closed (${code})`));
    this.#become({ kind: 'closed', code, reason });
  }

  #failPending(error: Error): void {
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.emit('state', state);
  }
}
