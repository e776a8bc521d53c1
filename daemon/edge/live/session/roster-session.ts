/**
 * One connection of the live protocol `roster.v1` (protocol/README.md): from the first frame, which must be `connect`, to the goodbye. The
 * state is a union (machine.ts); this class sends it inputs and carries out its effects.
 */
import { RosterError } from '../../../../protocol/base/errors.ts';
import { toNanos, toRfc3339 } from '../../../../protocol/base/time.ts';
import type { ClientFrame, ConnectFrame } from '../../../../protocol/live/client-frames.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';
import { admit, type LiveContext, tokenEnd } from './context.ts';
import { type SessionTrace, traceOf } from './inquiry/explain.ts';
import { type SessionEffect, type SessionInput, type SessionState, step } from './machine.ts';
import { connectionError, frameError, healthCheck, type Stamp } from './messages.ts';
import { identify, type Live, openLive, sessionView, welcome } from './opening.ts';
import { hasRoom, type Peer, type SessionOutlet } from './outlet.ts';
import { watchUsers } from './own-interests.ts';
import { asRefusal, closeReasonOf, REFUSALS, refusalOf } from './refusal.ts';
import type { LiveSession, SessionView } from './registry.ts';
import type { LiveOps } from './verbs.ts';

export class RosterSession implements LiveSession {
  readonly connectionId: string;
  readonly #context: LiveContext;
  readonly #outlet: SessionOutlet;
  readonly #peer: Peer;
  #openingTimer: NodeJS.Timeout | undefined;
  #state: SessionState<Live> = { kind: 'opening' };
  /** The form in which the client wants times; set by its connect frame, and also used for the goodbye. */
  #dates: 'rfc3339' | 'ns' = 'rfc3339';

  constructor(context: LiveContext, outlet: SessionOutlet, peer: Peer) {
    this.#context = context;
    this.#outlet = outlet;
    this.#peer = peer;
    this.connectionId = context.sessions.newConnectionId();
    this.#openingTimer = setTimeout(() => this.close('silent'), context.sessions.connectMs);
    context.sessions.expect(this);
  }

