/**
 * One connection of the live protocol `roster.v1` (protocol/README.md): from
 * the first frame, which must be `connect`, to the goodbye.
 *
 * The state is a union; a frame that the state does not allow is a bad frame.
 * Frames are handled one after the other: the next one waits for the answer to
 * the one before, and the socket is not read meanwhile.
 */

import { RosterError, renderChatError } from '../../../../protocol/base/errors.ts';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import type { Position } from '../../../../protocol/base/position.ts';
import { toNanos, toRfc3339 } from '../../../../protocol/base/time.ts';
import type { AckFrame, ClientFrame, ConnectFrame } from '../../../../protocol/live/client-frames.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';
import { renderLive } from '../../../../protocol/users/render.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import { type Interests, Subscriber } from '../../../pipeline/tell/subscriber.ts';
import type { AnyEvent } from '../../../pipeline/tell/user-event.ts';
import type { Caller } from '../../auth.ts';
import {
  admit,
  closeReasonOf,
  connectUser,
  countConnect,
  countWrite,
  type Explanation,
  explain,
  isSightUnchanged,
  type LiveContext,
  OWN,
  ownInterest,
  refusalOf,
  retryHint,
  watchUsers,
} from './context.ts';
import { hasRoom } from './inbox.ts';
import { type Refusals, type SessionEffect, type SessionInput, type SessionState, step } from './machine.ts';
import type { SessionOutlet } from './outlet.ts';
import type { LiveSession } from './registry.ts';
import { LiveOps } from './verbs.ts';

/** What an open session has. */
interface Live {
  caller: Caller;
  readonly me: StoredUser | undefined;
  readonly warnings: readonly string[];
  readonly subscriber: Subscriber;
  readonly ops: LiveOps;
  /** Position that the events begin after. */
  readonly since: number;
  readonly isResumed: boolean;
  /** Name of the durable consumer that this session speaks for. */
  readonly durable: string | undefined;
}

const REFUSALS: Refusals = {
  notFirst: (op) => new RosterError('input', `the first frame must be connect, not ${op}`),
  alreadyOpen: () => new RosterError('input', 'the connection is already open'),
};

export class RosterSession implements LiveSession {
  readonly connectionId: string;
  readonly #context: LiveContext;
  readonly #outlet: SessionOutlet;
  readonly #readBytes: () => number;
  readonly #envelope: '' | 'io ';
  readonly #openingTimer: NodeJS.Timeout;
  #state: SessionState<Live> = { kind: 'opening' };
  /** How the client wants its times; known from its connect frame, also for the goodbye. */
  #dates: 'rfc3339' | 'ns' = 'rfc3339';

  /** `envelope`: what events are wrapped in for this transport. */
  constructor(context: LiveContext, outlet: SessionOutlet, connectionId: string, readBytes: () => number, envelope: '' | 'io ' = '') {
    this.#context = context;
    this.#outlet = outlet;
    this.#readBytes = readBytes;
    this.#envelope = envelope;
    this.connectionId = connectionId;
    this.#openingTimer = setTimeout(() => this.close('silent'), LIMITS.connectTimeoutMs);
    context.sessions.expect(this);
  }

