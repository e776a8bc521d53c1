/** Reports about users: at most one from each reporter. The reported user gets no event. Pure. */

import { definedFields, jsonEquals, withFields } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { BypassCommand, FlagCommand, UnflagCommand } from '../../../protocol/moderation/flags.ts';
import type { Flag, StoredUser } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { checkActor, livingUser, outcomeOf, refuseField, targetFor } from './restrictions.ts';

const SERVER = { kind: 'server' } as const;

/** A second report of the same reporter replaces the first one. Above the limit, the oldest report is dropped. */
export function decideFlag(draft: Draft, command: FlagCommand, now: Micros): Outcome {
  const { actor, target, by, reason, custom } = command;
  checkActor(draft, actor, by, 'flag-user');
  const user = targetFor(draft, actor, target, 'flag-user', 'target_user_id');
  if (by !== undefined) livingUser(draft, actor, by, 'user_id');
  const held = user.flags?.find((flag) => flag.by === by);
  if (held !== undefined && held.reason === reason && jsonEquals(held.custom, custom)) return outcomeOf(draft, user, 'unchanged');
  if (actor.kind === 'user' && held === undefined && draft.usersReportedBy(actor.id) >= LIMITS.flagsPerReporter) {
    refuseField('target_user_id', `the user ${actor.id} has reported ${LIMITS.flagsPerReporter} users, and may not report more`);
  }
  const flag: Flag = {
    item_id: held?.item_id ?? command.itemId,
    ...(by === undefined ? undefined : { by }),
    ...(reason === undefined ? undefined : { reason }),
    ...(custom === undefined ? undefined : { custom }),
    created_at: held?.created_at ?? now,
  };
  const flags = [...(user.flags ?? []).filter((other) => other !== held), flag].slice(-LIMITS.flagsPerUser);
  const after: StoredUser = withFields(user, { flags, rev: draft.nextSeq });
  const about = definedFields({ by, reason, total_flags: flags.length });
  draft.stage({ t: 'user', event: 'flagged', user: after, about });
  return outcomeOf(draft, after, 'updated');
}

/** Withdrawing a report that does not exist is no error and no fact. */
export function decideUnflag(draft: Draft, { actor, target, by }: UnflagCommand): Outcome {
  checkActor(draft, actor, by, 'flag-user');
  const user = targetFor(draft, actor, target, 'flag-user', 'target_user_id');
  const kept = (user.flags ?? []).filter((flag) => flag.by !== by);
  if (kept.length === (user.flags ?? []).length) return outcomeOf(draft, user, 'unchanged');
  const { flags: _, ...rest } = user;
  const after: StoredUser = withFields(rest, { rev: draft.nextSeq, ...(kept.length === 0 ? undefined : { flags: kept }) });
  const about = definedFields({ by, total_flags: kept.length });
  draft.stage({ t: 'user', event: 'unflagged', user: after, about });
  return outcomeOf(draft, after, 'updated');
}

/** Stored for the service that moderates. The flag is part of the public record, so a change is an update. */
export function decideBypass(draft: Draft, { target, enabled }: BypassCommand): Outcome {
  const user = livingUser(draft, SERVER, target, 'target_user_id');
  if ((user.bypass_moderation ?? false) === enabled) return outcomeOf(draft, user, 'unchanged');
  const { bypass_moderation: _, ...rest } = user;
  const after: StoredUser = withFields(rest, { rev: draft.nextSeq, ...(enabled ? { bypass_moderation: true } : undefined) });
  draft.stage({ t: 'user', event: 'updated', user: after });
  return outcomeOf(draft, after, 'updated');
}
