/**
 * Decides a command: the result is facts staged in the draft, or a coded error and
 * no facts. Pure: the same directory, command, time and policy give the same
 * answer, so a batch can be decided again when another writer was first.
 *
 * Reading order: start here; the rules are in the folders beside this file.
 */

import { RosterError } from '../../protocol/base/errors.ts';
import { itemPath } from '../../protocol/base/field-path.ts';
import type { Micros } from '../../protocol/base/time.ts';
import type { Command, DocsCommand, OnceCommand, Outcome, PlainCommand } from '../../protocol/log/command.ts';
import { isPlanCommand } from '../../protocol/transfer/plans.ts';
import { decideGroupCreate, decideGroupDelete, decideGroupMembers, decideGroupUpdate } from './access/groups.ts';
import { decideRole } from './access/roles.ts';
import { decideSignIn, decideSignOut } from './access/sign-ins.ts';
import { decidePermission } from './app/custom-permissions.ts';
import { decideDeviceAdd, decideDeviceRemove, decidePush } from './app/devices.ts';
import { decideSettings } from './app/settings.ts';
import { decideConsumer } from './consumers.ts';
import type { Draft } from './directory/draft.ts';
import { find } from './directory/find.ts';
import { docEvent } from './document-events.ts';
import { decideExpire } from './expire.ts';
import { decideFeeds } from './feeds/feeds.ts';
import { isLateOutbox } from './hooks/outbox.ts';
import { checkLease, decideLease } from './leases.ts';
import { decideBan, decideUnban } from './moderation/bans.ts';
import { decideBlock } from './moderation/blocks.ts';
import { decideBypass, decideFlag, decideUnflag } from './moderation/flags.ts';
import { decideMute } from './moderation/mutes.ts';
import type { Moment, Policy } from './policy.ts';
import { missingProblem, refuseIfAny } from './problems.ts';
import { checkSender } from './rights.ts';
import { decidePlan } from './transfer/plans.ts';
import { decideActive, decideConnect } from './users/connect.ts';
import { decideCustomEvent, decideGuest } from './users/guests.ts';
import { decideDeactivate, decideDelete, decideReactivate, decideRestore } from './users/lifecycle.ts';
import { makeRoom, receiptOf, replayed } from './users/receipts.ts';
import { decidePatch, decideUpsert } from './users/upsert.ts';

/** HR1. */
const FULL = 'the memory of the daemon is nearly full: changes are stored, but no more users or activities';

/**
 * Stages the facts of `command` and returns the answer to give once they are durable. `now` is the time of the log, which never goes
 * back: it orders. `wall` is the wall clock: everything that ends by itself, or is counted by day, is counted from it (CK1).
 * Throws RosterError for a refused command; the draft is then unchanged.
 */
export function decide(draft: Draft, command: Command, now: Micros, policy: Policy, wall: Micros = now): Outcome {
  try {
    const outcome = dispatch(draft, command, { now, wall }, policy);
    if (draft.isTooMuch) throw new RosterError('unavailable', FULL);
    draft.commit();
    return outcome;
  } catch (error) {
    draft.discard();
    throw error;
  }
}

function dispatch(draft: Draft, command: Command, moment: Moment, policy: Policy): Outcome {
  switch (command.kind) {
    case 'once':
      return decideOnce(draft, command, moment, policy);
    case 'lease':
      return decideLease(draft, command);
    case 'held':
      checkLease(draft, command);
      return dispatch(draft, command.command, moment, policy);
    default:
      checkSender(draft, command, policy);
      return decidePlain(draft, command, moment, policy);
  }
}

