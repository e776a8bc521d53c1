/** From a connect frame to an open session: its identity, the start of its events, and its subscriptions. */
import { RosterError } from '../../../../protocol/base/errors.ts';
import type { Position } from '../../../../protocol/base/position.ts';
import { ANONYMOUS, type Caller } from '../../../../protocol/base/tokens.ts';
import type { ConnectFrame } from '../../../../protocol/live/client-frames.ts';
import { type DateStyle, renderLive } from '../../../../protocol/users/render.ts';
import type { StoredUser } from '../../../../protocol/users/user.ts';
import type { EventForm } from '../../../pipeline/tell/event-form.ts';
import { Subscriber } from '../../../pipeline/tell/subscriber.ts';
import { admittedAt } from '../../nodes/asked-position.ts';
import type { Stranger } from '../../strangers.ts';
import { admit, connectUser, countConnect, type LiveContext, tokenEnd } from './context.ts';
import type { Peer, SessionOutlet } from './outlet.ts';
import { OWN, ownInterest } from './own-interests.ts';
import type { LiveSession, SessionView } from './registry.ts';
import { isSightUnchanged } from './sight.ts';
import type { Holding } from './subscriptions/holdings.ts';
import { LiveOps } from './verbs.ts';

/** The parts of an open session. */
export interface Live {
  caller: Caller;
  /** Until the client is welcomed: the record may be replaced soon afterwards. */
  arrival: Pick<Identity, 'me' | 'warnings'> | undefined;
  readonly subscriber: Subscriber;
  readonly ops: LiveOps;
  /** What it holds for the users that it watches. */
  readonly watching: Holding;
  /** Position after which the events begin. */
  readonly since: number;
  readonly isResumed: boolean;
  /** Name of the durable consumer that this session speaks for. */
  readonly durable: string | undefined;
}

/** The identity of a connecting client. */
export interface Identity {
  readonly caller: Caller;
  readonly stranger: Stranger | undefined;
  /** Its record before it connected; undefined for a server, and for a new user. */
  readonly before: StoredUser | undefined;
  /** Its record after the connect. */
  readonly me: StoredUser | undefined;
  readonly warnings: readonly string[];
}

/**
 * Admits the caller at the position that it resumes from, counts its connect, and creates or merges its user. `address`: where it calls from.
 * Rejects with RosterError.
 */
export async function identify(context: LiveContext, frame: ConnectFrame, address: string | undefined): Promise<Identity> {
  const isAnonymous = frame.user?.id === ANONYMOUS;
  const credentials = { apiKey: frame.api_key, token: frame.token ?? undefined, isOnce: true, mayBeAnonymous: isAnonymous };
  const strangerOf = (caller: Caller) => context.rateLimits.strangerOf(caller, address, context.roster.directory);
  const { caller } = await admittedAt(
    frame.resume,
    context.roster.arrivals,
    () => admit(context, credentials),
    (admitted) => countConnect(context, admitted, strangerOf(admitted)),
  );
  const stranger = strangerOf(caller);
  if (caller.kind !== 'user') {
    if (frame.user !== undefined && !(isAnonymous && caller.kind === 'anonymous')) {
      throw new RosterError('input', 'user: only a user token connects a user');
    }
    return { caller, stranger, before: undefined, me: undefined, warnings: [] };
  }
  const before = context.roster.directory.user(caller.id);
  const claimed = frame.user?.id ?? caller.id;
  if (claimed !== caller.id) throw new RosterError('auth', 'the token belongs to another user');
  const { users, warnings } = await connectUser(context.roster, caller.id, frame.user ?? {});
  return { caller, stranger, before, me: users[0]?.user, warnings };
}

/** The inputs for opening a session. */
export interface Opening {
  readonly context: LiveContext;
  readonly outlet: SessionOutlet;
  /** The session that will hold the durable consumer that the frame names. */
  readonly session: Pick<LiveSession, 'close' | 'connectionId'>;
  readonly form: EventForm;
  readonly dates: DateStyle;
}

/** The session, not yet in the hub. Rejects with RosterError for a consumer or a subscription that is refused. */
export async function openLive(identity: Identity, frame: ConnectFrame, opening: Opening): Promise<Live> {
  const { caller, stranger, before, me, warnings } = identity;
  const { context, outlet, form, dates } = opening;
  const { roster } = context;
  const subscriber = new Subscriber(outlet, form, caller.kind === 'server' ? undefined : (me?.id ?? ''));
  subscriber.conflates = frame.conflate === true;
  const from = await startOf(frame, caller, opening);
  const canResume = from !== undefined && roster.arrivals.canResume(from) && isSightUnchanged(roster, caller, before, from.seq);
  const resume = canResume ? from : undefined;
  if (from !== undefined) context.counts.resumes[canResume ? 'resumed' : 'resync']++;
  const since = resume?.seq ?? roster.directory.seq;
  if (caller.kind === 'user') subscriber.interests.set(OWN, ownInterest(caller.id, since));
  const holding = context.sessions.holdings.of(caller, stranger);
  const watching = holding.another();
  const ops = new LiveOps({
    context,
    holding,
    watching,
    outlet,
    subscriber,
    caller,
    stranger,
    dates,
    durable: frame.durable,
    resumedFrom: resume?.seq,
  });
  subscriber.teller = ops;
  ops.check(frame.subs ?? []);
  return { caller, arrival: { me, warnings }, subscriber, ops, watching, since, isResumed: resume !== undefined, durable: frame.durable };
}

/** The answer to the connect frame with this id. */
export function welcome(
  { caller, arrival, since, isResumed }: Live,
  re: ConnectFrame['id'],
  { context, connectionId, dates }: Pick<Opening, 'context' | 'dates'> & { readonly connectionId: string },
): object {
  const { roster, sessions } = context;
  const { me, warnings = [] } = arrival ?? {};
  const exp = tokenEnd(caller);
  return {
    re,
    type: 'connection.ok',
    connection_id: connectionId,
    epoch: roster.position.epoch,
    seq: since,
    ...(me === undefined ? undefined : { me: renderLive(me, { online: roster.online(me.id), reader: 'self' }, dates) }),
    heartbeat_ms: sessions.heartbeatMs,
    ...(exp === undefined ? undefined : { token_exp: exp }),
    resumed: isResumed,
    ...(warnings.length === 0 ? undefined : { warnings }),
  };
}

/** The position at which the events continue: the one that the client names, else that of its durable consumer. */
async function startOf({ resume, durable }: ConnectFrame, caller: Caller, { context, session }: Opening): Promise<Position | undefined> {
  if (durable === undefined) return resume;
  if (caller.kind !== 'server') throw new RosterError('not_allowed', 'durable: only a server token may speak for a consumer');
  const { position, isNew } = await context.consumers.open(durable, session);
  return resume ?? (isNew ? undefined : position);
}

/** What an operator sees of a connection; `live` is undefined until it is open. */
export function sessionView(live: Live | undefined, { address, envelope }: Pick<Peer, 'address' | 'envelope'>): SessionView {
  const named = [...(live?.subscriber.interests.values() ?? [])].filter(({ name }) => name !== '');
  return {
    transport: envelope === '' ? 'live' : 'socket.io',
    address: address ?? null,
    subscriptions: named.length,
    sentSeq: live?.ops.deliveredSeq ?? null,
    consumer: live?.durable ?? null,
  };
}
