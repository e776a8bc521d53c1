/**
 * All live sessions: the heartbeat, the end of tokens, and closing the sessions of users that were deleted, deactivated or had their tokens
 * revoked.
 */

import { randomUUID } from 'node:crypto';
import type { AppSettings } from '../../../../protocol/app/settings.ts';
import { fieldErrors, RosterError } from '../../../../protocol/base/errors.ts';
import type { Caller } from '../../../../protocol/base/tokens.ts';
import type { CloseReason } from '../../../../protocol/live/close-codes.ts';
import { sameTeams } from '../../../../protocol/users/teams.ts';
import { Multimap } from '../../../core/directory/multimap.ts';
import type { OutgoingUserEvent } from '../../../pipeline/tell/user-event.ts';
import type { ListedConnection, UserConnection } from '../../http/services.ts';
import { HEARTBEAT, type Heartbeat } from './heartbeat.ts';
import { EndedSessions, type EndedSessionsOptions } from './inquiry/ended-sessions.ts';
import type { SessionTrace } from './inquiry/explain.ts';
import { sightRules } from './sight.ts';
import { Holdings } from './subscriptions/holdings.ts';

/** What a session says of itself to an operator. */
export type SessionView = Pick<ListedConnection, 'transport' | 'address' | 'subscriptions' | 'sentSeq' | 'consumer'>;

/** The part of a session that the registry needs, whatever its transport and dialect. */
export interface LiveSession {
  readonly connectionId: string;
  /** Owner of the session; undefined for a server's. */
  readonly userId: string | undefined;
  /** End of the token in seconds since 1970, undefined when it never ends. */
  readonly tokenExp: number | undefined;
  /** Bytes read from the peer so far: any traffic is a sign of life. */
  readonly bytesRead: number;
  /** Bytes that wait for the peer. */
  readonly queuedBytes: number;
  view(): SessionView;
  /** Also delivers events about these users from now on. */
  watch(ids: readonly string[]): void;
  /** What decides about its events; undefined before it is open. */
  readonly trace: SessionTrace | undefined;
  /** Called when the set of users that the caller may see may have changed. */
  sightChanged(): void;
  heartbeat(): void;
  tokenExpiring(): void;
  /** Ends the session when its token or its user no longer admits it. */
  recheck(): void;
  /** Sends the error, then closes. */
  end(error: RosterError, reason: CloseReason): void;
  /** Closes with a goodbye and no error. */
  close(reason: CloseReason): void;
}

const TICK_MS = 1_000;
const EXPIRY_WARNING_S = 60;

interface Held {
  readonly slot: number;
  readonly userId: string | undefined;
  /** When it was added. */
  readonly sinceMs: number;
  bytesRead: number;
  /** Heartbeats since the last sign of life. */
  unanswered: number;
  /** The end of its token for which the warning was sent. */
  warnedOfExp: number | undefined;
}

/** `nowMs`: wall clock. */
export interface RegistryOptions extends EndedSessionsOptions {
  /** Settings at the start; later ones come through `onSettings`. */
  readonly app: AppSettings;
  /** Default: that of the protocol. */
  readonly heartbeat?: Heartbeat;
  /** The name of this node, which connection ids carry; undefined where there is no other. */
  readonly node?: string | undefined;
}

