/**
 * Reads `POST /users` into its command. Errors in the form of single users travel in the command, so that one answer lists them
 * together with those of the rules; a body that is wrong as a whole is refused here. Pure; throws RosterError `input`.
 */

import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type Actor, isForeign } from '../base/actor.ts';
import { envelope } from '../base/envelope.ts';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { newSearch } from '../base/explain.ts';
import { itemPath } from '../base/field-path.ts';
import { isUserId } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, type Dialect, isJsonObject } from '../base/reading.ts';
import { type Conditions, IfRev, readIfRev } from './conditions.ts';
import { decodeUser, givenTwice, type UserPlace } from './decode.ts';
import { type UserInput, UserRequest } from './user.ts';

export interface UpsertCommand {
  readonly kind: 'upsert';
  readonly actor: Actor;
  readonly users: readonly UserInput[];
  /** The errors that decoding found in other users of the batch: the batch fails as a whole, and the answer lists every error. */
  readonly problems: readonly FieldError[];
  /** The treatment of a user that exists: replace it (default), refuse it (`conflict`), or keep it as it is. */
  readonly existing?: 'replace' | 'refuse' | 'keep';
  /** The treatment of a user that does not exist: create it (default), or refuse it (`not_found`). */
  readonly missing?: 'create' | 'refuse';
  /** Keeps custom data that is not sent. */
  readonly mergeCustom?: boolean;
  /** Allows a new user with the id of a deleted one. */
  readonly reuseDeleted?: boolean;
  readonly ifRev?: Conditions;
  readonly returning?: Returns;
}

const Returning = Type.Union([Type.Literal('leave'), Type.Literal('reactivate'), Type.Literal('restore')], {
  description:
    'of users that a sync deactivated or soft-deleted (`by_sync`): `reactivate` brings back the deactivated ones, `restore` the deleted ones too',
});
export type Returns = Static<typeof Returning>;

/** Users by id, or as a list. */
export const UpsertBody = Type.Object({
  users: Type.Union([
    Type.Record(Type.String(), UserRequest, { minProperties: 1, maxProperties: LIMITS.batchUsers }),
    Type.Array(UserRequest, { minItems: 1, maxItems: LIMITS.batchUsers }),
  ]),
  if_rev: Type.Optional(IfRev),
  returning: Type.Optional(Returning),
});

/** Single users and the conditions are checked separately, so that every error of each is listed. */
const upsertCheck = Compile(envelope(UpsertBody, 'users'));

/**
 * `POST /users`. Refuses a user that is given twice, since nothing says which of the two counts. What a client sends for somebody
 * else is not read, because the rules refuse it for the id alone.
 */
export function decodeUpsert(dialect: Dialect, body: unknown, actor: Actor): UpsertCommand {
  const steps = upsertDecoding(dialect, body, actor);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** Users that are read in one step: the widest ones take a quarter of a millisecond each. */
const STEP_USERS = 8;

/** The same in steps: a hundred of them may take tens of milliseconds. */
export function* upsertDecoding(dialect: Dialect, body: unknown, actor: Actor): Generator<undefined, UpsertCommand> {
  const { if_rev, ...fields } = bodyObject(body);
  const { users: sent, returning } = checked(upsertCheck, fields);
  if (returning !== undefined && actor.kind !== 'server')
    throw fieldErrors('not_allowed', [{ path: 'returning', message: 'needs a server token' }]);
  const users: UserInput[] = [];
  const problems: FieldError[] = [];
  const search = newSearch();
  const add = (value: unknown, path: string, key: string | undefined) => {
    const id = key ?? (isJsonObject(value) ? value.id : undefined);
    if (typeof id === 'string' && isUserId(id) && isForeign(actor, id)) {
      users.push({ id, custom: {} });
      return;
    }
    const place: UserPlace = { path, key, dialect, caller: actor.kind, search };
    const user = decodeUser(value, place, problems);
    if (user !== undefined) users.push(user);
  };
  const seen = new Set<string>(Array.isArray(sent) ? [] : Object.keys(sent));
  if (Array.isArray(sent)) {
    for (const [index, value] of sent.entries()) {
      const id = isJsonObject(value) && typeof value.id === 'string' ? value.id : undefined;
      if (id !== undefined && seen.has(id)) problems.push(givenTwice(index, id));
      else add(value, itemPath('users', id ?? index), undefined);
      if (id !== undefined) seen.add(id);
      if (index % STEP_USERS === STEP_USERS - 1) yield;
    }
  } else if (isJsonObject(sent)) {
    for (const [index, key] of Object.keys(sent).entries()) {
      add(sent[key], itemPath('users', key), key);
      if (index % STEP_USERS === STEP_USERS - 1) yield;
    }
  }
  const condition = readIfRev(if_rev, seen, problems);
  return { kind: 'upsert', actor, users, problems, ...condition, ...(returning === undefined ? undefined : { returning }) };
}
