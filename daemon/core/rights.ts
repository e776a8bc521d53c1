/**
 * The rights of the sender of a command. Every command comes with its origin, whatever the dialect and the transport. A client's is
 * checked here before any rule looks at it, so that a request is refused even if its endpoint forgot to ask. Pure.
 */

import { RosterError } from '../../protocol/base/errors.ts';
import { feedOwner } from '../../protocol/feeds/feed-name.ts';
import type { PlainCommand } from '../../protocol/log/command.ts';
import type { Draft } from './directory/draft.ts';
import { find } from './directory/find.ts';
import type { Policy } from './policy.ts';
import { deletedUser } from './problems.ts';

/** Throws RosterError for a command of a client that is for servers, or acts for anybody but the client, or comes too late for it. */
export function checkSender(draft: Draft, command: PlainCommand, policy: Policy): void {
  const { sender } = draft;
  if (sender.kind === 'server') return;
  const owners = ownersOf(command);
  if (owners === 'anyone') return;
  if (sender.kind === 'anonymous') throw new RosterError('not_allowed', 'an anonymous user cannot do this');
  if (owners === 'servers') throw new RosterError('not_allowed', `the user ${sender.id} cannot do what only a server may do`);
  if (owners.some((id) => id !== sender.id)) throw new RosterError('not_allowed', `the user ${sender.id} may act only for itself`);
  // The user may have been deactivated or deleted since the request was admitted.
  const own = find(draft, sender.id, policy);
  if (own.kind === 'deleted') throw deletedUser(sender.id);
  if (own.kind === 'alive' && own.user.deactivated_at !== undefined) {
    throw new RosterError('not_allowed', `the user ${sender.id} was deactivated`);
  }
}

/** The users for whom the command acts: a client must be each of them. */
function ownersOf(command: PlainCommand): readonly string[] | 'servers' | 'anyone' {
  switch (command.kind) {
    case 'upsert':
    case 'patch':
    case 'ban':
    case 'unban':
    case 'mute':
    case 'unmute':
    case 'flag':
    case 'unflag':
    case 'block':
    case 'unblock':
      return command.actor.kind === 'user' ? [command.actor.id] : 'servers';
    case 'connect':
      return [command.id];
    case 'delete':
      return command.ids;
    case 'device-add':
    case 'device-remove':
      return [command.by];
    case 'push':
      return command.changes.map(({ id }) => id);
    case 'activity-add':
      return command.activities.map(({ origin }) => feedOwner(origin));
    case 'activity-remove':
      return [feedOwner(command.feed)];
    case 'follow':
    case 'unfollow':
      return [feedOwner(command.source)];
    case 'guest':
      return 'anyone';
    case 'active':
    case 'deactivate':
    case 'reactivate':
    case 'restore':
    case 'custom-event':
    case 'bypass':
    case 'expire':
    case 'role-create':
    case 'role-delete':
    case 'permission':
    case 'group-create':
    case 'group-update':
    case 'group-delete':
    case 'group-add':
    case 'group-remove':
    case 'settings':
    case 'docs':
    case 'consumer-open':
    case 'consumer-ack':
    case 'consumer-remove':
    case 'sign-in':
    case 'sign-out':
    case 'plan-propose':
    case 'plan-approve':
    case 'plan-withdraw':
    case 'plan-apply':
    case 'plan-stop':
    case 'plan-note':
      return 'servers';
  }
}
