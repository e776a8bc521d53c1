/** Reads one item of an import: `{"type": "user", "item" | "data": {…a user as chat v1 writes it}}`. Pure. */

import { clip } from '../../../protocol/base/explain.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { dataProblem } from '../../../protocol/users/size.ts';
import { RESERVED_FIELDS, type UserInput } from '../../../protocol/users/user.ts';
import type { RowError, ValueRow } from '../../sync/rows.ts';
import type { RowUser } from '../../sync/source.ts';
import { decodeSent, inexactProblems, invalidUser } from '../../sync/source-user.ts';

/** A user of an import, in the form that the directory takes. */
export interface ImportUser extends RowUser {
  readonly user: UserInput;
}

/** Facts that only the directory knows. */
export interface ItemRules {
  readonly hasRole: (role: string) => boolean;
  readonly wasDeleted: (id: string) => boolean;
}

/** Fields that a server sets by other requests. An upsert ignores them, so an import of them would be silently incomplete. */
const OTHER_FIELDS = ['revoke_tokens_issued_before'];

/** The user of the item, or all its errors. */
export function checkItem({ line, value, bytes = 0, isInexact = false }: ValueRow, rules: ItemRules): ImportUser | RowError {
  if (!isObject(value)) return invalidUser(line, undefined, ['the item must be an object with "type" and "item"']);
  if (value.type !== 'user') return invalidUser(line, undefined, [`type: ${wrongType(value.type)}`]);
  const sent = value.item ?? value.data;
  if (!isObject(sent)) return invalidUser(line, undefined, ['item: must be an object, the user']);
  const problems: string[] = [];
  for (const field of Object.keys(sent)) {
    if (RESERVED_FIELDS.has(field) || OTHER_FIELDS.includes(field)) problems.push(`${clip(field)}: is a reserved field`);
  }
  const inexact = isInexact ? inexactProblems(sent) : [];
  problems.push(...inexact);
  const user = inexact.length > 0 ? undefined : decodeSent(sent, problems);
  if (user === undefined) return invalidUser(line, sent.id, problems);
  if (dataProblem(user, 'user') !== undefined) problems.push(`user data is more than ${LIMITS.clientUserBytes} bytes`);
  if (user.role !== undefined && !rules.hasRole(user.role)) problems.push(`role: role "${clip(user.role)}" does not exist`);
  if (rules.wasDeleted(user.id)) problems.push(`the user ${user.id} was deleted`);
  return problems.length > 0 ? invalidUser(line, user.id, problems) : { line, id: user.id, bytes, user };
}

function wrongType(type: unknown): string {
  if (typeof type !== 'string' || type === '') return 'must be "user"';
  return `rosterd holds users only; items of the type "${clip(type)}" cannot be imported`;
}
