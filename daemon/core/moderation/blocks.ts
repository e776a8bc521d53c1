/** Blocks: users whom a user wants no contact with. They are stored with the user who blocks and cause no event. Pure. */

import { withFields } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { BlockCommand } from '../../../protocol/moderation/blocks.ts';
import type { Block, StoredUser } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { checkActor, livingUser, outcomeOf, refuseField, targetFor } from './restrictions.ts';

/** Blocking a blocked user, or unblocking one that is not blocked, changes nothing. */
export function decideBlock(draft: Draft, command: BlockCommand, now: Micros): Outcome {
  const { actor, by, target } = command;
  checkActor(draft, actor, by, 'block-user');
  const user = livingUser(draft, actor, by, 'user_id');
  const held = user.blocks ?? [];
  const isBlocked = held.some(({ id }) => id === target);
  // A blocked user that was deleted since can still be unblocked.
  if (!isBlocked || command.kind === 'block') targetFor(draft, actor, target, 'block-user', 'blocked_user_id');
  if (isBlocked === (command.kind === 'block')) return outcomeOf(draft, user, 'unchanged');
  if (target === by) refuseField('blocked_user_id', `the user ${by} cannot block itself`);
  if (!isBlocked && held.length >= LIMITS.blocksPerUser) {
    refuseField('blocked_user_id', `the user ${by} must not block more than ${LIMITS.blocksPerUser} users`);
  }
  const blocks = isBlocked ? held.filter(({ id }) => id !== target) : [...held, { id: target, created_at: now }];
  const after = withBlocks(user, blocks);
  draft.stage({ t: 'user', event: 'silent', user: after });
  return outcomeOf(draft, after, 'updated');
}

/** The revision stays: it moves only with changes that cause events. */
function withBlocks(user: StoredUser, blocks: Block[]): StoredUser {
  const { blocks: _, ...rest } = user;
  return blocks.length === 0 ? rest : withFields(rest, { blocks });
}