function decidePlain(draft: Draft, command: PlainCommand, moment: Moment, policy: Policy): Outcome {
  if (isPlanCommand(command)) return decidePlan(draft, command, moment.wall);
  switch (command.kind) {
    case 'upsert':
      return decideUpsert(draft, command, moment.now, policy);
    case 'patch':
      return decidePatch(draft, command, moment.now);
    case 'connect':
      return decideConnect(draft, command, moment, policy);
    case 'active':
      return decideActive(draft, command, moment.wall);
    case 'delete':
      return decideDelete(draft, command, moment);
    case 'deactivate':
      return decideDeactivate(draft, command, moment);
    case 'reactivate':
      return decideReactivate(draft, command, moment);
    case 'restore':
      return decideRestore(draft, command, moment.now);
    case 'guest':
      return decideGuest(draft, command, moment, policy);
    case 'custom-event':
      return decideCustomEvent(draft, command);
    case 'settings':
      return decideSettings(draft, command, moment.now);
    case 'docs':
      return decideDocs(draft, command);
    case 'consumer-open':
    case 'consumer-ack':
    case 'consumer-remove':
      return decideConsumer(draft, command, moment.now);
    case 'activity-add':
    case 'activity-remove':
    case 'follow':
    case 'unfollow':
      return decideFeeds(draft, command, moment.now);
    case 'ban':
    case 'unban':
    case 'mute':
    case 'unmute':
    case 'flag':
    case 'unflag':
    case 'bypass':
    case 'block':
    case 'unblock':
      return decideModeration(draft, command, moment);
    case 'expire':
      return decideExpire(draft, moment.wall, policy);
    case 'device-add':
      return decideDeviceAdd(draft, command, moment.now);
    case 'device-remove':
      return decideDeviceRemove(draft, command);
    case 'push':
      return decidePush(draft, command, moment.wall);
    case 'role-create':
    case 'role-delete':
    case 'permission':
    case 'sign-in':
    case 'sign-out':
    case 'group-create':
    case 'group-update':
    case 'group-delete':
    case 'group-add':
    case 'group-remove':
      return decideAccess(draft, command, moment);
  }
}

type AccessKind =
  | `role-${'create' | 'delete'}`
  | 'permission'
  | `sign-${'in' | 'out'}`
  | `group-${'create' | 'update' | 'delete' | 'add' | 'remove'}`;

function decideAccess(draft: Draft, command: Extract<PlainCommand, { kind: AccessKind }>, { now, wall }: Moment): Outcome {
  switch (command.kind) {
    case 'role-create':
    case 'role-delete':
      return decideRole(draft, command, now);
    case 'permission':
      return decidePermission(draft, command);
    case 'sign-in':
      return decideSignIn(draft, command, wall);
    case 'sign-out':
      return decideSignOut(draft, command, wall);
    case 'group-create':
      return decideGroupCreate(draft, command, now);
    case 'group-update':
      return decideGroupUpdate(draft, command, now);
    case 'group-delete':
      return decideGroupDelete(draft, command);
    case 'group-add':
    case 'group-remove':
      return decideGroupMembers(draft, command, now);
  }
}

type ModerationKind = 'ban' | 'unban' | 'mute' | 'unmute' | 'flag' | 'unflag' | 'bypass' | 'block' | 'unblock';

function decideModeration(draft: Draft, command: Extract<PlainCommand, { kind: ModerationKind }>, moment: Moment): Outcome {
  switch (command.kind) {
    case 'ban':
      return decideBan(draft, command, moment);
    case 'unban':
      return decideUnban(draft, command);
    case 'mute':
    case 'unmute':
      return decideMute(draft, command, moment);
    case 'flag':
      return decideFlag(draft, command, moment.now);
    case 'unflag':
      return decideUnflag(draft, command);
    case 'bypass':
      return decideBypass(draft, command);
    case 'block':
    case 'unblock':
      return decideBlock(draft, command, moment.now);
  }
}

/**
 * A repeated key gives the first answer again and changes nothing. A refused command leaves no receipt: it did nothing,
 * and may be sent again. Throws RosterError `key_reused` for a key that came with another request.
 */
function decideOnce(draft: Draft, { key, fingerprint, command }: OnceCommand, moment: Moment, policy: Policy): Outcome {
  const kept = draft.docs.get('receipt', key);
  if (kept !== undefined) return replayed(draft, kept, fingerprint);
  const outcome = dispatch(draft, command, moment, policy);
  makeRoom(draft);
  draft.stage({ t: 'doc', kind: 'receipt', id: key, doc: receiptOf(draft, outcome, key, fingerprint, moment.wall) });
  return outcome;
}

function decideDocs(draft: Draft, { changes, userIds = [] }: DocsCommand): Outcome {
  const absent = userIds.flatMap((id) => {
    const found = find(draft, id);
    return found.kind === 'alive' ? [] : [missingProblem(found, id, itemPath('user_ids', id))];
  });
  refuseIfAny([], absent);
  for (const change of changes) {
    if (isLateOutbox(draft, change)) continue;
    const event = docEvent(draft.docs, change);
    draft.stage({ t: 'doc', ...change, ...(event === undefined ? undefined : { event }) });
  }
  return { users: [], warnings: [], docs: changes, seq: draft.nextSeq - 1 };
}
