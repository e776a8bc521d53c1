/** The rules of delete, deactivate and reactivate, for one user and as tasks for many. Pure. */
import type { Change, DeactivateCommand, DeleteCommand, Outcome, ReactivateCommand, RestoreCommand } from '../../protocol/command.ts';
import type { DeleteMode } from '../../protocol/delete-options.ts';
import { RosterError } from '../../protocol/errors.ts';
import type { Micros } from '../../protocol/time.ts';
import { isAlive, type StoredUser } from '../../protocol/user.ts';
import { deletedUser, unknownUser } from './decide.ts';
import { withOwnDevices } from './devices.ts';
import { isTombstone, type Tombstone } from './directory.ts';
import type { Draft } from './draft.ts';
import { checkUser, find, type Problem, problem, refuseIfAny } from './user-rules.ts';

/** A mode may follow a weaker one: what was marked can still be emptied, what was emptied can still be removed. */
const STRENGTH: Readonly<Record<DeleteMode, number>> = { soft: 1, pruning: 2, hard: 3 };

export function decideDelete(draft: Draft, command: DeleteCommand, now: Micros): Outcome {
  return forEach(draft, command, now, 'delete_users', (id) => {
    const record = draft.record(id);
    if (record === undefined) throw unknownUser(id);
    if (isTombstone(record)) throw deletedUser(id);
    if (record.deleted !== undefined && STRENGTH[record.deleted] >= STRENGTH[command.mode]) throw deletedUser(id);
    const user = deletedRecord(record, command.mode, now, draft.nextSeq);
    draft.stage({ t: 'deleted', mode: command.mode, user, options: command.options });
    return user;
  });
}

/** The record that stays after a soft or pruning delete; after a hard one the same pruned record is only in the event. */
function deletedRecord(user: StoredUser, mode: DeleteMode, now: Micros, rev: number): StoredUser {
  const marks = { rev, updated_at: now, deleted_at: isAlive(user) ? now : (user.deleted_at ?? now) };
  if (mode === 'soft') return { ...user, ...marks, deleted: 'soft' };
  const { id, role, created_at } = user;
  return { id, role, teams: [], custom: {}, created_at, ...marks, deleted: 'pruning' };
}

export function decideDeactivate(draft: Draft, command: DeactivateCommand, now: Micros): Outcome {
  return forEach(draft, command, now, 'deactivate_users', (id) => {
    const before = living(draft, id);
    if (before.deactivated_at !== undefined) throw new RosterError('input', `the user ${id} is already deactivated`);
    const user = { ...before, rev: draft.nextSeq, updated_at: now, deactivated_at: now };
    draft.stage({ t: 'user', event: 'deactivated', user, options: command.options });
    return user;
  });
}

export function decideReactivate(draft: Draft, command: ReactivateCommand, now: Micros): Outcome {
  return forEach(draft, command, now, 'reactivate_users', (id) => {
    const before = living(draft, id);
    if (before.deactivated_at === undefined) throw new RosterError('input', `the user ${id} is not deactivated`);
    const { deactivated_at: _, ...rest } = before;
    const named = command.name === undefined ? rest : { ...rest, name: command.name };
    const user = { ...named, rev: draft.nextSeq, updated_at: now };
    const [taken] = checkUser(draft, `users[${id}]`, before, user);
    if (taken !== undefined) throw new RosterError(taken.kind, taken.message, [{ path: taken.path, message: taken.message }]);
    draft.stage({ t: 'user', event: 'reactivated', user, options: command.options });
    return user;
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
    const { deleted_at: _at, deleted: _mode, ...rest } = record;
    const user = withOwnDevices(draft, { ...rest, rev: draft.nextSeq, updated_at: now });
    // Its name may have been given to somebody else, and its role removed, while it was deleted.
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

function living(draft: Draft, id: string): StoredUser {
  const found = find(draft, id);
  if (found.kind === 'absent') throw unknownUser(id);
  if (found.kind === 'deleted') throw deletedUser(id);
  return found.user;
}

type TaskResult = { readonly status: 'ok' } | { readonly status: 'error'; readonly error: string };

/**
 * Runs `act` for each id. Without a task the first problem refuses the command. With one, each user succeeds or fails
 * alone, and the finished task with the result of each is part of the same entry: when it can be seen, so can its effects.
 */
function forEach(
  draft: Draft,
  command: { readonly ids: readonly string[]; readonly task?: string },
  now: Micros,
  kind: string,
  act: (id: string) => StoredUser,
): Outcome {
  const users: { user: StoredUser; change: Change }[] = [];
  const result = new Map<string, TaskResult>();
  for (const id of command.ids) {
    try {
      users.push({ user: act(id), change: 'updated' });
      result.set(id, { status: 'ok' });
    } catch (error) {
      if (command.task === undefined || !(error instanceof RosterError)) throw error;
      result.set(id, { status: 'error', error: error.message });
    }
  }
  if (command.task !== undefined) {
    const task = { id: command.task, kind, status: 'completed' as const, created_at: now, updated_at: now };
    draft.stage({ t: 'doc', kind: 'task', id: task.id, doc: { ...task, result: Object.fromEntries(result) } });
  }
  return { users, warnings: [], seq: draft.nextSeq - 1 };
}
