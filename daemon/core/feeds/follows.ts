/** Follows between feeds. Pure. */
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { FollowCommand } from '../../../protocol/feeds/follows.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { Draft } from '../directory/draft.ts';
import { checkQuota } from './quotas.ts';

export function decideFollow(draft: Draft, { kind, actor, source, target }: FollowCommand, now: Micros): Outcome {
  const id = `${source}>${target}`;
  const isFollowed = draft.docs.get('follow', id) !== undefined;
  if (kind === 'follow' && !isFollowed) {
    checkQuota(draft, actor, 'follow', { perUser: LIMITS.followsPerUser, inAll: LIMITS.follows });
    draft.stage({ t: 'doc', kind: 'follow', id, doc: { source, target, created_at: now } });
  }
  if (kind === 'unfollow' && isFollowed) draft.stage({ t: 'doc', kind: 'follow', id, doc: null });
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}
