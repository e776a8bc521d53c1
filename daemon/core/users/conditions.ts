/**
 * Checks the revisions that a command demands of its users. Pure.
 *
 * The caller has checked before that the user would change: a user that is already as requested is never refused, so a command
 * can be sent again.
 */
import type { Conditions } from '../../../protocol/users/conditions.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { absence, type Problem, problem } from '../problems.ts';

/**
 * The reason why the user must not be changed; undefined when it has the named revision, or none was named. `record` is the user,
 * if one exists for the command. A deleted user matches its last revision, and also 0.
 */
export function brokenCondition(conditions: Conditions | undefined, id: string, record: StoredUser | undefined): Problem | undefined {
  const wanted = conditions?.get(id);
  if (wanted === undefined || holds(wanted, record)) return undefined;
  return problem('precondition', `users[${id}]`, reason(wanted, id, record));
}

function holds(wanted: number | '*', record: StoredUser | undefined): boolean {
  if (wanted === 0) return record === undefined || !isAlive(record);
  if (wanted === '*') return record !== undefined && isAlive(record);
  return record?.rev === wanted;
}

function reason(wanted: number | '*', id: string, record: StoredUser | undefined): string {
  if (record === undefined || wanted === '*') return absence(id, 'absent');
  if (wanted === 0) return `the user ${id} exists already (revision ${record.rev})`;
  return `the user ${id} has revision ${record.rev}, not ${wanted}`;
}
