/**
 * One connection of `GET /connect`, the form that Stream's public material documents: the query holds all parameters, the first frame is a
 * `health.check` with `me`, and the client then only listens. Events are in the chat v1 rendering and concern the user itself and the users
 * it found by a query with `presence: true` and this `connection_id`.
 */
import { fieldErrors, RosterError } from '../../../../protocol/base/errors.ts';
import { isObject, parseObject } from '../../../../protocol/base/json.ts';
import { toRfc3339 } from '../../../../protocol/base/time.ts';
import { ANONYMOUS, type Caller } from '../../../../protocol/base/tokens.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';
import { inexactFields } from '../../../../protocol/users/exact-fields.ts';
import { renderV1 } from '../../../../protocol/users/render.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { Subscriber } from '../../../pipeline/tell/subscriber.ts';
import { admit, connectUser, countConnect, type LiveContext, tokenEnd } from './context.ts';
import type { SessionTrace } from './inquiry/explain.ts';
import { connectionError, healthCheck, type Stamp } from './messages.ts';
import type { Peer, SessionOutlet } from './outlet.ts';
import { endOutdated, OWN, ownInterest, tellWatched, watchUsers } from './own-interests.ts';
import { asRefusal, closeReasonOf, refusalOf } from './refusal.ts';
import type { LiveSession, SessionView } from './registry.ts';
import type { Holding } from './subscriptions/holdings.ts';

/** The owner of such a connection: a user, or nobody in particular. */
type Listener = Exclude<Caller, { kind: 'server' }>;

export class ChatSession implements LiveSession {
  readonly connectionId: string;
  readonly #context: LiveContext;
  readonly #outlet: SessionOutlet;
  readonly #peer: Pick<Peer, 'address' | 'bytesRead'>;
  #open: { readonly caller: Listener; readonly subscriber: Subscriber; readonly since: number; readonly watching: Holding } | undefined;
  #isClosed = false;

  constructor(context: LiveContext, outlet: SessionOutlet, peer: Pick<Peer, 'address' | 'bytesRead'>) {
    this.#context = context;
    this.#outlet = outlet;
    this.#peer = peer;
    this.connectionId = context.sessions.newConnectionId();
  }

  get userId(): string | undefined {
    const caller = this.#open?.caller;
    return caller?.kind === 'user' ? caller.id : undefined;
  }

