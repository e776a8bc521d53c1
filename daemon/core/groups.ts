/** User groups. Pure. */
import type { GroupCreateCommand, GroupDeleteCommand, GroupMembersCommand, GroupUpdateCommand, Outcome } from '../../protocol/command.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import type { Draft } from './draft.ts';

export function decideGroupCreate(_draft: Draft, _command: GroupCreateCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}

export function decideGroupUpdate(_draft: Draft, _command: GroupUpdateCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}

export function decideGroupDelete(_draft: Draft, _command: GroupDeleteCommand): Outcome {
  throw new RosterError('internal');
}

export function decideGroupMembers(_draft: Draft, _command: GroupMembersCommand, _now: Micros): Outcome {
  throw new RosterError('internal');
}
