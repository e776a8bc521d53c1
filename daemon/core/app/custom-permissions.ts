/** Permissions that the application makes. They are part of its settings. Pure. */

import { PERMISSIONS } from '../../../protocol/access/permissions.ts';
import type { CustomPermission, PermissionDeleteCommand, PermissionWriteCommand } from '../../../protocol/app/custom-permissions.ts';
import { fieldErrors, RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { jsonEquals } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { compareTexts } from '../../../protocol/base/reading.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import type { Draft } from '../directory/draft.ts';

/** An update that changes nothing is no fact. */
export function decidePermission(draft: Draft, command: PermissionWriteCommand | PermissionDeleteCommand): Outcome {
  const { permissions = [], ...app } = draft.app;
  const id = command.act === 'delete' ? command.id : command.permission.id;
  const before = permissions.find((permission) => permission.id === id);
  if (command.act === 'create') checkNew(id, before, permissions.length);
  else checkChangeable(id, before);
  const others = permissions.filter((permission) => permission !== before);
  const after = command.act === 'delete' ? others : [...others, command.permission].sort((a, b) => compareTexts(a.id, b.id));
  if (!jsonEquals(after, permissions)) draft.stage({ t: 'app', app: after.length === 0 ? app : { ...app, permissions: after } });
  return { users: [], warnings: [], seq: draft.nextSeq - 1 };
}

function checkNew(id: string, before: CustomPermission | undefined, count: number): void {
  if (before !== undefined || PERMISSIONS.has(id)) {
    throw fieldErrors('input', [{ path: 'id', message: `the permission "${clip(id)}" exists already` }]);
  }
  if (count < LIMITS.customPermissions) return;
  throw fieldErrors('input', [{ path: 'id', message: `there are ${count} custom permissions already, and no more are allowed` }]);
}

function checkChangeable(id: string, before: CustomPermission | undefined): void {
  if (PERMISSIONS.has(id))
    throw fieldErrors('input', [{ path: 'id', message: `the permission "${clip(id)}" is built in and cannot be changed` }]);
  if (before === undefined) throw new RosterError('not_found', `the permission ${clip(id)} does not exist`);
}
