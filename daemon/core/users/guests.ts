/** Guests and custom events. Pure. */

import { RosterError } from '../../../protocol/base/errors.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { CustomEventCommand, GuestCommand } from '../../../protocol/users/guests.ts';
import type { Draft } from '../directory/draft.ts';
import { find } from '../directory/find.ts';
import type { Moment, Policy } from '../policy.ts';
import { deletedUser, problem, refuseIfAny, unknownUser } from '../problems.ts';
import { checkUser } from './rules.ts';
import { recordOf, settle } from './upsert.ts';

export const GUEST_ROLE = 'guest';

/**
 * Creates a user with the role `guest`, whatever the request says. It never takes an id that is or was in use: when the
 * requested id is not free, it gets the fallback. A guest is about to connect, so it counts as active.
 */
export function decideGuest(draft: Draft, { input, fallbackId }: GuestCommand, { now, wall }: Moment, policy: Policy): Outcome {
  if (draft.app.guest_user_creation_disabled === true) {
    throw new RosterError('not_allowed', 'guests are switched off in this application (guest_user_creation_disabled)');
  }
  if (draft.app.multi_tenant_enabled === true) {
    throw new RosterError('not_allowed', 'there are no guests in a multi-tenant application (multi_tenant_enabled)');
  }
  const isFree = (id: string): boolean => find(draft, id, policy).kind === 'absent';
  const id = isFree(input.id) ? input.id : fallbackId;
  if (id === undefined || !isFree(id)) refuseIfAny([], [problem('conflict', 'user.id', `the id ${input.id} is not free`)]);
  const guest = { ...recordOf(undefined, { ...input, id: id ?? input.id, role: GUEST_ROLE }, now, draft.nextSeq), last_active: wall };
  refuseIfAny([], checkUser(draft, 'user', undefined, guest));
  return { users: [settle(draft, undefined, guest)], warnings: [], seq: draft.nextSeq - 1 };
}

/** The event changes no user, but is part of the log, so a subscriber that resumes gets it too. */
export function decideCustomEvent(draft: Draft, { id, type, custom }: CustomEventCommand): Outcome {
  const found = find(draft, id);
  if (found.kind === 'absent') throw unknownUser(id);
  if (found.kind === 'deleted') throw deletedUser(id);
  draft.stage({ t: 'custom', user: found.user, type, custom });
  return { users: [{ user: found.user, change: 'unchanged' }], warnings: [], seq: draft.nextSeq - 1 };
}
