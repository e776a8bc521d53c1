/** The commands of the feeds dialect that are not about users. Pure. */

import type { Micros } from '../../../protocol/base/time.ts';
import type { ActivityAddCommand, ActivityRemoveCommand } from '../../../protocol/feeds/activities.ts';
import type { FollowCommand, UnfollowCommand } from '../../../protocol/feeds/follows.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { Draft } from '../directory/draft.ts';
import { decideActivityAdd, decideActivityRemove } from './activities.ts';
import { decideFollow } from './follows.ts';

export function decideFeeds(
  draft: Draft,
  command: ActivityAddCommand | ActivityRemoveCommand | FollowCommand | UnfollowCommand,
  now: Micros,
): Outcome {
  switch (command.kind) {
    case 'activity-add':
      return decideActivityAdd(draft, command);
    case 'activity-remove':
      return decideActivityRemove(draft, command);
    case 'follow':
    case 'unfollow':
      return decideFollow(draft, command, now);
  }
}