  get #live(): Live | undefined {
    return this.#state.kind === 'live' ? this.#state.live : undefined;
  }

  /** Runs the machine. Effects that take time are returned, so that the next frame waits for them. */
  #input(input: SessionInput<Live>): Promise<void> | undefined {
    const next = step(this.#state, input, REFUSALS);
    this.#state = next.state;
    if (next.state.kind !== 'opening') clearTimeout(this.#openingTimer);
    if (next.state.kind === 'closed') this.#context.sessions.remove(this);
    let work: Promise<void> | undefined;
    for (const effect of next.effects) work = this.#act(effect) ?? work;
    return work;
  }

  #act(effect: SessionEffect<Live>): Promise<void> | undefined {
    switch (effect.kind) {
      case 'decide':
        return this.#decide(effect.frame);
      case 'enter':
        return this.#enter(effect.live, effect.frame);
      case 'perform':
        return this.#perform(effect.live, effect.frame);
      case 'answer error':
        this.#outlet.send({ re: effect.id, error: renderChatError(effect.error, OPERATIONS[effect.op], '0.00ms') });
        return undefined;
      case 'warn of expiry':
        this.#outlet.send({ type: 'token.expiring', created_at: this.#now(), exp: this.tokenExp });
        return undefined;
      case 'tell error':
        this.#outlet.send({
          type: 'connection.error',
          re: effect.id,
          connection_id: this.connectionId,
          created_at: this.#now(),
          error: renderChatError(effect.error, 'Connect', '0.00ms'),
          ...retryHint(effect.error),
        });
        return undefined;
      case 'announce drain':
        this.#outlet.send({ type: 'server.drain', created_at: this.#now(), retry_ms: this.#context.retryMs });
        return undefined;
      case 'leave':
        this.#leave(effect.live);
        return undefined;
      case 'close':
        this.#outlet.close(effect.reason);
        return undefined;
    }
  }

  get userId(): string | undefined {
    const caller = this.#live?.caller;
    return caller?.kind === 'user' ? caller.id : undefined;
  }

  get tokenExp(): number | undefined {
    const caller = this.#live?.caller;
    return caller === undefined || caller.kind === 'anonymous' ? undefined : caller.exp;
  }

  get bytesRead(): number {
    return this.#readBytes();
  }

  /** Whether the connect was accepted and nothing has ended it. */
  get isOpen(): boolean {
    return this.#state.kind === 'live';
  }

  /** Handles one frame; resolves when it is answered. Never rejects. */
  async handle(frame: ClientFrame): Promise<void> {
    await this.#input({ kind: 'frame', frame });
  }

  async #decide(frame: ConnectFrame): Promise<void> {
    let leave = (): void => {};
    try {
      leave = await this.#context.gate.enter(this.#weightOf(frame));
      // Whoever is gone by the time of its turn costs no work.
      if (this.#state.kind === 'connecting') await this.#input({ kind: 'accepted', live: await this.#admit(frame) });
    } catch (error) {
      const refusal = this.#asRefusal(error);
      // What fails after the connection is open does not end it, whatever it was.
      if (this.isOpen) this.#outlet.send({ re: frame.id, error: renderChatError(refusal, OPERATIONS.connect, '0.00ms') });
      else this.#input({ kind: 'refused', error: refusal, reason: closeReasonOf(refusal.kind) });
    } finally {
      leave();
      // A connect that came to nothing speaks for no consumer.
      if (!this.isOpen && frame.durable !== undefined) this.#context.consumers.leave(frame.durable, this);
    }
  }

  /** Bytes of a connect frame that waits. Socket.IO counts packets, not bytes. */
  #weightOf(frame: ConnectFrame): number {
    return this.#envelope === '' ? this.#readBytes() : JSON.stringify(frame).length;
  }

  async #admit(frame: ConnectFrame): Promise<Live> {
    const { roster } = this.#context;
    const caller = admit(this.#context, { apiKey: frame.api_key, token: frame.token, isOnce: true });
    await countConnect(this.#context, caller);
    const before = caller.kind === 'user' ? roster.directory.user(caller.id) : undefined;
    const { me, warnings } = await this.#ownUser(caller, frame);
    const dates = frame.dates ?? 'rfc3339';
    this.#dates = dates;
    const subscriber = new Subscriber(this.#outlet, dates === 'ns' ? `${this.#envelope}live-ns` : `${this.#envelope}live`);
    subscriber.conflates = frame.conflate === true;
    const { durable } = frame;
    const from = await this.#startOf(frame, caller);
    const canResume = from !== undefined && roster.canResume(from) && isSightUnchanged(roster, caller, before, from.seq);
    const resume = canResume ? from : undefined;
    const since = resume?.seq ?? roster.directory.seq;
    if (caller.kind === 'user') subscriber.interests.set(OWN, ownInterest(caller.id, since));
    const ops = new LiveOps({ context: this.#context, outlet: this.#outlet, subscriber, caller, dates, resumedFrom: resume?.seq });
    subscriber.tellPresence = () => ops.tellPresence();
    for (const sub of frame.subs ?? []) ops.check(sub);
    return { caller, me, warnings, subscriber, ops, since, isResumed: resume !== undefined, durable };
  }

  async #enter(live: Live, frame: ConnectFrame): Promise<void> {
    const { roster, sessions } = this.#context;
    const { caller, me, warnings, subscriber, ops, since, isResumed } = live;
    sessions.add(this);
    // Its connect was on its way when the daemon began to stop.
    if (!this.isOpen) return;
    if (caller.kind === 'user') {
      roster.presence.arrived(caller.id);
      sessions.closeOldest(caller.id, LIMITS.socketsPerUser);
    }
    // The user may have been deleted or deactivated while the connect was on its way to the disk.
    this.recheck();
    if (!this.isOpen) return;

    // A resumed client counts from where it was, until events have brought it further.
    roster.hub.flush();
    this.#outlet.send({
      re: frame.id,
      type: 'connection.ok',
      connection_id: this.connectionId,
      epoch: roster.position.epoch,
      seq: since,
      ...(me === undefined ? undefined : { me: renderLive(me, { online: roster.online(me.id) }, this.#dates) }),
      heartbeat_ms: sessions.heartbeatMs,
      ...(this.tokenExp === undefined ? undefined : { token_exp: this.tokenExp }),
      resumed: isResumed,
      ...(warnings.length === 0 ? undefined : { warnings }),
    });
    if (!isResumed) {
      roster.hub.join(subscriber);
      const { epoch, seq } = roster.position;
      const lost = frame.resume?.epoch === epoch && frame.resume.seq <= seq ? frame.resume.seq : undefined;
      for (const sub of frame.subs ?? []) {
        await ops.begin(sub, lost);
        if (!(await hasRoom(this.#outlet))) return;
      }
      return;
    }
    for (const sub of frame.subs ?? []) ops.resume(sub);
    roster.hub.joinFrom(subscriber, since, () => this.#outlet.send(this.#health(true)));
  }

  /** A refusal is an answer like any other. */
  async #perform({ ops, durable, caller }: Live, frame: ClientFrame): Promise<void> {
    try {
      if (frame.op === 'ack') this.#acknowledge(ops, durable, frame.seq);
      else await this.#request(ops, frame, caller);
    } catch (error) {
      this.#outlet.send({ re: frame.id, error: renderChatError(this.#asRefusal(error), OPERATIONS[frame.op], '0.00ms') });
    }
  }

  /** What was not delivered cannot have been taken care of. */
  #acknowledge(ops: LiveOps, durable: string | undefined, seq: number): void {
    const refuse = (message: string): RosterError => new RosterError('input', `seq: ${message}`, [{ path: 'seq', message }]);
    if (durable === undefined) throw refuse('only a durable consumer acknowledges: name it in the connect');
    if (seq > ops.furthestSeq) throw refuse(`nothing beyond ${ops.furthestSeq} was delivered`);
    this.#context.consumers.acknowledge(durable, seq);
  }

  async #request(ops: LiveOps, frame: Exclude<ClientFrame, AckFrame>, caller: Caller): Promise<void> {
    switch (frame.op) {
      case 'connect':
        throw REFUSALS.alreadyOpen();
      case 'sub':
        return ops.sub(frame);
      case 'page':
        return ops.page(frame);
      case 'unsub':
        return ops.unsub(frame);
      case 'update':
        await countWrite(this.#context, OPERATIONS[frame.op], caller);
        return ops.update(frame);
      case 'upsert':
        await countWrite(this.#context, OPERATIONS[frame.op], caller);
        return ops.upsert(frame);
      case 'refresh':
        return this.#refresh(frame.id, frame.token);
      case 'ping':
        this.#outlet.send({ re: frame.id, seq: ops.deliveredSeq });
    }
  }

  /** Where the events go on: where the client says, else where its durable consumer was. */
  async #startOf({ resume, durable }: ConnectFrame, caller: Caller): Promise<Position | undefined> {
    if (durable === undefined) return resume;
    if (caller.kind !== 'server') throw new RosterError('not_allowed', 'durable: only a server token may speak for a consumer');
    const isNew = this.#context.roster.directory.docs.get('consumer', durable) === undefined;
    const position = await this.#context.consumers.open(durable, this);
    return resume ?? (isNew ? undefined : position);
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
    const live = this.#live;
    if (live === undefined) return;
    const { apiKey, sessions } = this.#context;
    const caller = admit(this.#context, { apiKey, token, isOnce: true });
    const isSame = caller.kind === live.caller.kind && (caller.kind !== 'user' || caller.id === this.userId);
    if (!isSame) throw new RosterError('auth', 'the token belongs to another user');
    live.caller = caller;
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
    this.#input({ kind: 'garbled', error: new RosterError('input', reason) });
  }

  /** A frame of the protocol with a wrong field: answered with an error. As the first frame, it ends the connection. */
  invalidFrame(op: ClientFrame['op'], id: unknown, reason: string): void {
    const named = typeof id === 'string' || typeof id === 'number' ? id : undefined;
    this.#input({ kind: 'invalid', op, id: named, error: new RosterError('input', reason) });
  }

  watch(ids: readonly string[]): void {
    const live = this.#live;
    if (live !== undefined) watchUsers(this.#context.roster, live.subscriber, live.caller, ids);
  }

  explain(event: AnyEvent): readonly Explanation[] {
    const { interests, state } = this.#live?.subscriber ?? { interests: new Map() as Interests, state: { kind: 'out' as const } };
    const position = state.kind === 'behind' ? state.position : undefined;
    return explain(interests, event, position);
  }

  sightChanged(): void {
    this.#live?.ops.sightChanged();
  }

  heartbeat(): void {
    if (!this.isOpen) return;
    this.#outlet.send(this.#health(false));
    this.#outlet.ping();
  }

  #health(caughtUp: boolean): object {
    const seq = this.#live?.ops.deliveredSeq ?? 0;
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
    return this.#dates === 'ns' ? toNanos(micros) : toRfc3339(micros);
  }

  tokenExpiring(): void {
    this.#input({ kind: 'expiring' });
  }

  recheck(): void {
    const live = this.#live;
    if (live === undefined) return;
    const refusal = refusalOf(this.#context.authenticator, live.caller);
    if (refusal !== undefined) this.end(refusal, closeReasonOf(refusal.kind));
  }

  end(error: RosterError, reason: CloseReason): void {
    this.#input({ kind: 'dismissed', reason, error });
  }

  close(reason: CloseReason): void {
    this.#input({ kind: 'dismissed', reason });
  }

  /** The socket is gone. */
  closed(): void {
    this.#input({ kind: 'gone' });
  }

  #leave({ ops, subscriber, caller, durable }: Live): void {
    const { roster, sessions, consumers } = this.#context;
    if (durable !== undefined) consumers.leave(durable, this);
    ops.release();
    roster.hub.leave(subscriber);
    sessions.remove(this);
    if (caller.kind === 'user') roster.presence.left(caller.id);
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
  ack: 'Acknowledge',
  ping: 'Ping',
};
