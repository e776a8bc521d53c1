/**
 * Decides what a command does: facts staged in the draft, or a coded error and
 * nothing. Pure: the same directory, command, time and policy give the same
 * answer, so that a batch can be decided again when another node wrote first.
 *
 * Reading order: here for what a command is; upsert.ts, connect.ts and
 * lifecycle.ts for the rules.
 */
import type { Command, Outcome, SettingsCommand } from '../../protocol/command.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import { decideConnect } from './connect.ts';
import type { Draft } from './draft.ts';
import { decideDeactivate, decideDelete, decideReactivate } from './lifecycle.ts';
import { decidePatch, decideUpsert } from './upsert.ts';

/** Rules that an operator sets in the configuration. Every node of a cluster must have the same. */
export interface Policy {
  /** A connect whose role differs from the stored one: refused, or the stored role is kept and a warning given. */
  readonly connectRole: 'refuse' | 'keep';
  /** `guard`: a connect writes only the keys that differ from what the user's connects last sent. `merge`: all keys sent. */
  readonly connectGuard: 'guard' | 'merge';
  /** Whether the id of a hard-deleted user may be used again. */
  readonly reuseHardDeleted: boolean;
}

export const DEFAULT_POLICY: Policy = { connectRole: 'refuse', connectGuard: 'guard', reuseHardDeleted: false };

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
    case 'upsert':
      return decideUpsert(draft, command, now, policy);
    case 'patch':
      return decidePatch(draft, command, now);
    case 'connect':
      return decideConnect(draft, command, now, policy);
    case 'delete':
      return decideDelete(draft, command, now);
    case 'deactivate':
      return decideDeactivate(draft, command, now);
    case 'reactivate':
      return decideReactivate(draft, command, now);
    case 'settings':
      return decideSettings(draft, command);
  }
}

function decideSettings(draft: Draft, command: SettingsCommand): Outcome {
  const { revoke_tokens_issued_before: stamp, enforce_unique_usernames: unique } = command;
  const { revoke_tokens_issued_before: stored, ...rest } = draft.app;
  const keptStamp = stamp === undefined ? stored : (stamp ?? undefined);
  const app = {
    ...rest,
    ...(unique === undefined ? {} : { enforce_unique_usernames: unique }),
    ...(keptStamp === undefined ? {} : { revoke_tokens_issued_before: keptStamp }),
  };
  const same = app.enforce_unique_usernames === draft.app.enforce_unique_usernames && keptStamp === stored;
  if (!same) draft.stage({ t: 'app', app });
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}

/** The error for a user that a command cannot act on. */
export function unknownUser(id: string): RosterError {
  return new RosterError('not_found', `the user ${id} does not exist`);
}

export function deletedUser(id: string): RosterError {
  return new RosterError('not_found', `the user ${id} was deleted`);
}
