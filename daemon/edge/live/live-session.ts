/**
 * One connection of the live protocol `roster.v1` (protocol/README.md): from
 * the first frame, which must be `connect`, to the goodbye.
 *
 * The state is a union; a frame that the state does not allow is a bad frame.
 * Frames are handled one after the other: the next one waits for the answer to
 * the one before, and the socket is not read meanwhile.
 */
import { CLOSE, type CloseReason } from '../../../protocol/close-codes.ts';
import { RosterError, renderChatError } from '../../../protocol/errors.ts';
import type { ClientFrame, ConnectFrame } from '../../../protocol/frames.ts';
import { LIMITS } from '../../../protocol/limits.ts';
import { renderLive } from '../../../protocol/render.ts';
import { toNanos, toRfc3339 } from '../../../protocol/time.ts';
import type { StoredUser } from '../../../protocol/user.ts';
import { Interest } from '../../pipeline/interest.ts';
import { Subscriber } from '../../pipeline/subscriber.ts';
import type { Caller } from '../auth.ts';
import { closeReasonOf, connectUser, type LiveContext, refusalOf, watchUsers } from './live-context.ts';
import { LiveOps } from './live-ops.ts';
import type { SessionOutlet } from './session-outlet.ts';
import type { LiveSession } from './session-registry.ts';

/** Name of the interest that a user's session has in the user itself. It is never told. */
const OWN = '';

type State =
  | { readonly kind: 'opening'; readonly timer: NodeJS.Timeout }
  | {
      readonly kind: 'live';
      caller: Caller;
      readonly subscriber: Subscriber;
      readonly ops: LiveOps;
      readonly dates: 'rfc3339' | 'ns';
    }
  | { readonly kind: 'closed' };

export class RosterSession implements LiveSession {
  readonly connectionId: string;
  readonly #context: LiveContext;
  readonly #outlet: SessionOutlet;
  readonly #readBytes: () => number;
  readonly #envelope: '' | 'io ';
  #state: State;

  /** `envelope`: what events are wrapped in for this transport. */
  constructor(context: LiveContext, outlet: SessionOutlet, connectionId: string, readBytes: () => number, envelope: '' | 'io ' = '') {
    this.#context = context;
    this.#outlet = outlet;
    this.#readBytes = readBytes;
    this.#envelope = envelope;
    this.connectionId = connectionId;
    const timer = setTimeout(() => this.close('silent'), LIMITS.connectTimeoutMs);
    this.#state = { kind: 'opening', timer };
  }