export class SessionRegistry {
  readonly #options: RegistryOptions;
  readonly #sessions = new Map<LiveSession, Held>();
  readonly #byUser = new Multimap<LiveSession>();
  readonly #byConnection = new Map<string, LiveSession>();
  /** Sessions by the tick at which they get their heartbeat, so that ten thousand do not get it in the same instant. */
  readonly #slots: readonly Set<LiveSession>[];
  /** After this many unanswered heartbeats, a peer is dead. */
  readonly #unansweredMax: number;
  /** Those that ended lately. */
  readonly ended: EndedSessions;
  /** What they hold. */
  readonly holdings = new Holdings();
  readonly heartbeatMs: number;
  readonly connectMs: number;
  /** Connections that are not admitted yet. */
  readonly #expected = new Set<LiveSession>();
  /** Sessions whose token expires. */
  readonly #mortal = new Set<LiveSession>();
  #sightRules: string;
  #tick = 0;
  #nextSlot = 0;
  #isDraining = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: RegistryOptions) {
    this.#options = options;
    this.#sightRules = sightRules(options.app);
    this.ended = new EndedSessions(options);
    const { everyMs, idleMs, connectMs } = options.heartbeat ?? HEARTBEAT;
    this.heartbeatMs = everyMs;
    this.connectMs = connectMs;
    this.#unansweredMax = Math.floor(idleMs / everyMs);
    this.#slots = Array.from({ length: Math.max(1, Math.round(everyMs / TICK_MS)) }, () => new Set());
  }

  get size(): number {
    return this.#sessions.size;
  }

  get all(): Iterable<LiveSession> {
    return this.#sessions.keys();
  }

  /** Each session with the time at which it was added, in milliseconds. May be walked while sessions come and go. */
  *withTimes(): Iterable<readonly [LiveSession, number]> {
    for (const [session, { sinceMs }] of this.#sessions) yield [session, sinceMs];
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#onTick(), TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Adds a connection that has not yet sent its connect, so that a stop says goodbye to it too. */
  expect(session: LiveSession): void {
    if (this.#isDraining) session.close('restart');
    else this.#expected.add(session);
  }

  add(session: LiveSession): void {
    this.#expected.delete(session);
    // Its connect was in progress when the goodbyes began, so nothing else would say goodbye to it.
    if (this.#isDraining) {
      session.close('restart');
      return;
    }
    const slot = this.#nextSlot++ % this.#slots.length;
    const held = { slot, userId: session.userId, sinceMs: this.#options.nowMs(), bytesRead: 0, unanswered: 0, warnedOfExp: undefined };
    this.#sessions.set(session, held);
    this.#byConnection.set(session.connectionId, session);
    this.#slots[slot]?.add(session);
    this.tokenChanged(session);
    if (session.userId !== undefined) this.#byUser.add(session.userId, session);
  }

  /** `trace`: as it was before its end; undefined when it was never open. Call this before it leaves the hub. */
  remove(session: LiveSession, trace?: SessionTrace): void {
    this.#expected.delete(session);
    const held = this.#sessions.get(session);
    if (held === undefined) return;
    this.#sessions.delete(session);
    this.#byConnection.delete(session.connectionId);
    this.#slots[held.slot]?.delete(session);
    this.#mortal.delete(session);
    if (trace !== undefined) this.ended.note({ connection: session.connectionId, userId: held.userId, openedMs: held.sinceMs }, trace);
    if (held.userId !== undefined) this.#byUser.remove(held.userId, session);
  }

  /**
   * Makes the caller's connection watch the users that a query with `presence: true` found. A user may name only its own connection. Throws
   * RosterError `input` for a connection that is not open.
   */
  watch(connectionId: string, caller: Caller, ids: readonly string[]): void {
    const session = this.#byConnection.get(connectionId);
    if (session === undefined || (caller.kind === 'user' && session.userId !== caller.id)) {
      throw noConnection();
    }
    session.watch(ids);
  }

  /** The session with this connection id. */
  find(connectionId: string): LiveSession | undefined {
    return this.#byConnection.get(connectionId);
  }

  /** When it was added, milliseconds; 0 for one that is not there. */
  openedMs(session: LiveSession): number {
    return this.#sessions.get(session)?.sinceMs ?? 0;
  }

  /** The id of a new connection. No other node has it, and each knows whose it is. */
  newConnectionId(): string {
    const { node } = this.#options;
    return node === undefined ? randomUUID() : `${randomUUID()}.${node}`;
  }

  /** The sessions of a user, oldest first. */
  of(userId: string): readonly UserConnection[] {
    return [...this.#byUser.get(userId)].map((session) => ({
      connection: session.connectionId,
      sinceMs: this.#sessions.get(session)?.sinceMs ?? 0,
    }));
  }

  /** Closes the oldest sessions of a user, until `max` are left. */
  closeOldest(userId: string, max: number): void {
    const own = [...this.#byUser.get(userId)];
    for (const session of own.slice(0, Math.max(0, own.length - max))) session.close('replaced');
  }

  /** Call this when a session got a new token. */
  tokenChanged(session: LiveSession): void {
    if (session.tokenExp === undefined) this.#mortal.delete(session);
    else this.#mortal.add(session);
  }

  #onTick(): void {
    this.#tick = (this.#tick + 1) % this.#slots.length;
    for (const session of this.#slots[this.#tick] ?? []) this.#beat(session);
    const nowS = this.#options.nowMs() / 1000;
    for (const session of this.#mortal) this.#checkToken(session, nowS);
  }

  #beat(session: LiveSession): void {
    const held = this.#sessions.get(session);
    if (held === undefined) return;
    if (session.bytesRead > held.bytesRead) held.unanswered = 0;
    held.bytesRead = session.bytesRead;
    if (held.unanswered++ >= this.#unansweredMax) session.close('silent');
    else session.heartbeat();
  }

  #checkToken(session: LiveSession, nowS: number): void {
    const { tokenExp } = session;
    const held = this.#sessions.get(session);
    if (tokenExp === undefined || held === undefined) return;
    if (nowS >= tokenExp) session.end(new RosterError('token_expired'), 'auth');
    else if (nowS >= tokenExp - EXPIRY_WARNING_S && held.warnedOfExp !== tokenExp) {
      held.warnedOfExp = tokenExp;
      session.tokenExpiring();
    }
  }

  /** Ends the sessions that an event makes invalid. Called after the directory changed and before the event itself goes out. */
  onEvent({ type, id, before, after }: OutgoingUserEvent): void {
    const isRevoked = after.revoke_tokens_issued_before !== before?.revoke_tokens_issued_before;
    const own = this.#byUser.get(id);
    if (type === 'user.deleted' || type === 'user.deactivated' || isRevoked) recheckAll(own);
    if (before === undefined) return;
    const isSame = before.role === after.role && before.teams_role === after.teams_role && sameTeams(before.teams, after.teams);
    if (!isSame) for (const session of [...own]) session.sightChanged();
  }

  /** Called when the application's settings changed, possibly its revocation stamp, which concerns the tokens of all users. */
  onSettings(app: AppSettings): void {
    recheckAll(this.#sessions.keys());
    const rules = sightRules(app);
    if (rules === this.#sightRules) return;
    this.#sightRules = rules;
    for (const session of [...this.#sessions.keys()]) session.sightChanged();
  }

  /** Closes all sessions, spread evenly over `windowMs`, so that they do not all reconnect in the same instant; and later ones, until `reopen`. */
  async drain(windowMs: number): Promise<void> {
    this.#isDraining = true;
    for (const session of [...this.#expected]) session.close('restart');
    const sessions = [...this.#sessions.keys()];
    // A monotonic clock: if the wall clock were set back, the drain might never end.
    const startedMs = performance.now();
    for (const [index, session] of sessions.entries()) {
      const dueMs = startedMs + (windowMs * index) / sessions.length;
      const waitMs = dueMs - performance.now();
      if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
      if (!this.#isDraining) return;
      session.close('restart');
    }
  }

  /** Ends a drain: sessions that are still open stay. */
  reopen(): void {
    this.#isDraining = false;
  }
}

/** The refusal of a connection id that the caller has no connection with. */
export function noConnection(): RosterError {
  return fieldErrors('input', [{ path: 'connection_id', message: 'you have no such live connection' }]);
}

function recheckAll(sessions: Iterable<LiveSession>): void {
  for (const session of [...sessions]) session.recheck();
}
