/** Follows between feeds: each is stored once. What a feed shows of the feeds that it follows is found when it is read (timeline-page.ts). Pure. */

import { fieldErrors } from '../../../protocol/base/errors.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Follow, FollowCommand, UnfollowCommand } from '../../../protocol/feeds/follows.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { followKeys } from '../../../protocol/log/documents.ts';
import type { Draft } from '../directory/draft.ts';
import { comparePlaces } from '../directory/timeline.ts';
import { checkQuota } from './quotas.ts';

/** Following again, or ending what does not exist, is no error and no fact. */
export function decideFollow(draft: Draft, command: FollowCommand | UnfollowCommand, now: Micros): Outcome {
  const { source, target } = command;
  const id = `${source}>${target}`;
  const before = draft.docs.get('follow', id);
  const after = command.kind === 'follow' ? followed(draft, command, before, now) : unfollowed(command, before, now);
  if (after !== before) draft.stage({ t: 'doc', kind: 'follow', id, doc: after ?? null });
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}

function followed(draft: Draft, { source, target, since }: FollowCommand, before: Follow | undefined, now: Micros): Follow {
  if (before !== undefined && before.ended_at === undefined) return before;
  if (before === undefined) checkRoom(draft, source);
  // What was kept of an earlier follow stays.
  const earlier = before === undefined ? since : earliest(before.since, since);
  return { source, target, created_at: now, ...(earlier === undefined ? undefined : { since: earlier }) };
}

/** A read of a feed looks at all feeds that it follows or followed with history, so their number is bounded for everyone. */
function checkRoom(draft: Draft, source: string): void {
  checkQuota(draft, 'follow', { perUser: LIMITS.followsPerUser, inAll: LIMITS.follows });
  const count = draft.docs.countUnder('follow', followKeys.from(source)) + draft.docs.countUnder('follow', followKeys.kept(source));
  if (count < LIMITS.followsPerFeed) return;
  const message = `the feed ${source} follows ${LIMITS.followsPerFeed} feeds already, and no feed may follow more`;
  throw fieldErrors('input', [{ path: 'target', message }]);
}

/** Absent means from the beginning. */
function earliest(one: Follow['since'], two: Follow['since']): Follow['since'] {
  return one === undefined || two === undefined ? undefined : comparePlaces(one, two) < 0 ? one : two;
}

function unfollowed({ keepsHistory }: UnfollowCommand, before: Follow | undefined, now: Micros): Follow | undefined {
  if (!keepsHistory || before === undefined) return undefined;
  return before.ended_at === undefined ? { ...before, ended_at: now } : before;
}