  get tokenExp(): number | undefined {
    return tokenEnd(this.#open?.caller);
  }

  get bytesRead(): number {
    return this.#peer.bytesRead;
  }

  get queuedBytes(): number {
    return this.#outlet.queuedBytes;
  }

  view(): SessionView {
    const address = this.#peer.address ?? null;
    return { transport: 'connect', address, subscriptions: 0, sentSeq: null, consumer: null };
  }

  /** Opens the session from the query of the upgrade request. A refusal is sent over the open socket, which then closes. */
  async open(query: URLSearchParams): Promise<void> {
    let leave = (): void => {};
    try {
      leave = await this.#context.gate.enter(query.toString().length);
      if (!this.#isClosed) await this.#connect(query);
    } catch (error) {
      const refusal = asRefusal(error, this.#context.logger, {}, 'unexpected error in /connect');
      this.end(refusal, closeReasonOf(refusal.kind));
    } finally {
      leave();
    }
  }

  async #connect(query: URLSearchParams): Promise<void> {
    const { roster, sessions } = this.#context;
    const { caller, details } = this.#admit(query);
    const stranger = this.#context.rateLimits.strangerOf(caller, this.#peer.address, roster.directory);
    await countConnect(this.#context, caller, stranger, query.get('X-Stream-Client') ?? undefined);
    const me = caller.kind === 'user' ? await this.#connectUser(caller.id, details) : undefined;
    if (this.#isClosed) return;
    const subscriber = new Subscriber(this.#outlet, 'v1', me?.id);
    this.#open = { caller, subscriber, since: roster.directory.seq, watching: sessions.holdings.of(caller, stranger) };
    subscriber.teller = { gatherPresence: () => Promise.resolve(), tellPresence: () => tellWatched(this.#context, subscriber) };
    if (caller.kind === 'user') {
      subscriber.interests.set(OWN, ownInterest(caller.id, roster.directory.seq));
      roster.presence.arrived(caller.id);
    }
    sessions.add(this);
    if (this.userId !== undefined) this.#context.socketLimit.keep(this.userId);
    // The user may have been deleted or deactivated while the connect was being written.
    this.recheck();
    if (this.#isClosed) return;
    const shown = me === undefined ? {} : { me: renderV1(me, { online: roster.online(me.id), reader: 'self' }) };
    this.#outlet.send(healthCheck(this.#stamp(), shown));
    roster.hub.join(subscriber);
  }

  /** Throws RosterError. Who names no user, or `!anon`, needs no token. */
  #admit(query: URLSearchParams): { readonly caller: Listener; readonly details: Record<string, unknown> } {
    const json = query.get('json');
    const payload = parseObject(json ?? '');
    const details = isObject(payload?.user_details) ? payload.user_details : {};
    const named = [payload?.user_id, details.id].filter((id) => id !== undefined);
    const [claimed] = named;
    const isNobody = claimed === undefined || claimed === ANONYMOUS;
    const caller = admit(this.#context, {
      apiKey: query.get('api_key') ?? undefined,
      token: query.get('authorization') ?? undefined,
      ...(isNobody ? { authType: query.get('stream-auth-type') ?? undefined, mayBeAnonymous: true } : undefined),
    });
    if (caller.kind === 'server') throw new RosterError('auth', 'a user token is needed');
    if (caller.kind === 'anonymous' ? !isNobody : named.some((id) => id !== caller.id)) {
      throw new RosterError('auth', 'the token belongs to another user');
    }
    if (payload === undefined && (json !== null || caller.kind === 'user')) {
      const text = 'must be a JSON object with user_details';
      throw new RosterError('input', `json: ${text}`, [{ path: 'json', message: text }]);
    }
    const inexact = inexactFields(json ?? '');
    if (inexact.length > 0) throw fieldErrors('input', inexact);
    return { caller, details };
  }

  async #connectUser(id: string, details: Record<string, unknown>): Promise<StoredUser> {
    const { users } = await connectUser(this.#context.roster, id, { ...details, id });
    const me = users[0]?.user;
    if (me === undefined) throw new RosterError('internal');
    return me;
  }

  watch(ids: readonly string[]): void {
    if (this.#open === undefined) return;
    const { subscriber, caller, watching } = this.#open;
    watchUsers(this.#context.roster, subscriber, caller, ids, watching);
  }

  get trace(): SessionTrace | undefined {
    if (this.#open === undefined) return undefined;
    const { subscriber, since } = this.#open;
    return { subscriber, since, outlet: this.#outlet, isResumed: false, durable: undefined };
  }

  /** Watched users may be out of sight now; the next query watches anew. */
  sightChanged(): void {
    if (this.#open === undefined) return;
    endOutdated(this.#context.roster, this.#open.subscriber, this.#open.caller, this.#open.watching);
  }

  heartbeat(): void {
    this.#outlet.send(healthCheck(this.#stamp(), {}));
    this.#outlet.ping();
  }

  #stamp(): Stamp {
    return { connection_id: this.connectionId, created_at: toRfc3339(Math.round(this.#context.nowMs() * 1000)) };
  }

  /** This form of the protocol cannot refresh a token; the end of the token is reported when it comes. */
  tokenExpiring(): void {}

  recheck(): void {
    if (this.#open === undefined) return;
    const refusal = refusalOf(this.#context.authenticator, this.#open.caller);
    if (refusal !== undefined) this.end(refusal, closeReasonOf(refusal.kind));
  }

  end(error: RosterError, reason: CloseReason): void {
    if (this.#isClosed) return;
    this.#outlet.send(connectionError(this.#stamp(), error));
    this.close(reason);
  }

  close(reason: CloseReason): void {
    if (this.#isClosed) return;
    this.closed();
    this.#outlet.close(reason);
  }

  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#context.sessions.remove(this, this.trace);
    if (this.#open === undefined) return;
    this.#open.watching.close();
    this.#context.roster.hub.leave(this.#open.subscriber);
    if (this.userId !== undefined) this.#context.roster.presence.left(this.userId);
  }
}
