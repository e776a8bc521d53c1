/**
 * Judges the revisions that a command says its users must have. Pure.
 *
 * Whoever calls this has found out before that the user would change: what is already as it was asked for is never refused, so
 * that a command can be sent again.
 */
import type { Conditions } from '../../../protocol/users/conditions.ts';
import { isAlive, type StoredUser } from '../../../protocol/users/user.ts';
import { absence, type Problem, problem } from '../problems.ts';

/**
 * Why the user must not be changed; undefined when its revision is the one that was named, or when none was. `record`: the user
 * as far as there is one for the command. A deleted one has its last revision, and also 0.
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
