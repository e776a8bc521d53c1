/**
 * The client. A live connection of `roster.v1` that reconnects by itself: it resumes from the position of the last event that it
 * emitted, so every event arrives once and in order. When the daemon cannot resume from there, the client emits `resync`, and the
 * local copy is that of a fresh snapshot. Beside it, the calls of the HTTP API (users-api.ts, admin-api.ts).
 */
import type { EventEmitter } from 'eventemitter3';
import { digest } from '../base/digest.ts';
import type { Position } from '../base/position.ts';
import { AdminApi } from './api/admin-api.ts';
import { HttpCaller } from './api/http-caller.ts';
import type { Answered } from './api/users-api.ts';
import { RosterClientError, unanswered } from './client-error.ts';
import { Intake } from './copy/intake.ts';
import { Progress } from './copy/progress.ts';
import { Subscriptions } from './copy/subscriptions.ts';
import { outside } from './link/emit.ts';
import { Link, type LinkOwner } from './link/link.ts';
import { FRAME_BYTES } from './link/socket.ts';
import { Nodes } from './nodes.ts';
import type { RosterClientOptions } from './options.ts';
import { TokenKeeper, type TokenSource } from './tokens/token-keeper.ts';
import type {
  AppUser,
  ClientEvents,
  ConnectedUser,
  ConnectionState,
  Filter,
  LiveUser,
  QueryOptions,
  SortField,
  Subscription,
  UserEvent,
} from './types.ts';

/** Bytes that a connect frame reserves for everything but its subscriptions. */
const HELLO_BYTES = FRAME_BYTES / 2;

export class RosterClient extends AdminApi {
  readonly #options: RosterClientOptions;
  readonly #http: HttpCaller;
  readonly #link: Link;
  readonly #subs: Subscriptions;
  readonly #progress: Progress;
  readonly #intake: Intake;
  /** The tokens for the calls. */
  #tokens: TokenKeeper | undefined;
  readonly #server: TokenKeeper | undefined;
  /** The identity of the connection; undefined before the first one. */
  #who: string | undefined;
  /** The details of the own user for the next connect frame. */
  #user: ConnectedUser | undefined;
  /** True for an anonymous user without a token, who has no connection. */
  #isNobody = false;

