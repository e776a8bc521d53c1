/**
 * The client. A live connection of `roster.v1` that comes back by itself: it keeps the position of the last event it handed on and
 * comes back with it, so every event arrives once and in order. When the daemon cannot go on from there, `resync` says so, and the
 * local copy is that of a fresh snapshot. Beside it, the calls of the HTTP API (users-api.ts, admin-api.ts).
 */
import type { EventEmitter } from 'eventemitter3';
import type { Position } from '../position.ts';
import { AdminApi } from './admin-api.ts';
import { unanswered } from './client-error.ts';
import { digest } from './digest.ts';
import { HttpCaller } from './http-caller.ts';
import { type Frame, Link, type LinkOwner } from './link.ts';
import type { RosterClientOptions } from './options.ts';
import { FRAME_BYTES } from './socket.ts';
import { Subscriptions } from './subscriptions.ts';
import { TokenKeeper, type TokenSource } from './token-keeper.ts';
import type {
  AppUser,
  ConnectedUser,
  ConnectionState,
  DocumentEvent,
  Filter,
  LiveUser,
  QueryOptions,
  SortField,
  Subscription,
  UserEvent,
} from './types.ts';
import type { Answered } from './users-api.ts';

/** Names of the client's own that no event of the daemon is emitted under. */
const OWN_NAMES: ReadonlySet<string> = new Set(['event', 'state', 'resync']);

/** Room that a connect frame keeps for everything but its subscriptions. */
const HELLO_BYTES = FRAME_BYTES / 2;
export class RosterClient extends AdminApi {
  readonly #options: RosterClientOptions;
  readonly #http: HttpCaller;
  readonly #link: Link;
  readonly #subs: Subscriptions;
  /** Whose token the calls are made with. */
  #tokens: TokenKeeper | undefined;
  readonly #server: TokenKeeper | undefined;
  /** Whom the connection is for; undefined before the first one. */
  #who: string | undefined;
  #user: ConnectedUser | undefined;
  #me: LiveUser | undefined;
  #position: Position | undefined;
  /** Events about the own user at or before this were handed on. */
  #ownSince = 0;

