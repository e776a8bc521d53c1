/**
 * What a live connection that resumes would be sent: decided and read as for a real one (opening.ts, catch-up.ts), and sent to nobody. Any node
 * gives the same answer, but for what its memory alone decides.
 *
 * It keeps DW5–DW7 (daemon/RULES.md).
 */
import { fieldErrors } from '../../../../../protocol/base/errors.ts';
import type { Position } from '../../../../../protocol/base/position.ts';
import { positionText } from '../../../../../protocol/base/position-text.ts';
import type { Caller } from '../../../../../protocol/base/tokens.ts';
import type { Sub } from '../../../../../protocol/live/client-frames.ts';
import type { RehearseAnswer, RehearseBody } from '../../../../../protocol/live/rehearsal.ts';
import { inSlices, type Walk } from '../../../../base/slices.ts';
import { unknownUser } from '../../../../core/problems.ts';
import type { Roster } from '../../../../pipeline/roster.ts';
import { Interest } from '../../../../pipeline/tell/interest.ts';
import type { Rehearsal } from '../../../../pipeline/tell/past.ts';
import { type Outlet, Subscriber } from '../../../../pipeline/tell/subscriber.ts';
import type { AnyEvent } from '../../../../pipeline/tell/user-event.ts';
import { OWN, ownInterest } from '../own-interests.ts';
import { isSightUnchanged, sightOf } from '../sight.ts';
import { mustFit, wantOf } from '../subscriptions/wants.ts';

/** The settings of retention as they are; 0: no limit. And what the journal holds; undefined where it is in a database. */
export interface RetentionFacts {
  readonly bytes: number;
  readonly ageMs: number;
  readonly changes: number;
  readonly extent: () => { readonly bytes: number } | undefined;
}

export interface RehearseParts {
  readonly roster: Roster;
  readonly retention: RetentionFacts;
  /** The clock of the log, milliseconds. */
  readonly nowMs: () => number;
}

/** Users looked at between two checks of the clock. */
const STEP_USERS = 256;
const HOUR_MS = 3_600_000;

const NOWHERE: Outlet = { queuedBytes: 0, write: () => {}, drained: () => Promise.resolve(true), close: () => {} };

/** Rejects with RosterError: `input` and `not_allowed` for subscriptions that a connect would be refused for, `not_found` for an unknown user. */
export async function rehearse(parts: RehearseParts, { resume, subs, conflate, user_id }: RehearseBody): Promise<RehearseAnswer> {
  const { roster } = parts;
  const caller: Caller = user_id === undefined ? { kind: 'server' } : { kind: 'user', id: user_id };
  if (user_id !== undefined && roster.directory.user(user_id) === undefined) throw unknownUser(user_id);
  const interests = interestsOf(roster, caller, subs, resume.seq);
  const arrival = await roster.arrivals.until(resume);
  const verdict = verdictOf(roster, caller, resume, arrival === 'unknown');
  const presence = interests.some(({ needsPresence }) => needsPresence);
  const retention = await retentionOf(parts);
  const common = { position: roster.position, reason: verdict.reason, text: verdict.text, presence, retention };
  const settings = settingsOf(parts, retention, verdict.isKnown ? roster.position.seq - resume.seq : undefined);
  if (!verdict.canResume) return { ...common, result: 'snapshot', snapshot: await snapshotOf(roster, interests), settings };
  const subscriber = new Subscriber(NOWHERE, 'live', user_id);
  subscriber.conflates = conflate === true;
  if (user_id !== undefined) subscriber.interests.set(OWN, ownInterest(user_id, resume.seq));
  for (const interest of interests) subscriber.interests.set(interest.name, interest);
  const found = await roster.past.rehearse(subscriber, resume.seq);
  return { ...common, result: found.count === 0 ? 'nothing' : 'events', events: eventsOf(found), settings };
}

function interestsOf(roster: Roster, caller: Caller, subs: readonly Sub[], since: number): readonly Interest[] {
  const named = new Map(subs.map((sub) => [sub.sub, { sub, want: wantOf(sub, caller, roster) }]));
  if (named.size < subs.length) throw fieldErrors('input', [{ path: 'subs', message: 'each subscription must have a name of its own' }]);
  mustFit([...named.values()].map(({ want }) => want));
  const reach = caller.kind === 'server' ? 'server' : 'others';
  return [...named.values()].map(
    ({ sub: { sub: name, presence: wantsPresence }, want }) =>
      new Interest({ name, want, since, reach, wantsPresence, ...sightOf(roster, caller, want.kind) }),
  );
}

interface Verdict {
  readonly canResume: boolean;
  /** Whether the position is one of this history. */
  readonly isKnown: boolean;
  readonly reason: RehearseAnswer['reason'];
  readonly text: string;
}