  constructor(options: RosterClientOptions) {
    const { secret, url, apiKey, webSocket, random = Math.random } = options;
    const nodes = new Nodes(url, random);
    const http = new HttpCaller(options, () => this.#server ?? this.#tokens, nodes);
    super(http);
    this.#http = http;
    this.#options = options;
    this.#server = secret === undefined ? undefined : new TokenKeeper(() => secret.sign({ server: true }));
    this.#link = new Link({ nodes, apiKey, webSocket, random }, this.#owner());
    this.#subs = new Subscriptions(this.#link, {
      changed: (ids) => this.#emit('users.changed', ids),
      resynced: (sub, users, gone) => this.#emit('resync', sub, users, gone),
      refused: (sub, error) => this.#emit('sub.refused', sub, error),
      rewound: (seq, sub) => this.#progress.rewind(seq, sub),
    });
    this.#progress = new Progress(this.#subs.copy, (seq) => this.#link.tell({ op: 'ack', seq }));
    this.#intake = new Intake(this.#subs, this.#progress, {
      emit: (name, ...args) => this.#emit(name, ...args),
      emitNamed: (event) => outside(() => (this as unknown as EventEmitter<string>).emit(event.type, event)),
    });
  }

  get state(): ConnectionState {
    return this.#link.state;
  }

  /** Every event up to this position was emitted; a new client with the same subscriptions could resume from it. */
  get position(): Position | undefined {
    return this.#progress.position;
  }

  /** The own user in its current state; undefined without one. */
  get me(): LiveUser | undefined {
    return this.#intake.me;
  }

  /** The local copy: every user that a subscription holds, by id, in the newest state that the daemon has sent. */
  get users(): ReadonlyMap<string, LiveUser> {
    return this.#subs.copy.users;
  }

  /** Digest of the local copy: equal for two copies of the same users in the same revisions (`digest`). */
  digest(): string {
    return digest(this.users.values());
  }

  /** Creates or merges the token's own user and opens the connection. */
  async connectUser(user: ConnectedUser, token: TokenSource): Promise<LiveUser> {
    await this.#open(`user ${user.id}`, new TokenKeeper(token), user);
    if (this.me === undefined) throw unanswered('the daemon did not say who we are');
    return this.me;
  }

  /**
   * Connects an anonymous user, who is not counted. With a token of the user `!anon` (made with a `secret`) it has a live connection
   * and may subscribe by ids; without a token it has no connection and makes its calls as an anonymous user.
   */
  async connectAnonymousUser(token?: TokenSource): Promise<void> {
    const { secret } = this.#options;
    const source = token ?? (secret === undefined ? undefined : () => secret.sign({ user_id: '!anon' }));
    if (source === undefined) {
      this.#become('anonymous', undefined, undefined);
      this.#isNobody = true;
      this.#subs.disconnected(noConnection());
    } else await this.#open('anonymous', new TokenKeeper(source));
  }

  /** Creates a guest and connects as it. The daemon may give it another id, which contains the requested one. */
  async setGuestUser(user: ConnectedUser): Promise<LiveUser> {
    // Checked before the guest is made, because otherwise the guest would exist and count.
    this.#link.mustBeClosed();
    const answer = await this.#http.call<{ user: AppUser; access_token: string }>('POST', '/guest', { body: { user } });
    return await this.connectUser({ id: answer.user.id }, answer.access_token);
  }

  /** Opens the connection with a server token and without a user; with a `secret`, the client makes the token. */
  async connect(token?: TokenSource): Promise<void> {
    const tokens = token === undefined ? this.#server : new TokenKeeper(token);
    if (tokens === undefined) throw unanswered('connect needs a token, or a client with a secret');
    await this.#open('server', tokens);
  }

  /** Closes without reconnecting. If the same user connects again, it resumes; for any other user, the client forgets everything. */
  disconnectUser(): Promise<void> {
    this.#link.close();
    this.#tokens = undefined;
    this.#isNobody = false;
    return Promise.resolve();
  }

  /** Sets a new token that the application got by itself, for the calls and the connection. */
  async refreshToken(token: string): Promise<void> {
    this.#tokens?.replace(token);
    if (this.state.kind === 'open') await this.#link.request({ op: 'refresh', token });
  }

  /**
   * Starts a subscription, which survives reconnects and replaces one of the same name. Resolves with its current users (none with
   * `snapshot: false`) as soon as there is a connection. A rejection that nobody awaits does not end the process.
   */
  subscribe(sub: Subscription): Promise<readonly LiveUser[]> {
    if (!this.#isNobody) return this.#subs.add(sub);
    const refused = Promise.reject(noConnection());
    refused.catch(() => {});
    return refused;
  }

  async unsubscribe(sub: string): Promise<void> {
    await this.#subs.remove(sub);
  }

  /** Finds users. With `presence: true` this connection also receives their events from now on. */
  override async queryUsers(
    filter: Filter = {},
    sort: SortField | readonly SortField[] = [],
    options: QueryOptions = {},
  ): Promise<Answered & { readonly users: readonly AppUser[] }> {
    const answer = await super.queryUsers(filter, sort, options);
    const { kind } = this.state;
    if (options.presence !== true || kind === 'idle' || kind === 'closed' || answer.users.length === 0) return answer;
    const watching = this.#subs.watch(answer.users.map(({ id }) => id));
    // Without a connection, the subscription begins with the next one; the answer does not wait for it.
    if (kind === 'open') await watching;
    return answer;
  }

  /** Partially updates the own user over the live connection; with a server token, the user `user_id`. */
  async update(change: { readonly user_id?: string; readonly set?: object; readonly unset?: readonly string[] }): Promise<LiveUser> {
    // The daemon would take the id of the request for the id of the user.
    if (this.state.kind === 'open' && (change.user_id ?? this.#user?.id) === undefined) {
      const errors = [{ path: 'user_id', message: 'is required: the connection has no user of its own' }];
      throw new RosterClientError('update needs user_id', { code: 4, status: 400, errors });
    }
    const answer = await this.#link.request({ op: 'update', ...change });
    const { epoch } = this.position ?? {};
    if (epoch !== undefined && typeof answer.seq === 'number') this.#http.wrote({ epoch, seq: answer.seq });
    const user = answer.user as LiveUser;
    this.#intake.becomeMe(user);
    return user;
  }

  /**
   * For durable consumers: acknowledges everything up to `seq`; without `seq`, everything that was emitted. Without a connection,
   * the next one sends it.
   */
  ack(seq?: number): void {
    this.#progress.acknowledge(seq);
  }

  /** Makes a token of a user; `exp` and `iat` in seconds since 1970. Needs the `secret`. */
  async createToken(userId: string, exp?: number, iat: number = Math.floor(Date.now() / 1_000)): Promise<string> {
    if (this.#options.secret === undefined) throw unanswered('createToken needs a client with a secret');
    return await this.#options.secret.sign({ user_id: userId, iat, ...(exp === undefined ? undefined : { exp }) });
  }

  /** Listens to custom events of one type. Returns a function that stops it. */
  onCustom(type: string, listener: (event: UserEvent) => void): () => void {
    const filtered = (event: UserEvent): void => {
      if (event.type === type) listener(event);
    };
    this.on('event', filtered);
    return () => void this.off('event', filtered);
  }

  async #open(who: string, tokens: TokenKeeper, user?: ConnectedUser): Promise<void> {
    this.#become(who, tokens, user);
    await this.#link.open(tokens);
  }

  /** Forgets the state of a previous user; the same user resumes. Throws when there is a connection. */
  #become(who: string, tokens: TokenKeeper | undefined, user: ConnectedUser | undefined): void {
    this.#link.mustBeClosed();
    if (this.#who !== undefined && this.#who !== who) {
      this.#subs.clear();
      this.#progress.clear();
      this.#intake.me = undefined;
    }
    this.#who = who;
    this.#user = user;
    this.#intake.ownId = user?.id;
    this.#tokens = tokens;
    this.#isNobody = false;
  }

  #owner(): LinkOwner {
    return {
      hello: () => {
        const { durable, conflate } = this.#options;
        const resume = this.#progress.resume();
        return {
          ...(this.#user === undefined ? undefined : { user: this.#user }),
          ...(resume === undefined ? undefined : { resume }),
          ...(durable === undefined ? undefined : { durable }),
          ...(conflate === undefined ? undefined : { conflate }),
          subs: this.#subs.hello(resume !== undefined, HELLO_BYTES),
        };
      },
      opened: (ok) => {
        // The daemon has taken the details: a reconnect that sent them again would undo changes made elsewhere meanwhile.
        if (this.#user !== undefined) this.#user = { id: this.#user.id };
        this.#intake.opened(ok);
      },
      took: (frame) => this.#intake.took(frame),
      retries: (refused) => this.#subs.retries(refused),
      became: (state) => {
        if (state.kind !== 'open') this.#subs.cut();
        if (state.kind === 'closed') this.#subs.disconnected(state.error ?? unanswered(`the connection is closed (${state.code})`));
        this.#emit('state', state);
      },
    };
  }

  /** Keeps errors of listeners away from the client. */
  #emit<Name extends keyof ClientEvents>(name: Name, ...args: Parameters<ClientEvents[Name]>): void {
    outside(() => (this as unknown as EventEmitter<string>).emit(name, ...args));
  }
}

function noConnection(): RosterClientError {
  return unanswered('without a token, an anonymous user has no live connection');
}
