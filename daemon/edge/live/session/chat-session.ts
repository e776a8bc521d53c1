/**
 * One connection of `GET /connect`, the form that Stream's public material documents: the query holds all parameters, the first frame is a
 * `health.check` with `me`, and the client then only listens. Events are in the chat v1 rendering and concern the user itself and the users
 * it found by a query with `presence: true` and this `connection_id`.
 */
import { randomUUID } from 'node:crypto';
import { RosterError } from '../../../../protocol/base/errors.ts';
import { isObject } from '../../../../protocol/base/json.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import { toRfc3339 } from '../../../../protocol/base/time.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';
import { renderV1 } from '../../../../protocol/users/render.ts';
import { Subscriber } from '../../../pipeline/tell/subscriber.ts';
import type { AnyEvent } from '../../../pipeline/tell/user-event.ts';
import { admit, connectUser, countConnect, type LiveContext } from './context.ts';
import { type Explanation, explainInterests } from './explain.ts';
import { connectionError, healthCheck, type Stamp } from './messages.ts';
import type { SessionOutlet } from './outlet.ts';
import { endOutdated, OWN, ownInterest, tellWatched, watchUsers } from './own-interests.ts';
import { asRefusal, closeReasonOf, refusalOf } from './refusal.ts';
import type { LiveSession } from './registry.ts';
import type { Asks } from './subscriptions/wants.ts';

export class ChatSession implements LiveSession {
  readonly connectionId = randomUUID();
  readonly #context: LiveContext;
  readonly #outlet: SessionOutlet;
  readonly #readBytes: () => number;
  #open: { readonly caller: Extract<Caller, { kind: 'user' }>; readonly subscriber: Subscriber } | undefined;
  #isClosed = false;

  constructor(context: LiveContext, outlet: SessionOutlet, readBytes: () => number) {
    this.#context = context;
    this.#outlet = outlet;
    this.#readBytes = readBytes;
  }

  get userId(): string | undefined {
    return this.#open?.caller.id;
  }

  get tokenExp(): number | undefined {
    return this.#open?.caller.exp;
  }

  get bytesRead(): number {
    return this.#readBytes();
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
    const caller = admit(this.#context, {
      apiKey: query.get('api_key') ?? undefined,
      token: query.get('authorization') ?? undefined,
    });
    const payload = parsePayload(query.get('json'));
    const details = isObject(payload.user_details) ? payload.user_details : {};
    const claimed = payload.user_id ?? details.id;
    if (caller.kind !== 'user') throw new RosterError('auth', 'a user token is needed');
    if (claimed !== undefined && claimed !== caller.id) throw new RosterError('auth', 'the token belongs to another user');
    await countConnect(this.#context, caller, query.get('X-Stream-Client') ?? undefined);
    const { users } = await connectUser(roster, caller.id, { ...details, id: caller.id });
    const me = users[0]?.user;
    if (me === undefined || this.#isClosed) return;

    const subscriber = new Subscriber(this.#outlet, 'v1');
    this.#open = { caller, subscriber };
    subscriber.tellPresence = () => tellWatched(this.#context, subscriber);
    subscriber.interests.set(OWN, ownInterest(caller.id, roster.directory.seq));
    roster.presence.arrived(caller.id);
    sessions.add(this);
    sessions.closeOldest(caller.id, LIMITS.socketsPerUser);
    // The user may have been deleted or deactivated while the connect was being written.
    this.recheck();
    if (this.#isClosed) return;
    this.#outlet.send(healthCheck(this.#stamp(), { me: renderV1(me, { online: roster.online(me.id) }) }));
    roster.hub.join(subscriber);
  }

  /** It has no frames to ask with. */
  get asks(): Asks {
    return { wants: [], snapshots: 0 };
  }

  watch(ids: readonly string[]): void {
    if (this.#open !== undefined) watchUsers(this.#context.roster, this.#open.subscriber, this.#open.caller, ids);
  }

  explain(event: AnyEvent): readonly Explanation[] {
    return explainInterests(this.#open?.subscriber, event);
  }

  /** Watched users may be out of sight now; the next query watches anew. */
  sightChanged(): void {
    if (this.#open === undefined) return;
    endOutdated(this.#context.roster, this.#open.subscriber, this.#open.caller);
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
    this.#context.sessions.remove(this);
    if (this.#open === undefined) return;
    this.#context.roster.hub.leave(this.#open.subscriber);
    this.#context.roster.presence.left(this.#open.caller.id);
  }
}

function parsePayload(text: string | null): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '');
    if (isObject(value)) return value;
  } catch {
    // Falls through to the common refusal of everything that is not an object.
  }
  throw new RosterError('input', 'json: must be a JSON object with user_details', [{ path: 'json', message: 'must be a JSON object' }]);
}
