/** Why a live connection received an event, or did not: step by step, and for each of its subscriptions. */

import { isObject, withFields } from '../../../../../protocol/base/json.ts';
import { toRfc3339 } from '../../../../../protocol/base/time.ts';
import { CLOSE } from '../../../../../protocol/live/close-codes.ts';
import { grouped } from '../../../../base/grouped.ts';
import type { Directory } from '../../../../core/directory/directory.ts';
import type { Interest } from '../../../../pipeline/tell/interest.ts';
import type { Interests, Subscriber } from '../../../../pipeline/tell/subscriber.ts';
import { type AnyEvent, isAboutUser } from '../../../../pipeline/tell/user-event.ts';
import type { TracedConnection, Why } from '../../../http/services.ts';
import type { SessionOutlet } from '../outlet.ts';

/** What of an open session decides about its events. */
export interface SessionTrace {
  readonly subscriber: Subscriber;
  readonly outlet: Pick<SessionOutlet, 'goodbye' | 'queuedBytes'>;
  /** Position after which its events began, and whether it resumed from there. */
  readonly since: number;
  readonly isResumed: boolean;
  readonly durable: string | undefined;
}

/** `live`: the open session; undefined before and after. */
export function traceOf(live: Omit<SessionTrace, 'outlet'> | undefined, outlet: SessionTrace['outlet']): SessionTrace | undefined {
  return live === undefined ? undefined : withFields(live, { outlet });
}

/** A session, open or ended, as far as it is known. */
export interface TracedSession {
  readonly connection: string;
  readonly userId: string | undefined;
  readonly openedMs: number;
  /** Undefined: it was not kept, as it was too large. */
  readonly interests: Interests | undefined;
  readonly since: number;
  readonly isResumed: boolean;
  readonly conflates: boolean;
  readonly durable: string | undefined;
  /** Everything up to here was handed to it. Undefined while it is live: then that is everything. */
  readonly position: number | undefined;
  readonly queuedBytes: number;
  /** Undefined while it is open. `code`: of the goodbye; undefined where the peer, or the network, ended it. */
  readonly ended: { readonly atMs: number; readonly code: number | undefined } | undefined;
}

export interface ExplainParts {
  readonly directory: Pick<Directory, 'record' | 'docs'>;
  /** Bytes that may wait for one connection. */
  readonly outboxBytesMax: number;
}

type Steps = Why['steps'];

const AUDIENCES: Readonly<Record<string, string>> = {
  all: 'for everybody who follows the user',
  self: 'for the user itself and servers',
  server: 'for servers only',
};

/**
 * What became of the event under one subscription. `not_yet`, `ended`: it had not come to it, and the session is open, or not. `unknown`: the
 * subscription was not kept.
 */
type Outcome = 'sent' | 'not_sent' | 'not_yet' | 'ended' | 'unknown';

interface Judged {
  readonly shown: Why['subscriptions'][number];
  readonly outcome: Outcome;
}

export function explainEvent(session: TracedSession, event: AnyEvent, parts: ExplainParts): Why {
  const { connection, userId, openedMs } = session;
  const judged = judgedInterests(session, event);
  const outcomes = new Set(judged.map(({ outcome }) => outcome));
  const user_id = event.after?.id ?? null;
  return {
    event: { seq: event.seq, type: event.type, user_id, audience: event.audience },
    connection: {
      connection_id: connection,
      user_id: userId ?? null,
      opened_at: timeText(openedMs),
      ...endOf(session),
    },
    delivered: deliveredOf(outcomes),
    steps: stepsOf(session, event, judged, parts),
    subscriptions: judged.map(({ shown }) => shown),
  };
}