  constructor(options: RosterClientOptions) {
    const { secret, url, apiKey, webSocket, random = Math.random } = options;
    const http = new HttpCaller(options, () => this.#server ?? this.#tokens);
    super(http);
    this.#http = http;
    this.#options = options;
    this.#server = secret === undefined ? undefined : new TokenKeeper(() => secret.sign({ server: true }));
    this.#link = new Link({ url, apiKey, webSocket, random }, this.#owner());
    this.#subs = new Subscriptions(this.#link, {
      changed: (ids) => this.emit('users.changed', ids),
      resynced: (sub, users, gone) => this.emit('resync', sub, users, gone),
      refused: (sub, error) => this.emit('sub.refused', sub, error),
      rewound: (seq, sub) => this.#rewind(seq, sub),
    });
  }

  get state(): ConnectionState {
    return this.#link.state;
  }

  /** The last position handed on; a new client that is given the same subscriptions could go on from it. */
  get position(): Position | undefined {
    return this.#position;
  }

  /** The own user as it is now; undefined without one. */
  get me(): LiveUser | undefined {
    return this.#me;
  }

  /** The local copy: every user that a subscription holds, by id, as new as the daemon has told. */
  get users(): ReadonlyMap<string, LiveUser> {
    return this.#subs.copy.users;
  }

  /** Digest of the local copy: two copies of the same users in the same revisions have the same (digest.ts). */
  digest(): string {
    return digest(this.users.values());
  }

  /** Creates or merges the token's own user and opens the connection. */
  async connectUser(user: ConnectedUser, token: TokenSource): Promise<LiveUser> {
    await this.#open(`user ${user.id}`, new TokenKeeper(token), user);
    if (this.#me === undefined) throw unanswered('the daemon did not say who we are');
    return this.#me;
  }

  /**
   * An anonymous user, who is not counted. With a token of the user `!anon` (one is made with a `secret`) it has a live connection
   * and may subscribe by ids; without one it has none, and its calls say that they are nobody's.
   */
  async connectAnonymousUser(token?: TokenSource): Promise<void> {
    const { secret } = this.#options;
    const source = token ?? (secret === undefined ? undefined : () => secret.sign({ user_id: '!anon' }));
    if (source === undefined) this.#become('anonymous', undefined, undefined);
    else await this.#open('anonymous', new TokenKeeper(source));
  }

  /** Creates a guest and connects as it. The daemon may give it another id, which contains the one asked for. */
  async setGuestUser(user: ConnectedUser): Promise<LiveUser> {
    const answer = await this.#http.call<{ user: AppUser; access_token: string }>('POST', '/guest', { body: { user } });
    return await this.connectUser({ id: answer.user.id }, answer.access_token);
  }

  /** Opens the connection with a server token, without a user of its own; with a `secret`, the token is made here. */
  async connect(token?: TokenSource): Promise<void> {
    const tokens = token === undefined ? this.#server : new TokenKeeper(token);
    if (tokens === undefined) throw unanswered('connect needs a token, or a client with a secret');
    await this.#open('server', tokens);
  }

  /** Closes for good. When the same user connects again, it goes on where it was; for anybody else everything is forgotten. */
  disconnectUser(): Promise<void> {
    this.#link.close();
    this.#tokens = undefined;
    return Promise.resolve();
  }

  /** A new token that the application came by itself, for the calls and the connection from now on. */
  async refreshToken(token: string): Promise<void> {
    this.#tokens?.replace(token);
    if (this.state.kind === 'open') await this.#link.request({ op: 'refresh', token });
  }

  /**
   * Starts a subscription, which lasts over reconnects; one of the same name is replaced. Resolves with the users as they are now
   * (none with `snapshot: false`), as soon as there is a connection.
   */
  subscribe(sub: Subscription): Promise<readonly LiveUser[]> {
    return this.#subs.add(sub);
  }

  async unsubscribe(sub: string): Promise<void> {
    await this.#subs.remove(sub);
  }

  /** Finds users. With `presence: true` this connection also hears of them from now on. */
  override async queryUsers(
    filter: Filter = {},
    sort: SortField | readonly SortField[] = [],
    options: QueryOptions = {},
  ): Promise<Answered & { readonly users: readonly AppUser[] }> {
    const answer = await super.queryUsers(filter, sort, options);
    if (options.presence === true && this.state.kind === 'open' && answer.users.length > 0) {
      await this.#subs.watch(answer.users.map(({ id }) => id));
    }
    return answer;
  }

  /** Partial update of the own user over the live connection; with a server token, of `user_id`. */
  async update(change: {
    readonly user_id?: string;
    readonly set?: Readonly<Record<string, unknown>>;
    readonly unset?: readonly string[];
  }): Promise<LiveUser> {
    const answer = await this.#link.request({ op: 'update', ...change });
    const user = answer.user as LiveUser;
    if (user.id === this.#user?.id) this.#becomeMe(user);
    return user;
  }

  /** Durable consumers: everything up to `seq` was taken care of. Without one, everything that was handed on. */
  ack(seq: number | undefined = this.#position?.seq): void {
    if (seq !== undefined) this.#link.tell({ op: 'ack', seq });
  }

  /** A token of a user; `exp` and `iat` in seconds since 1970. Needs the `secret`. */
  async createToken(userId: string, exp?: number, iat: number = Math.floor(Date.now() / 1_000)): Promise<string> {
    if (this.#options.secret === undefined) throw unanswered('createToken needs a client with a secret');
    return await this.#options.secret.sign({ user_id: userId, iat, ...(exp === undefined ? undefined : { exp }) });
  }

  /** Listens to custom events of one type. Returns what ends that. */
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

  /** What was there for somebody else is forgotten; whoever comes back goes on where it was. Throws while there is a connection. */
  #become(who: string, tokens: TokenKeeper | undefined, user: ConnectedUser | undefined): void {
    this.#link.mustBeClosed();
    if (this.#who !== undefined && this.#who !== who) {
      this.#subs.clear();
      this.#position = undefined;
      this.#ownSince = 0;
      this.#me = undefined;
    }
    this.#who = who;
    this.#user = user;
    this.#tokens = tokens;
  }

  #owner(): LinkOwner {
    return {
      hello: () => {
        const { durable, conflate } = this.#options;
        return {
          ...(this.#user === undefined ? undefined : { user: this.#user }),
          ...(this.#position === undefined ? undefined : { resume: this.#position }),
          ...(durable === undefined ? undefined : { durable }),
          ...(conflate === undefined ? undefined : { conflate }),
          subs: this.#subs.hello(this.#position !== undefined, HELLO_BYTES),
        };
      },
      opened: (ok) => this.#opened(ok),
      took: (frame) => this.#took(frame),
      became: (state) => {
        if (state.kind === 'closed') this.#subs.disconnected(state.error ?? unanswered(`the connection is closed (${state.code})`));
        this.emit('state', state);
      },
    };
  }

  #opened(ok: Frame): void {
    const isNewHistory = this.#position !== undefined && this.#position.epoch !== ok.epoch;
    this.#position = { epoch: String(ok.epoch), seq: Number(ok.seq) };
    if (isNewHistory) this.#me = undefined;
    if (ok.resumed !== true) this.#ownSince = 0;
    if (ok.me !== undefined) this.#becomeMe(ok.me as LiveUser);
    this.#subs.connected({ isResumed: ok.resumed === true, isNewHistory, seq: this.#position.seq });
  }

  #took(frame: Frame): void {
    switch (frame.type) {
      case 'health.check':
        this.#advance(frame.seq);
        return;
      case 'token.expiring':
        this.emit('token.expiring', Number(frame.exp));
        return;
      case 'presence.state':
        this.#subs.presenceState(frame.sub as string[], frame.online as string[], frame.reset === true);
        return;
      case 'sub.reset':
        this.#subs.reset(String(frame.sub));
        return;
      case 'user.presence.changed':
        this.#heardPresence(frame as unknown as UserEvent);
        return;
      case undefined:
        if (typeof frame.sub === 'string') this.#subs.told(frame.sub, frame);
        return;
      default:
        if (typeof frame.seq === 'number') this.#hand(frame as unknown as UserEvent | DocumentEvent);
    }
  }

  /** At least once after a resume becomes exactly once here. */
  #hand(event: UserEvent | DocumentEvent): void {
    if (this.#position === undefined || event.seq <= this.#position.seq) return;
    this.#advance(event.seq);
    const names = this.#subs.copy.concerned(event);
    // About a user group, an export or an import: no user changes, and `event` is for those that are about one.
    if (event.user === undefined) {
      if (names.length > 0) this.#emitNamed(event);
      return;
    }
    const isOwn = (event.sub === undefined || event.user.id === this.#user?.id) && event.seq > this.#ownSince;
    if (names.length === 0 && !isOwn) return;
    if (event.user.id === this.#user?.id && event.type !== 'user.hidden') this.#becomeMe(event.user);
    this.#subs.copy.apply(event, names);
    this.#settleDoubtsAfter(event);
    this.#tell(event);
  }

  /** Coming and going has no position of its own: it is news whenever it comes. */
  #heardPresence(event: UserEvent): void {
    if (event.user.id === this.#user?.id) this.#becomeMe(event.user);
    this.#subs.copy.presence(event);
    this.#settleDoubtsAfter(event);
    this.#tell(event);
  }

  /** Someone left a subscription, or was told of under one that was ended here meanwhile: is there another that holds it? */
  #settleDoubtsAfter({ match, sub = [] }: UserEvent): void {
    if (match === 'leave' || sub.some((name) => !this.#subs.copy.has(name))) this.#subs.settleDoubts();
  }

  #becomeMe(user: LiveUser): void {
    if (this.#me === undefined || user.rev >= this.#me.rev) this.#me = user;
  }

  #tell(event: UserEvent): void {
    this.emit('event', event);
    if (!OWN_NAMES.has(event.type)) this.#emitNamed(event);
  }

  /** Names of custom events are the application's: the list of typed ones cannot hold them. */
  #emitNamed(event: { readonly type: string }): void {
    (this as unknown as EventEmitter<string>).emit(event.type, event);
  }

  #advance(seq: unknown): void {
    const position = this.#position;
    if (position !== undefined && typeof seq === 'number' && seq > position.seq) this.#position = { ...position, seq };
  }

  /** The daemon goes back for a subscription that was named late; all others have what is after `seq`. */
  #rewind(seq: number, sub: string): void {
    const position = this.#position;
    if (position === undefined || seq >= position.seq) return;
    this.#subs.copy.holdBack(position.seq, sub);
    this.#ownSince = Math.max(this.#ownSince, position.seq);
    this.#position = { ...position, seq };
  }
}