function verdictOf(roster: Roster, caller: Caller, resume: Position, isUnknown: boolean): Verdict {
  const { position, keptAfter, remembersAfter, directory } = roster;
  const anew = (reason: Verdict['reason'], text: string, isKnown = true): Verdict => ({ canResume: false, isKnown, reason, text });
  if (resume.epoch !== position.epoch) {
    return anew('other_epoch', `That position is of another history (epoch). It begins anew, with a snapshot.`, false);
  }
  if (isUnknown) {
    return anew(
      'never_given',
      `Nobody was ever given that position: the history ends at ${positionText(position)}. It begins anew, with a snapshot.`,
      false,
    );
  }
  if (!roster.arrivals.canResume(resume)) {
    return anew(
      'trimmed',
      `The changes after ${resume.seq} are no longer all kept: the history now begins after ${keptAfter}. It begins anew, with a snapshot.`,
    );
  }
  const before = caller.kind === 'user' ? directory.user(caller.id) : undefined;
  if (!isSightUnchanged(roster, caller, before, resume.seq)) {
    return resume.seq < remembersAfter && directory.appSeq <= resume.seq
      ? anew(
          'not_remembered',
          `This user may see only some users, and which ones it saw is remembered only after ${remembersAfter} at this node. It begins anew, with a snapshot.`,
        )
      : anew(
          'sight_changed',
          'The users that this user may see may have changed since then, by its teams or by the settings. It begins anew, with a snapshot.',
        );
  }
  if (resume.seq === position.seq)
    return {
      canResume: true,
      isKnown: true,
      reason: 'up_to_date',
      text: 'That is where the directory is: there is nothing to catch up on.',
    };
  return {
    canResume: true,
    isKnown: true,
    reason: 'kept',
    text: `Everything after ${resume.seq} is still kept: it goes on there, and nothing is lost.`,
  };
}

function eventsOf({ count, bytes, first, last, byType, upTo, isWhole }: Rehearsal): NonNullable<RehearseAnswer['events']> {
  return {
    ...{ count, bytes, up_to: upTo, is_whole: isWhole },
    ...(first === undefined ? undefined : { first: named(first) }),
    ...(last === undefined ? undefined : { last: named(last) }),
    by_type: Object.fromEntries([...byType].sort(([, one], [, other]) => other - one)),
  };
}

function named({ seq, type, after }: AnyEvent): { seq: number; type: string; user_id: string | null } {
  return { seq, type, user_id: after?.id ?? null };
}

async function snapshotOf(roster: Roster, interests: readonly Interest[]): Promise<{ sub: string; users: number }[]> {
  const view = roster.freeze();
  try {
    const counts = await inSlices(counted());
    return interests.map(({ name }, at) => ({ sub: name, users: counts[at] ?? 0 }));
  } finally {
    view.release();
  }

  function* counted(): Walk<readonly number[]> {
    const counts = interests.map(() => 0);
    let looked = 0;
    for (const user of view.users()) {
      if (++looked % STEP_USERS === 0) yield;
      for (const [at, interest] of interests.entries())
        if (interest.holds(user, roster.toldOnline(user.id))) counts[at] = (counts[at] ?? 0) + 1;
    }
    return counts;
  }
}

async function retentionOf({ roster, retention, nowMs }: RehearseParts): Promise<RehearseAnswer['retention']> {
  const { keptAfter: after, remembersAfter, position } = roster;
  const since = await roster.past.timeAfter(after);
  return {
    after,
    changes: position.seq - after,
    hours: since === undefined ? null : Math.max(0, nowMs() - since / 1_000) / HOUR_MS,
    bytes: retention.extent()?.bytes ?? null,
    in_memory_after: remembersAfter,
  };
}

/** `back`: changes since the asked position; undefined when that is of no use. What is needed is reckoned from what is kept now. */
function settingsOf({ retention }: RehearseParts, kept: RehearseAnswer['retention'], back: number | undefined): RehearseAnswer['settings'] {
  const share = back === undefined || kept.changes === 0 ? undefined : back / kept.changes;
  const scaled = (now: number | null): number | null => (share === undefined || now === null ? null : now * share);
  const setting = (key: string, value: number, needed: number | null) => ({
    ...{ key, value, needed },
    is_enough: value === 0 || (needed !== null && needed <= value),
  });
  const [bytes, hours] = [scaled(kept.bytes), scaled(kept.hours)];
  return [
    setting('retention_changes', retention.changes, back ?? null),
    setting('retention_bytes', retention.bytes, bytes === null ? null : Math.ceil(bytes)),
    setting('retention_age_h', retention.ageMs / HOUR_MS, hours === null ? null : Math.ceil(hours * 100) / 100),
  ];
}