function judgedInterests({ interests, position, ended }: TracedSession, event: AnyEvent): readonly Judged[] {
  if (interests === undefined) {
    const result = 'unknown: its subscriptions were too large to be kept';
    return [{ shown: { sub: '(not kept)', want: 'unknown', result }, outcome: 'unknown' }];
  }
  // A connection without subscriptions is itself a reason.
  if (interests.size === 0) {
    const result = 'not sent: the connection has no subscription';
    return [{ shown: { sub: '(none)', want: 'nothing', result }, outcome: 'not_sent' }];
  }
  const isLate = position !== undefined && event.seq > position;
  return [...interests].map(([key, interest]) => {
    const { outcome, result } = isLate ? lateFor(ended, position) : resultOf(interest, event);
    return { shown: { sub: subName(key), want: interest.want.kind, result }, outcome };
  });
}

function lateFor(ended: TracedSession['ended'], position: number): { readonly outcome: Outcome; readonly result: string } {
  return ended === undefined
    ? { outcome: 'not_yet', result: `not yet: the connection is behind, at position ${position}` }
    : { outcome: 'ended', result: `not sent: the connection ended at position ${position}` };
}

function resultOf(interest: Interest, event: AnyEvent): { readonly outcome: Outcome; readonly result: string } {
  return { outcome: interest.concerns(event) === false ? 'not_sent' : 'sent', result: interest.explain(event) };
}

function deliveredOf(outcomes: ReadonlySet<Outcome>): Why['delivered'] {
  if (outcomes.has('unknown')) return 'unknown';
  if (outcomes.has('sent')) return 'sent';
  return outcomes.has('not_yet') ? 'not_yet' : 'not_sent';
}

function stepsOf(session: TracedSession, event: AnyEvent, judged: readonly Judged[], parts: ExplainParts): Steps {
  return [
    {
      about: 'event',
      is_reached: true,
      text: `#${event.seq} is ${event.type}${event.after === undefined ? '' : ` about ${event.after.id}`}, ${AUDIENCES[event.audience] ?? event.audience}.`,
    },
    ownerStep(session, event),
    beginStep(session, event),
    wantStep(session, judged),
    ...endStep(session, event),
    ...queueStep(session, event, parts),
    ...conflationStep(session, event, parts),
    ...consumerStep(session, event, parts),
  ];
}

function ownerStep({ userId, interests }: TracedSession, event: AnyEvent): Steps[number] {
  const confined = [...(interests?.values() ?? [])].some(({ isConfined }) => isConfined);
  const whose = userId === undefined ? 'of a server, or of an anonymous caller' : `of the user ${userId}`;
  const walls = confined ? ' It may see only some users (walls between teams, hidden roles).' : '';
  const isReached = [...(interests?.values() ?? [])].some(
    ({ reach }) => event.audience === 'all' || reach === 'server' || (event.audience === 'self' && reach === 'self'),
  );
  return { about: 'audience', is_reached: interests === undefined ? null : isReached, text: `The connection is ${whose}.${walls}` };
}

function beginStep({ since, isResumed, openedMs }: TracedSession, { seq }: AnyEvent): Steps[number] {
  const how = isResumed ? `It resumed after #${since}` : `It began at #${since}, without a position to resume from`;
  const what =
    seq > since ? 'later events are sent to it' : 'this event is earlier: it was part of the snapshot, or came over an earlier connection';
  return { about: 'begin', is_reached: seq > since, text: `${how} (${timeText(openedMs)}): ${what}.` };
}

function wantStep({ interests }: TracedSession, judged: readonly Judged[]): Steps[number] {
  if (interests === undefined) return { about: 'subscriptions', is_reached: null, text: 'Its subscriptions were too large to be kept.' };
  const wanting = judged.filter(({ outcome }) => outcome === 'sent').length;
  const isLate = judged.some(({ outcome }) => outcome === 'not_yet' || outcome === 'ended');
  if (isLate)
    return {
      about: 'subscriptions',
      is_reached: null,
      text: 'Whether its subscriptions ask for the event was not decided: it had not come to it.',
    };
  const text = `${wanting === 0 ? 'None' : wanting} of its ${interests.size} ${interests.size === 1 ? 'subscription asks' : 'subscriptions ask'} for the event.`;
  return { about: 'subscriptions', is_reached: wanting > 0, text };
}