  get userId(): string | undefined {
    if (this.#state.kind !== 'live') return undefined;
    const { caller } = this.#state;
    return caller.kind === 'user' ? caller.id : undefined;
  }

  get tokenExp(): number | undefined {
    return this.#state.kind === 'live' && this.#state.caller.kind !== 'anonymous' ? this.#state.caller.exp : undefined;
  }

  get bytesRead(): number {
    return this.#readBytes();
  }

  /** Handles one frame; resolves when it is answered. Never rejects. */
  async handle(frame: ClientFrame): Promise<void> {
    try {
      await this.#dispatch(frame);
    } catch (error) {
      const refusal = this.#asRefusal(error);
      // Until the connection is open, every refusal ends it; afterwards it is an answer like any other.
      if (this.#state.kind === 'opening') this.end(refusal, closeReasonOf(refusal.kind), frame.id);
      else this.#outlet.send({ re: frame.id, error: renderChatError(refusal, OPERATIONS[frame.op], '0ms') });
    }
  }

  async #dispatch(frame: ClientFrame): Promise<void> {
    if (this.#state.kind === 'closed') return;
    if (this.#state.kind === 'opening') {
      if (frame.op !== 'connect') throw new RosterError('input', `the first frame must be connect, not ${frame.op}`);
      await this.#connect(frame);
      return;
    }
    const { ops } = this.#state;
    switch (frame.op) {
      case 'connect':
        throw new RosterError('input', 'the connection is already open');
      case 'sub':
        return ops.sub(frame);
      case 'page':
        return ops.page(frame);
      case 'unsub':
        return ops.unsub(frame);
      case 'update':
        return ops.update(frame);
      case 'upsert':
        return ops.upsert(frame);
      case 'refresh':
        return this.#refresh(frame.id, frame.token);
      case 'ping':
        this.#outlet.send({ re: frame.id, seq: ops.deliveredSeq });
    }
  }

  async #connect(frame: ConnectFrame): Promise<void> {
    const { authenticator, roster } = this.#context;
    const caller = authenticator.authenticate({ apiKey: frame.api_key, token: frame.token, isOnce: true });
    const { me, warnings } = await this.#ownUser(caller, frame);
    if (this.#state.kind !== 'opening') return;
    clearTimeout(this.#state.timer);

    const dates = frame.dates ?? 'rfc3339';
    const subscriber = new Subscriber(this.#outlet, dates === 'ns' ? `${this.#envelope}live-ns` : `${this.#envelope}live`);
    const resume = frame.resume !== undefined && roster.canResume(frame.resume) ? frame.resume : undefined;
    const since = resume?.seq ?? roster.directory.seq;
    if (caller.kind === 'user') subscriber.interests.set(OWN, new Interest(OWN, { kind: 'ids', ids: new Set([caller.id]) }, since, 'self'));
    const ops = new LiveOps({ context: this.#context, outlet: this.#outlet, subscriber, caller, dates, resumedFrom: resume?.seq });
    subscriber.tellPresence = () => ops.tellPresence();
    for (const sub of frame.subs ?? []) ops.check(sub);
    this.#state = { kind: 'live', caller, subscriber, ops, dates };
    this.#enter(caller);
    // The user may have been deleted or deactivated while the connect was on its way to the disk.
    this.recheck();
    if (this.#isClosed) return;

    // A resumed client counts from where it was, until events have brought it further.
    roster.hub.flush();
    this.#outlet.send({
      re: frame.id,
      type: 'connection.ok',
      connection_id: this.connectionId,
      epoch: roster.position.epoch,
      seq: since,
      ...(me === undefined ? undefined : { me: renderLive(me, { online: roster.online(me.id) }, dates) }),
      heartbeat_ms: LIMITS.heartbeatMs,
      ...(this.tokenExp === undefined ? undefined : { token_exp: this.tokenExp }),
      resumed: resume !== undefined,
      ...(warnings.length === 0 ? undefined : { warnings }),
    });
    if (resume === undefined) {
      roster.hub.join(subscriber);
      for (const sub of frame.subs ?? []) await ops.sub({ op: 'sub', ...sub });
      return;
    }
    for (const sub of frame.subs ?? []) ops.resumeSub(sub);
    roster.hub.joinFrom(subscriber, resume.seq, () => this.#outlet.send(this.#health(true)));
  }

  /** Whether the connect was accepted and nothing has ended it. */
  get isOpen(): boolean {
    return this.#state.kind === 'live';
  }

  get #isClosed(): boolean {
    return this.#state.kind === 'closed';
  }

  #enter(caller: Caller): void {
    const { roster, sessions } = this.#context;
    sessions.add(this);
    if (caller.kind !== 'user') return;
    roster.presence.arrived(caller.id);
    sessions.closeOldest(caller.id, LIMITS.socketsPerUser);
  }

  async #ownUser(caller: Caller, frame: ConnectFrame): Promise<{ me: StoredUser | undefined; warnings: readonly string[] }> {
    if (caller.kind !== 'user') {
      if (frame.user !== undefined) throw new RosterError('input', 'user: only a user token connects a user');
      return { me: undefined, warnings: [] };
    }
    const claimed = frame.user?.id ?? caller.id;
    if (claimed !== caller.id) throw new RosterError('auth', 'the token belongs to another user');
    const { users, warnings } = await connectUser(this.#context.roster, caller.id, frame.user ?? {});
    return { me: users[0]?.user, warnings };
  }

  #refresh(id: string | number | undefined, token: string): void {
    if (this.#state.kind !== 'live') return;
    const { authenticator, apiKey, sessions } = this.#context;
    const caller = authenticator.authenticate({ apiKey, token, isOnce: true });
    const isSame = caller.kind === this.#state.caller.kind && (caller.kind !== 'user' || caller.id === this.userId);
    if (!isSame) throw new RosterError('auth', 'the token belongs to another user');
    this.#state.caller = caller;
    sessions.tokenChanged(this);
    this.#outlet.send({ re: id, ...(this.tokenExp === undefined ? undefined : { token_exp: this.tokenExp }) });
  }

  #asRefusal(error: unknown): RosterError {
    if (error instanceof RosterError) return error;
    this.#context.logger.error({ err: error, connection_id: this.connectionId }, 'unexpected error in a live session');
    return new RosterError('internal');
  }

  /** A frame that cannot be understood at all: told once, then the connection ends. */
  badFrame(reason: string): void {
    this.end(new RosterError('input', reason), 'bad_frame');
  }

  /** A frame of the protocol with a wrong field: answered with an error. As the first frame, it ends the connection. */
  invalidFrame(op: ClientFrame['op'], id: unknown, reason: string): void {
    if (this.#state.kind === 'opening') this.badFrame(reason);
    else this.#outlet.send({ re: id, error: renderChatError(new RosterError('input', reason), OPERATIONS[op], '0ms') });
  }

  watch(ids: readonly string[]): void {
    if (this.#state.kind === 'live') watchUsers(this.#context.roster, this.#state.subscriber, ids);
  }

  heartbeat(): void {
    if (this.#state.kind !== 'live') return;
    this.#outlet.send(this.#health(false));
    this.#outlet.ping();
  }

  #health(caughtUp: boolean): object {
    const seq = this.#state.kind === 'live' ? this.#state.ops.deliveredSeq : 0;
    return {
      type: 'health.check',
      connection_id: this.connectionId,
      created_at: this.#now(),
      seq,
      ...(caughtUp ? { caught_up: true } : {}),
    };
  }

  #now(): string | number {
    const micros = Math.round(this.#context.nowMs() * 1000);
    return this.#state.kind === 'live' && this.#state.dates === 'ns' ? toNanos(micros) : toRfc3339(micros);
  }

  tokenExpiring(): void {
    this.#outlet.send({ type: 'token.expiring', created_at: this.#now(), exp: this.tokenExp });
  }

  recheck(): void {
    if (this.#state.kind !== 'live') return;
    const refusal = refusalOf(this.#context.authenticator, this.#state.caller);
    if (refusal !== undefined) this.end(refusal, closeReasonOf(refusal.kind));
  }

  end(error: RosterError, reason: CloseReason, re?: string | number): void {
    if (this.#state.kind === 'closed') return;
    const body = renderChatError(error, 'Connect', '0ms');
    this.#outlet.send({ type: 'connection.error', re, connection_id: this.connectionId, created_at: this.#now(), error: body });
    this.close(reason);
  }

  close(reason: CloseReason): void {
    if (this.#state.kind === 'closed') return;
    if (CLOSE[reason].reconnect && this.#state.kind === 'live' && reason === 'restart') {
      this.#outlet.send({ type: 'server.drain', created_at: this.#now(), retry_ms: this.#context.retryMs });
    }
    this.closed();
    this.#outlet.close(reason);
  }

  /** The socket is gone, or about to be. */
  closed(): void {
    const state = this.#state;
    this.#state = { kind: 'closed' };
    if (state.kind === 'opening') clearTimeout(state.timer);
    if (state.kind !== 'live') return;
    state.ops.release();
    this.#context.roster.hub.leave(state.subscriber);
    this.#context.sessions.remove(this);
    const { caller } = state;
    if (caller.kind === 'user') this.#context.roster.presence.left(caller.id);
  }
}

const OPERATIONS: Readonly<Record<ClientFrame['op'], string>> = {
  connect: 'Connect',
  sub: 'Subscribe',
  page: 'Subscribe',
  unsub: 'Unsubscribe',
  update: 'UpdateUsersPartial',
  upsert: 'UpdateUsers',
  refresh: 'RefreshToken',
  ping: 'Ping',
};