  get #live(): Live | undefined {
    return this.#state.kind === 'live' ? this.#state.live : undefined;
  }

  /** Runs the machine. Returns the effects that take time, so that the next frame waits for them. */
  #input(input: SessionInput<Live>): Promise<void> | undefined {
    const before = this.#live;
    const next = step(this.#state, input, REFUSALS);
    this.#state = next.state;
    if (next.state.kind !== 'opening') {
      clearTimeout(this.#openingTimer);
      this.#openingTimer = undefined;
    }
    if (next.state.kind === 'closed') this.#context.sessions.remove(this, traceOf(before, this.#outlet));
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
        this.#outlet.send(frameError(effect.op, effect.error, effect.id));
        return undefined;
      case 'warn of expiry':
        this.#outlet.send({ type: 'token.expiring', created_at: this.#stamp().created_at, exp: this.tokenExp });
        return undefined;
      case 'tell error':
        this.#outlet.send(connectionError(this.#stamp(), effect.error, effect.id));
        return undefined;
      case 'announce drain':
        this.#outlet.send({ type: 'server.drain', created_at: this.#stamp().created_at, retry_ms: this.#context.retryMs });
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
    return tokenEnd(this.#live?.caller);
  }

  get bytesRead(): number {
    return this.#peer.bytesRead;
  }

  get queuedBytes(): number {
    return this.#outlet.queuedBytes;
  }

  view(): SessionView {
    return sessionView(this.#live, this.#peer);
  }

  /** Whether the connect was accepted and the session has not ended. */
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
      // A session that has ended before its turn costs no work.
      if (this.#state.kind === 'connecting') await this.#input({ kind: 'accepted', live: await this.#open(frame) });
    } catch (error) {
      const refusal = this.#asRefusal(error);
      // An error after the connection is open never ends it.
      if (this.isOpen) this.#outlet.send(frameError('connect', refusal, frame.id));
      else this.#input({ kind: 'refused', error: refusal, reason: closeReasonOf(refusal.kind) });
    } finally {
      leave();
      // A failed connect releases its consumer.
      if (!this.isOpen && frame.durable !== undefined) this.#context.consumers.leave(frame.durable, this);
    }
  }

  /** Bytes of a connect frame that waits. Socket.IO counts packets, not bytes. */
  #weightOf(frame: ConnectFrame): number {
    return this.#peer.envelope === '' ? this.#peer.bytesRead : JSON.stringify(frame).length;
  }

  async #open(frame: ConnectFrame): Promise<Live> {
    const identity = await identify(this.#context, frame, this.#peer.address);
    const dates = frame.dates ?? 'rfc3339';
    this.#dates = dates;
    const form = dates === 'ns' ? (`${this.#peer.envelope}live-ns` as const) : (`${this.#peer.envelope}live` as const);
    return await openLive(identity, frame, { context: this.#context, outlet: this.#outlet, session: this, form, dates });
  }

  async #enter(live: Live, frame: ConnectFrame): Promise<void> {
    const { roster, sessions, socketLimit } = this.#context;
    sessions.add(this);
    // Its connect was in progress when the daemon began to stop.
    if (!this.isOpen) return;
    if (live.caller.kind === 'user') {
      roster.presence.arrived(live.caller.id);
      socketLimit.keep(live.caller.id);
    }
    // The user may have been deleted or deactivated while the connect was being written.
    this.recheck();
    if (!this.isOpen) return;
    // A resumed client counts from its old position until events have brought it further.
    roster.hub.flush();
    this.#outlet.send(welcome(live, frame.id, { context: this.#context, connectionId: this.connectionId, dates: this.#dates }));
    live.arrival = undefined;
    if (!live.isResumed) return await this.#begin(live, frame);
    for (const sub of frame.subs ?? []) live.ops.resume(sub);
    roster.hub.joinFrom(live.subscriber, live.since, () => this.#outlet.send(this.#health(true)));
  }

  /** Starts at the current position, with a snapshot for each subscription. */
  async #begin({ subscriber, ops }: Live, { subs, resume }: ConnectFrame): Promise<void> {
    const { hub, position } = this.#context.roster;
    hub.join(subscriber);
    const lost = resume?.epoch === position.epoch && resume.seq <= position.seq ? resume.seq : undefined;
    for (const sub of subs ?? []) {
      await ops.begin(sub, lost);
      if (!(await hasRoom(this.#outlet))) return;
    }
  }

  /** A refusal is sent like any other answer. */
  async #perform({ ops }: Live, frame: ClientFrame): Promise<void> {
    try {
      await this.#request(ops, frame);
    } catch (error) {
      this.#outlet.send(frameError(frame.op, this.#asRefusal(error), frame.id));
    }
  }

  async #request(ops: LiveOps, frame: ClientFrame): Promise<void> {
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
        return ops.update(frame);
      case 'upsert':
        return ops.upsert(frame);
      case 'refresh':
        return this.#refresh(frame.id, frame.token);
      case 'ack':
        return ops.ack(frame);
      case 'ping':
        this.#outlet.send({ re: frame.id, seq: ops.deliveredSeq });
    }
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
    return asRefusal(error, this.#context.logger, { connection_id: this.connectionId }, 'unexpected error in a live session');
  }

  /** Handles a frame that cannot be understood at all: sends the error once, then ends the connection. */
  badFrame(reason: string): void {
    this.#input({ kind: 'garbled', error: new RosterError('input', reason) });
  }

  /** Handles a frame of the protocol with a wrong field: answers with an error. If it is the first frame, the connection ends. */
  invalidFrame(op: ClientFrame['op'], id: unknown, reason: string): void {
    const named = typeof id === 'string' || typeof id === 'number' ? id : undefined;
    this.#input({ kind: 'invalid', op, id: named, error: new RosterError('input', reason) });
  }

  watch(ids: readonly string[]): void {
    const live = this.#live;
    if (live !== undefined) watchUsers(this.#context.roster, live.subscriber, live.caller, ids, live.watching);
  }

  get trace(): SessionTrace | undefined {
    return traceOf(this.#live, this.#outlet);
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
    return healthCheck(this.#stamp(), { seq, ...(caughtUp ? { caught_up: true } : {}) });
  }

  #stamp(): Stamp {
    const micros = Math.round(this.#context.nowMs() * 1000);
    return { connection_id: this.connectionId, created_at: this.#dates === 'ns' ? toNanos(micros) : toRfc3339(micros) };
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

  /** Called when the socket has closed. */
  closed(): void {
    this.#input({ kind: 'gone' });
  }

  #leave({ ops, subscriber, caller, durable }: Live): void {
    const { roster, consumers } = this.#context;
    if (durable !== undefined) consumers.leave(durable, this);
    ops.release();
    roster.hub.leave(subscriber);
    if (caller.kind === 'user') roster.presence.left(caller.id);
  }
}
