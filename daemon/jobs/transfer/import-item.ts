/** Reads one item of an import: `{"type": "user", "item" | "data": {…a user as chat v1 writes it}}`. Pure. */

import type { FieldError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/explain.ts';
import { isUserId } from '../../../protocol/base/ids.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { decodeUser } from '../../../protocol/users/decode.ts';
import { dataProblem } from '../../../protocol/users/size.ts';
import { RESERVED_FIELDS } from '../../../protocol/users/user.ts';
import type { CheckedUser } from '../../sync/check-user.ts';

/** What the directory knows that a file cannot. */
export interface ItemRules {
  readonly hasRole: (role: string) => boolean;
  readonly wasDeleted: (id: string) => boolean;
}

/** Fields that a server sets by other requests; an upsert leaves them alone, so that an import could not keep its word. */
const OTHER_FIELDS = ['revoke_tokens_issued_before'];

/** The user of the item as JSON, or everything that is wrong with it. */
export function checkItem(value: unknown, rules: ItemRules): CheckedUser {
  if (!isObject(value)) return { problems: ['the item must be an object with "type" and "item"'] };
  if (value.type !== 'user') return { problems: [`type: ${wrongType(value.type)}`] };
  const user = value.item ?? value.data;
  if (!isObject(user)) return { problems: ['item: must be an object, the user'] };
  const problems: string[] = [];
  for (const field of Object.keys(user)) {
    if (RESERVED_FIELDS.has(field) || OTHER_FIELDS.includes(field)) problems.push(`${clip(field)}: is a reserved field`);
  }
  const found: FieldError[] = [];
  const decoded = decodeUser(user, { path: '', key: undefined, dialect: 'v1', caller: 'server' }, found);
  problems.push(...found.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`)));
  if (decoded === undefined) {
    const id = typeof user.id === 'string' && isUserId(user.id) ? { id: user.id } : undefined;
    return { ...id, problems };
  }
  if (dataProblem(decoded, 'user') !== undefined) problems.push(`user data is more than ${LIMITS.clientUserBytes} bytes`);
  if (decoded.role !== undefined && !rules.hasRole(decoded.role)) problems.push(`role: role "${clip(decoded.role)}" does not exist`);
  if (rules.wasDeleted(decoded.id)) problems.push(`the user ${decoded.id} was deleted`);
  return problems.length > 0 ? { id: decoded.id, problems } : { id: decoded.id, json: JSON.stringify(user) };
}

function wrongType(type: unknown): string {
  if (typeof type !== 'string' || type === '') return 'must be "user"';
  return `rosterd holds users only; items of the type "${clip(type)}" cannot be imported`;
}
