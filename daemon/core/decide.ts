/**
 * Decides what a command does: facts staged in the draft, or a coded error and
 * nothing. Pure: the same directory, command, time and policy give the same
 * answer, so that a batch can be decided again when another node wrote first.
 *
 * Reading order: here for what a command is; the other files of the folder hold the rules.
 */
import type { Command, DocsCommand, OnceCommand, Outcome } from '../../protocol/command.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import { decideBan, decideUnban } from './bans.ts';
import { decideBlock } from './blocks.ts';
import { decideActive, decideConnect } from './connect.ts';
import { decideDeviceAdd, decideDeviceRemove, decidePush } from './devices.ts';
import { docEvent } from './doc-events.ts';
import type { Draft } from './draft.ts';
import { decideExpire } from './expire.ts';
import { decideActivityAdd, decideActivityRemove } from './feeds.ts';
import { decideBypass, decideFlag, decideUnflag } from './flags.ts';
import { decideGroupCreate, decideGroupDelete, decideGroupMembers, decideGroupUpdate } from './groups.ts';
import { decideCustomEvent, decideGuest } from './guest.ts';
import { decideDeactivate, decideDelete, decideReactivate, decideRestore } from './lifecycle.ts';
import { decideMute } from './mutes.ts';
import { isLateOutbox } from './outboxes.ts';
import { makeRoom, receiptOf, replayed } from './receipts.ts';
import { decideRole } from './roles.ts';
import { decideSettings } from './settings.ts';
import { decidePatch, decideUpsert } from './upsert.ts';

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
