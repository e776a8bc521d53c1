/** Custom roles. Pure. */

import type { Role, RoleCommand } from '../../../protocol/access/roles.ts';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { DocChange } from '../../../protocol/log/documents.ts';
import { BUILT_IN_ROLES } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';

export function decideRole(draft: Draft, { kind, name }: RoleCommand, now: Micros): Outcome {
  if (kind === 'role-create') checkNew(draft, name);
  else checkUnused(draft, name);
  const doc: Role | null = kind === 'role-create' ? { name, created_at: now, updated_at: now } : null;
  const change: DocChange = { kind: 'role', id: name, doc };
  draft.stage({ t: 'doc', ...change });
  return { users: [], warnings: [], docs: [change], seq: draft.nextSeq - 1 };
}

/** Whether the role is built in or was created. */
export function roleExists(draft: Draft, name: string): boolean {
  return BUILT_IN_ROLES.has(name) || draft.docs.get('role', name) !== undefined;
}

function checkNew(draft: Draft, name: string): void {
  if (roleExists(draft, name)) throw fieldErrors('input', [{ path: 'name', message: `the role "${name}" exists already` }]);
  if (draft.docs.count('role') < LIMITS.customRoles) return;
  throw fieldErrors('input', [{ path: 'name', message: `there are ${LIMITS.customRoles} custom roles already, and no more are allowed` }]);
}

/** A soft-deleted user does not keep its role in use: to be restored, it needs the role to exist again. */
function checkUnused(draft: Draft, name: string): void {
  const refuse = (message: string) => fieldErrors('input', [{ path: 'name', message }]);
  if (BUILT_IN_ROLES.has(name)) throw refuse(`the role "${name}" is built in and cannot be deleted`);
  if (draft.docs.get('role', name) === undefined) throw new RosterError('not_found', `the role ${clip(name)} does not exist`);
  const users = draft.usersWithRole(name);
  if (users > 0) throw refuse(`the role "${name}" cannot be deleted: ${users} ${users === 1 ? 'user has' : 'users have'} it`);
  const { grants = {} } = draft.app;
  const granted = Object.hasOwn(grants, name) ? (grants[name]?.length ?? 0) : 0;
  if (granted > 0) throw refuse(`the role "${name}" cannot be deleted: the app settings grant it ${granted} permissions`);
}