function endStep({ ended, position }: TracedSession, { seq }: AnyEvent): Steps {
  if (ended === undefined) return [];
  const goodbye = Object.values(CLOSE).find(({ code }) => code === ended.code);
  const why = ended.code === undefined ? 'by its peer, or the network' : `with ${ended.code}, ${goodbye?.reason ?? 'another reason'}`;
  const isReached = position === undefined || seq <= position;
  const next = isReached ? '' : ' A client that resumes from there is sent it.';
  return [{ about: 'end', is_reached: isReached, text: `It ended at ${timeText(ended.atMs)} ${why}, at position #${position}.${next}` }];
}

function queueStep({ ended, position, queuedBytes }: TracedSession, { seq }: AnyEvent, { outboxBytesMax }: ExplainParts): Steps {
  if (ended !== undefined) return [];
  const waiting = `${grouped(queuedBytes)} of at most ${grouped(outboxBytesMax)} bytes wait for it to read`;
  if (position === undefined) return [{ about: 'queue', is_reached: true, text: `It is up to date: ${waiting}.` }];
  return [
    {
      about: 'queue',
      is_reached: seq <= position,
      text: `It reads slowly, or is catching up: it was handed everything up to #${position}; ${waiting}.`,
    },
  ];
}

function conflationStep({ conflates }: TracedSession, event: AnyEvent, { directory }: ExplainParts): Steps {
  if (!conflates || !isAboutUser(event) || !event.isState) return [];
  const record = directory.record(event.id);
  const rev = isObject(record) && typeof record.rev === 'number' ? record.rev : undefined;
  const isNewest = rev === event.seq;
  const text = isNewest
    ? 'It asked for only the newest state of each user while it catches up, and this is the newest.'
    : `It asked for only the newest state of each user while it catches up: a later event${rev === undefined ? '' : ` (up to #${rev})`} may have come in place of this one.`;
  return [{ about: 'conflation', is_reached: isNewest ? true : null, text }];
}

function consumerStep({ durable }: TracedSession, { seq }: AnyEvent, { directory }: ExplainParts): Steps {
  if (durable === undefined) return [];
  const at = directory.docs.get('consumer', durable)?.seq;
  if (at === undefined)
    return [{ about: 'consumer', is_reached: null, text: `It speaks for the durable consumer ${durable}, which was removed.` }];
  const text =
    seq <= at
      ? `It speaks for the durable consumer ${durable}, which acknowledged everything up to #${at}.`
      : `It speaks for the durable consumer ${durable}, which acknowledged only up to #${at}: it gets this event again when it comes back.`;
  return [{ about: 'consumer', is_reached: true, text }];
}

/** A session as it is listed. */
export function shownSession(session: TracedSession): TracedConnection {
  const { connection, userId, openedMs, isResumed, durable, position, interests } = session;
  const subs = [...(interests?.keys() ?? [])].map(subName);
  return {
    ...{ connection_id: connection, user_id: userId ?? null, opened_at: timeText(openedMs), ...endOf(session), resumed: isResumed },
    ...(durable === undefined ? undefined : { consumer: durable }),
    ...(position === undefined ? undefined : { position }),
    subs,
  };
}

function endOf({ ended }: TracedSession): Pick<TracedConnection, 'closed_at' | 'close_code'> {
  return ended === undefined ? {} : { closed_at: timeText(ended.atMs), close_code: ended.code ?? null };
}

/** `(self)`: the interest in the own user. `(watched)`: users found by a query with presence. */
function subName(key: string | symbol): string {
  return typeof key === 'symbol' ? `(${key.description})` : key;
}

function timeText(ms: number): string {
  return toRfc3339(Math.round(ms * 1_000));
}
