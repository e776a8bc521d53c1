/**
 * Decides what a command does: facts staged in the draft, or a coded error and
 * nothing. Pure: the same directory, command, time and policy give the same
 * answer, so that a batch can be decided again when another node wrote first.
 *
 * Reading order: here for what a command is; the other files of the folder hold the rules.
 */

import { RosterError } from '../../protocol/base/errors.ts';
import type { Micros } from '../../protocol/base/time.ts';
import type { Command, DocsCommand, OnceCommand, Outcome } from '../../protocol/log/command.ts';
import { decideGroupCreate, decideGroupDelete, decideGroupMembers, decideGroupUpdate } from './access/groups.ts';
import { decideRole } from './access/roles.ts';
import { decideDeviceAdd, decideDeviceRemove, decidePush } from './app/devices.ts';
import { decideSettings } from './app/settings.ts';
import type { Draft } from './directory/draft.ts';
import { docEvent } from './document-events.ts';
import { decideExpire } from './expire.ts';
import { decideActivityAdd, decideActivityRemove } from './feeds/activities.ts';
import { isLateOutbox } from './hooks/outbox.ts';
import { decideBan, decideUnban } from './moderation/bans.ts';
import { decideBlock } from './moderation/blocks.ts';
import { decideBypass, decideFlag, decideUnflag } from './moderation/flags.ts';
import { decideMute } from './moderation/mutes.ts';
import { decideActive, decideConnect } from './users/connect.ts';
import { decideCustomEvent, decideGuest } from './users/guests.ts';
import { decideDeactivate, decideDelete, decideReactivate, decideRestore } from './users/lifecycle.ts';
import { makeRoom, receiptOf, replayed } from './users/receipts.ts';
import { decidePatch, decideUpsert } from './users/upsert.ts';

/** Rules that an operator sets in the configuration. Every node of a cluster must have the same. */
export interface Policy {
  /** A connect whose role differs from the stored one: refused, or the stored role is kept and a warning given. */
  readonly connectRole: 'refuse' | 'keep';
  /** `guard`: a connect writes only the keys that differ from what the user's connects last sent. `merge`: all keys sent. */
  readonly connectGuard: 'guard' | 'merge';
  /** Whether the id of a hard-deleted user may be used again. */
  readonly reuseHardDeleted: boolean;
  /** How long a finished task is kept, in microseconds. */
  readonly tasksKeptMicros: number;
  /** The same for exports, whose task makes the link to their file; never shorter than the other. */
  readonly exportsKeptMicros: number;
  /** How long a request with an `Idempotency-Key` can be repeated, in microseconds. */
  readonly receiptsKeptMicros: number;
}

export const DEFAULT_POLICY: Policy = {
  connectRole: 'refuse',
  connectGuard: 'guard',
  reuseHardDeleted: false,
  tasksKeptMicros: 7 * 24 * 3_600_000_000,
  exportsKeptMicros: 60 * 24 * 3_600_000_000,
  receiptsKeptMicros: 24 * 3_600_000_000,
};

/**
 * Stages what `command` does and returns the answer to give once it is durable.
 * Throws RosterError for a command that is refused; the draft is then as it was.
 */
export function decide(draft: Draft, command: Command, now: Micros, policy: Policy): Outcome {
  try {
    const outcome = dispatch(draft, command, now, policy);
    draft.commit();
    return outcome;
  } catch (error) {
    draft.discard();
    throw error;
  }
}

function dispatch(draft: Draft, command: Command, now: Micros, policy: Policy): Outcome {
  switch (command.kind) {
    case 'once':
      return decideOnce(draft, command, now, policy);
    case 'upsert':
      return decideUpsert(draft, command, now, policy);
    case 'patch':
      return decidePatch(draft, command, now);
    case 'connect':
      return decideConnect(draft, command, now, policy);
    case 'active':
      return decideActive(draft, command, now);
    case 'delete':
      return decideDelete(draft, command, now);
    case 'deactivate':
      return decideDeactivate(draft, command, now);
    case 'reactivate':
      return decideReactivate(draft, command, now);
    case 'restore':
      return decideRestore(draft, command, now);
    case 'guest':
      return decideGuest(draft, command, now, policy);
    case 'custom-event':
      return decideCustomEvent(draft, command);
    case 'settings':
      return decideSettings(draft, command, now);
    case 'docs':
      return decideDocs(draft, command);
    case 'activity-add':
      return decideActivityAdd(draft, command);
    case 'activity-remove':
      return decideActivityRemove(draft, command);
    case 'ban':
      return decideBan(draft, command, now);
    case 'unban':
      return decideUnban(draft, command);
    case 'mute':
    case 'unmute':
      return decideMute(draft, command, now);
    case 'flag':
      return decideFlag(draft, command, now);
    case 'unflag':
      return decideUnflag(draft, command);
    case 'bypass':
      return decideBypass(draft, command);
    case 'block':
    case 'unblock':
      return decideBlock(draft, command, now);
    case 'expire':
      return decideExpire(draft, now, policy);
    case 'device-add':
      return decideDeviceAdd(draft, command, now);
    case 'device-remove':
      return decideDeviceRemove(draft, command);
    case 'push':
      return decidePush(draft, command, now);
    case 'role-create':
    case 'role-delete':
      return decideRole(draft, command, now);
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

/**
 * The same key again gives the answer of the first time and does nothing. What is refused leaves no receipt: it did nothing,
 * and may be sent again. Throws RosterError `key_reused` for a key that came with another request.
 */
function decideOnce(draft: Draft, { key, fingerprint, command }: OnceCommand, now: Micros, policy: Policy): Outcome {
  const kept = draft.docs.get('receipt', key);
  if (kept !== undefined) return replayed(draft, kept, fingerprint);
  const outcome = dispatch(draft, command, now, policy);
  makeRoom(draft);
  draft.stage({ t: 'doc', kind: 'receipt', id: key, doc: receiptOf(draft, outcome, key, fingerprint, now) });
  return outcome;
}

function decideDocs(draft: Draft, { changes }: DocsCommand): Outcome {
  for (const change of changes) {
    if (isLateOutbox(draft, change)) continue;
    const event = docEvent(draft.docs, change);
    draft.stage({ t: 'doc', ...change, ...(event === undefined ? undefined : { event }) });
  }
  return { users: [], warnings: [], docs: changes, seq: draft.nextSeq - 1 };
}

/** The error for a user that a command cannot act on. */
export function unknownUser(id: string): RosterError {
  return new RosterError('not_found', `the user ${id} does not exist`);
}

export function deletedUser(id: string): RosterError {
  return new RosterError('not_found', `the user ${id} was deleted`);
}
