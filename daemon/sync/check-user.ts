/** Checks one user of the source by the daemon's own rules before it is sent, so that a bad line costs no request. Pure. */

import type { FieldError } from '../../protocol/base/errors.ts';
import { isUserId } from '../../protocol/base/ids.ts';
import { isObject } from '../../protocol/base/json.ts';
import { decodeUser } from '../../protocol/users/decode.ts';

/** `json` is the user where the line is more than that. */
export type CheckedUser = { readonly id: string; readonly json?: string } | { readonly id?: string; readonly problems: readonly string[] };

/**
 * The id, or everything that is wrong with the form of the user (`role: must be string, got number`). What only the directory
 * can tell (does the role exist, is the name free) is left to the daemon.
 */
export function checkUser(value: unknown): CheckedUser {
  const found: FieldError[] = [];
  const user = decodeUser(value, { path: '', key: undefined, dialect: 'v1', caller: 'server' }, found);
  if (user !== undefined) return { id: user.id };
  const problems = found.map(({ path, message }) => (path === '' ? message : `${path}: ${message}`));
  // A user that is wrong elsewhere is still reported by its id.
  const id = isObject(value) && typeof value.id === 'string' && isUserId(value.id) ? value.id : undefined;
  return id === undefined ? { problems } : { id, problems };
}
