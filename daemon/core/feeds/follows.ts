/** Follows between feeds: each is stored once. Pure. */

import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { FollowCommand } from '../../../protocol/feeds/follows.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { Draft } from '../directory/draft.ts';
import { checkQuota } from './quotas.ts';

/** Following again, or ending what does not exist, is no error and no fact. */
export function decideFollow(draft: Draft, { kind, source, target }: FollowCommand, now: Micros): Outcome {
  const id = `${source}>${target}`;
  const isFollowed = draft.docs.get('follow', id) !== undefined;
  if (isFollowed !== (kind === 'follow')) {
    if (kind === 'follow') checkQuota(draft, 'follow', { perUser: LIMITS.followsPerUser, inAll: LIMITS.follows });
    draft.stage({ t: 'doc', kind: 'follow', id, doc: kind === 'follow' ? { source, target, created_at: now } : null });
  }
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}
