/**
 * The rules of activities: who may add one to which feeds, adding one again, and removing one from a feed. Users and their rules
 * do not depend on them. Pure.
 */

import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Activity, ActivityAddCommand, ActivityRemoveCommand } from '../../../protocol/feeds/activities.ts';
import { feedOwner } from '../../../protocol/feeds/feed-name.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { type DocChange, foreignKey } from '../../../protocol/log/documents.ts';
import type { Draft } from '../directory/draft.ts';
import { type Problem, problem, refuseIfAny } from '../problems.ts';
import { checkQuota } from './quotas.ts';

/** All or nothing; every problem is listed. A client adds its own activities to its own feeds, and replaces no others. */
export function decideActivityAdd(draft: Draft, { activities }: ActivityAddCommand): Outcome {
  const { sender } = draft;
  const problems: Problem[] = [];
  const docs: DocChange[] = [];
  for (const [index, activity] of activities.entries()) {
    const before = draft.docs.get('activity', activity.id);
    const path = `activities[${index}]`;
    const refused = sender.kind === 'user' ? refusalsFor(sender.id, path, before, activity) : [];
    problems.push(...refused);
    if (refused.length > 0) continue;
    if (before === undefined) checkQuota(draft, 'activity', { perUser: LIMITS.activitiesPerUser, inAll: LIMITS.activities });
    const doc = before === undefined ? activity : joined(before, activity);
    if (doc.feeds.length > LIMITS.feedsPerActivity) {
      problems.push(problem('input', path, `an activity cannot be in more than ${LIMITS.feedsPerActivity} feeds`));
    }
    const change = { kind: 'activity' as const, id: doc.id, doc };
    draft.stage({ t: 'doc', ...change });
    docs.push(change);
  }
  refuseIfAny([], problems);
  return { users: [], warnings: [], docs, seq: draft.nextSeq - 1 };
}

function refusalsFor(id: string, path: string, before: Activity | undefined, { feeds, data }: Activity): Problem[] {
  const actor = `SU:${id}`;
  const refuse = (at: string, message: string): Problem => problem('not_allowed', at, message);
  const foreign = feeds.filter((feed) => feedOwner(feed) !== id).map((feed) => refuse('to', `to: ${feed} is not a feed of the user ${id}`));
  if (data.actor !== actor) foreign.push(refuse(`${path}.actor`, `the actor must be ${actor}`));
  if (before === undefined || before.data.actor === actor) return foreign;
  return [...foreign, refuse(`${path}.foreign_id`, 'another actor has an activity with this foreign_id and time')];
}

function joined(before: Activity, activity: Activity): Activity {
  return { ...activity, feeds: [...new Set([...before.feeds, ...activity.feeds])], origin: before.origin };
}

/** The documents of the outcome are the activities that were removed from the feed. */
export function decideActivityRemove(draft: Draft, { feed, by }: ActivityRemoveCommand): Outcome {
  const docs: DocChange[] = [];
  for (const { id } of [...activitiesBy(draft, feed, by)]) {
    const doc = draft.docs.get('activity', id);
    if (doc === undefined || !doc.feeds.includes(feed)) continue;
    const rest = { ...doc, feeds: doc.feeds.filter((name) => name !== feed) };
    const change = { kind: 'activity' as const, id, doc: doc.origin === feed ? null : rest };
    draft.stage({ t: 'doc', ...change });
    docs.push(change);
  }
  return { users: [], warnings: [], docs, seq: draft.nextSeq - 1 };
}

function* activitiesBy(draft: Draft, feed: string, by: ActivityRemoveCommand['by']): Iterable<{ readonly id: string }> {
  if ('id' in by) return yield by;
  let count = 0;
  for (const activity of draft.docs.under('activity', foreignKey(feed, by.foreignId))) {
    yield activity;
    if (++count === LIMITS.activitiesPerRequest) return;
  }
}
