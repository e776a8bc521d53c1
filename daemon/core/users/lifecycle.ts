/** The rules of delete, deactivate, reactivate and restore; the first three also as tasks for many users. Pure. */

import { isGranted } from '../../../protocol/access/permissions.ts';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import { definedFields, withFields } from '../../../protocol/base/json.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Change, Outcome } from '../../../protocol/log/command.ts';
import type { Conditions } from '../../../protocol/users/conditions.ts';
import { type DeleteMode, HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import type { DeactivateCommand, DeleteCommand, ReactivateCommand, RestoreCommand } from '../../../protocol/users/lifecycle.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { withOwnDevices } from '../app/devices.ts';
import type { Draft } from '../directory/draft.ts';
import { find } from '../directory/find.ts';
import { evidenceOf, isTombstone, living, type Tombstone } from '../directory/record.ts';
import type { Moment } from '../policy.ts';
import { deletedUser, notAllowed, type Problem, problem, refuseIfAny, unknownUser } from '../problems.ts';
import { brokenCondition } from './conditions.ts';
import { checkUser } from './rules.ts';

/** A mode may follow a weaker one: a soft-deleted user can still be pruned, a pruned one can still be removed. */
const STRENGTH: Readonly<Record<DeleteMode, number>> = { soft: 1, pruning: 2, hard: 3 };

/** A client deletes only itself. Its bans and the reports about it stay with the id; a server's delete ends them. */
export function decideDelete(draft: Draft, command: DeleteCommand, moment: Moment): Outcome {
  const { now } = moment;
  const { mode, options, ifRev, skipsGone, bySync } = command;
  const isOwn = draft.sender.kind === 'user';
  return forEach(draft, command, moment, 'delete_users', (id) => {
    if (mode === 'hard') checkIsWhole(id, options);
    const record = draft.record(id);
    if (skipsGone === true && living(record) === undefined) return 'passed over';
    if (record === undefined) throw refusal(ifRev, id, undefined) ?? unknownUser(id);
    // Nothing of a hard-deleted user is left to answer with; a task only states the result.
    if (isTombstone(record)) return asBefore(command, id, 'passed over', deletedUser(id));
    if (record.deleted !== undefined && STRENGTH[record.deleted] >= STRENGTH[mode]) return asBefore(command, id, record, deletedUser(id));
    const refused = refusal(ifRev, id, record);
    if (refused !== undefined) throw refused;
    if (isOwn && !isGranted(draft.app, record.role, 'update-user-owner')) {
      throw new RosterError('not_allowed', notAllowed(id, record.role, 'DeleteUser'));
    }
    const deleted = deletedRecord(record, mode, now, draft.nextSeq, bySync);
    const user = isOwn ? withFields(deleted, evidenceOf(record)) : deleted;
    draft.stage({ t: 'deleted', mode, user, options });
    return { user, change: 'updated' };
  });
}

/** A hard delete leaves nothing of a user: neither its messages nor its conversations may stay. */
function checkIsWhole(id: string, options: DeleteCommand['options']): void {
  for (const name of ['messages', 'conversations'] as const) {
    if (options[name] === HARD_OPTIONS[name]) continue;
    throw fieldErrors('input', [{ path: name, message: `the user ${id} cannot be hard deleted unless ${name} is "hard", too` }]);
  }
}

/** The record that stays after a soft or pruning delete. After a hard one, the pruned record is only in the event. */
function deletedRecord(user: StoredUser, mode: DeleteMode, now: Micros, rev: number, bySync = false): StoredUser {
  const marks = { rev, updated_at: now, deleted_at: isAlive(user) ? now : (user.deleted_at ?? now) };
  if (mode === 'soft') {
    const { deleted_by_sync: _, ...rest } = user;
    return withFields(rest, { deleted: 'soft' as const, ...marks, ...(bySync ? { deleted_by_sync: true as const } : undefined) });
  }
  const { id, role, created_at } = user;
  return { id, role, teams: [], custom: {}, created_at, ...marks, deleted: 'pruning' };
}

export function decideDeactivate(draft: Draft, command: DeactivateCommand, moment: Moment): Outcome {
  const { now } = moment;
  return forEach(draft, command, moment, 'deactivate_users', (id) => {
    const before = alive(draft, command, id);
    if (before.deactivated_at !== undefined) {
      return asBefore(command, id, before, new RosterError('input', `the user ${id} is already deactivated`));
    }
    const refused = refusal(command.ifRev, id, before);
    if (refused !== undefined) throw refused;
    // A daemon from before the mark may have left one behind.
    const { deactivated_by_sync: _, ...rest } = before;
    const mark = command.bySync === true ? { deactivated_by_sync: true as const } : undefined;
    const user: StoredUser = withFields(rest, { rev: draft.nextSeq, updated_at: now, deactivated_at: now, ...mark });
    draft.stage({ t: 'user', event: 'deactivated', user, options: command.options });
    return { user, change: 'updated' };
  });
}

export function decideReactivate(draft: Draft, command: ReactivateCommand, moment: Moment): Outcome {
  const { now } = moment;
  return forEach(draft, command, moment, 'reactivate_users', (id) => {
    const before = alive(draft, command, id);
    if (before.deactivated_at === undefined) {
      const isActive = new RosterError('input', `the user ${id} is not deactivated`);
      if (command.name !== undefined && command.name !== before.name) throw isActive;
      return asBefore(command, id, before, isActive);
    }
    const refused = refusal(command.ifRev, id, before);
    if (refused !== undefined) throw refused;
    const { deactivated_at: _at, deactivated_by_sync: _by, ...rest } = before;
    const name = command.name ?? rest.name;
    const user = withFields(rest, definedFields({ name, rev: draft.nextSeq, updated_at: now }));
    const [taken] = checkUser(draft, `users[${id}]`, before, user);
    if (taken !== undefined) throw new RosterError(taken.kind, taken.message, [{ path: taken.path, message: taken.message }]);
    draft.stage({ t: 'user', event: 'reactivated', user, options: command.options });
    return { user, change: 'updated' };
  });
}

/** Only soft-deleted users can be restored, with all their data. All or nothing, and every problem is listed. */
export function decideRestore(draft: Draft, command: RestoreCommand, now: Micros): Outcome {
  const problems: Problem[] = [];
  const users: Outcome['users'][number][] = [];
  for (const id of command.ids) {
    const path = `user_ids[${id}]`;
    const record = draft.record(id);
    if (record === undefined || isTombstone(record) || record.deleted !== 'soft') {
      problems.push(problem('input', path, `user ${id} cannot be restored: ${whyNotRestorable(record)}`));
      continue;
    }
    const { deleted_at: _at, deleted: _mode, deleted_by_sync: _by, ...rest } = record;
    const user = withOwnDevices(draft, withFields(rest, { rev: draft.nextSeq, updated_at: now }));
    // While it was deleted, another user may have taken its name, and its role may have been removed.
    problems.push(...checkUser(draft, `users[${id}]`, undefined, user));
    draft.stage({ t: 'user', event: 'restored', user });
    users.push({ user, change: 'updated' });
  }
  refuseIfAny([], problems);
  return { users, warnings: [], seq: draft.nextSeq - 1 };
}

function whyNotRestorable(record: StoredUser | Tombstone | undefined): string {
  if (record === undefined) return 'does not exist';
  if (isTombstone(record)) return 'hard deleted';
  return record.deleted === 'pruning' ? 'pruned' : 'not deleted';
}

function alive(draft: Draft, { ifRev }: Conditional, id: string): StoredUser {
  const found = find(draft, id);
  if (found.kind === 'alive') return found.user;
  throw refusal(ifRev, id, undefined) ?? (found.kind === 'absent' ? unknownUser(id) : deletedUser(id));
}

/** The error for a user that does not have the named revision. */
function refusal(ifRev: Conditions | undefined, id: string, record: StoredUser | undefined): RosterError | undefined {
  const broken = brokenCondition(ifRev, id, record);
  return broken === undefined ? undefined : new RosterError(broken.kind, broken.message, [{ path: broken.path, message: broken.message }]);
}

type Conditional = Pick<DeleteCommand, 'ids' | 'task' | 'ifRev'>;

/** The result for one user. 'passed over': there was nothing to act on, which is no error. */
type Acted = { readonly user: StoredUser; readonly change: Change } | 'passed over';

/**
 * The result for a user that is already as requested. Without a condition, that is an error. With one, the command may be a repeated
 * one, and it is no error.
 */
function asBefore({ ifRev, task }: Conditional, id: string, user: StoredUser | 'passed over', otherwise: RosterError): Acted {
  if (ifRev?.has(id) !== true || (user === 'passed over' && task === undefined)) throw otherwise;
  return user === 'passed over' ? user : { user, change: 'unchanged' };
}

type TaskResult = { readonly status: 'ok' } | { readonly status: 'error'; readonly error: string };

/**
 * Runs `act` for each id. Without a task, the first problem refuses the command. With one, each user succeeds or fails
 * alone, and the finished task with all results is part of the same entry, so it becomes visible together with its effects.
 */
function forEach(draft: Draft, command: Conditional, { wall }: Moment, kind: string, act: (id: string) => Acted): Outcome {
  const users: Outcome['users'][number][] = [];
  const result = new Map<string, TaskResult>();
  for (const id of command.ids) {
    try {
      const acted = act(id);
      if (acted !== 'passed over') users.push(acted);
      result.set(id, { status: 'ok' });
    } catch (error) {
      if (command.task === undefined || !(error instanceof RosterError)) throw error;
      result.set(id, { status: 'error', error: error.message });
    }
  }
  if (command.task !== undefined) {
    const task = { id: command.task, kind, status: 'completed' as const, created_at: wall, updated_at: wall };
    draft.stage({ t: 'doc', kind: 'task', id: task.id, doc: { ...task, result: Object.fromEntries(result) } });
  }
  return { users, warnings: [], seq: draft.nextSeq - 1 };
}
