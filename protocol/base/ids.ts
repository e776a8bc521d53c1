/** The forms of identifiers: user ids, teams, roles and custom keys. Pure. */
import { LIMITS } from './limits.ts';

declare const brand: unique symbol;
/** The id of a user, checked against the chat rule `^[@\w-]{1,255}$`. */
export type UserId = string & { readonly [brand]: 'UserId' };

const USER_ID = new RegExp(`^[@\\w-]{1,${LIMITS.idChars}}$`);

/** Names that would reach an object's prototype if they were used as a plain key. Refused everywhere. */
export function isForbiddenName(name: string): boolean {
  return name === '__proto__' || name === 'prototype' || name === 'constructor';
}

export function isUserId(id: string): id is UserId {
  return USER_ID.test(id) && !isForbiddenName(id);
}

/** The reason why an id is refused, for the error text. */
export function userIdProblem(id: unknown): string | undefined {
  if (typeof id !== 'string') return 'must be a string';
  if (id === '') return 'must not be empty';
  if (id.length > LIMITS.idChars) return `must not be longer than ${LIMITS.idChars} characters`;
  if (isForbiddenName(id)) return `"${id}" is a reserved name`;
  if (!USER_ID.test(id)) return 'may contain only letters a-z, A-Z, digits and the characters @ _ -';
  return undefined;
}
