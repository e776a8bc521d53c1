/**
 * Reads requests that delete, restore, deactivate and reactivate users, either one at
 * once or up to 100 as a task. Both dialects have the same bodies. Pure; throws RosterError `input`.
 */

import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { itemPath } from '../base/field-path.ts';
import { userIdProblem } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { QueryFlag, queryReader } from '../base/query-string.ts';
import { bodyObject, checked, isEmptyList, pathId, presentFields, type QueryFields } from '../base/reading.ts';
import { type Conditions, IfRev, readIfRev } from './conditions.ts';
import { DeactivateOptions, DeleteMode, DeleteOptions, HARD_OPTIONS } from './delete-options.ts';
import { dataProblem } from './size.ts';

/** With `task`, each user succeeds or fails alone and the task carries the results; without it, the first problem is the answer. */
export interface DeleteCommand {
  readonly kind: 'delete';
  readonly ids: readonly string[];
  readonly mode: DeleteMode;
  readonly options: DeleteOptions;
  readonly task?: string;
  readonly ifRev?: Conditions;
  /** Its source did not name the users: a sync may bring them back. */
  readonly bySync?: boolean;
  /** Skips users that do not exist, or no longer exist. */
  readonly skipsGone?: boolean;
}

export interface DeactivateCommand {
  readonly kind: 'deactivate';
  readonly ids: readonly string[];
  readonly options: DeactivateOptions;
  readonly task?: string;
  readonly ifRev?: Conditions;
  readonly bySync?: boolean;
}

export interface ReactivateCommand {
  readonly kind: 'reactivate';
  readonly ids: readonly string[];
  readonly name?: string;
  readonly options: DeactivateOptions;
  readonly task?: string;
  readonly ifRev?: Conditions;
}

/** All or nothing: one user that cannot be restored makes the whole command fail. */
export interface RestoreCommand {
  readonly kind: 'restore';
  readonly ids: readonly string[];
}

const UserIds = Type.Array(Type.String(), { minItems: 1, maxItems: LIMITS.batchUsers });

/** `Clean` drops unknown keys, so that an event carries only options that exist. */
const CLOSED = { additionalProperties: false } as const;

const Conditional = { if_rev: Type.Optional(IfRev) };
const BySync = {
  by_sync: Type.Optional(
    Type.Boolean({ description: 'because the source of a sync does not name them; `returning` of an upsert brings only these users back' }),
  ),
};

export const DeleteUsersBody = Type.Object(
  { user_ids: UserIds, user: Type.Optional(DeleteMode), ...DeleteOptions.properties, ...Conditional, ...BySync },
  CLOSED,
);

export const DeleteUserQuery = Type.Object({
  mark_messages_deleted: QueryFlag,
  hard_delete: QueryFlag,
  delete_conversation_channels: QueryFlag,
});

export const ReactivateUsersBody = Type.Object({ user_ids: UserIds, ...DeactivateOptions.properties, ...Conditional }, CLOSED);

export const DeactivateUsersBody = Type.Object({ ...ReactivateUsersBody.properties, ...BySync }, CLOSED);

export const DeactivateUserBody = Type.Object(DeactivateOptions.properties, CLOSED);

export const ReactivateUserBody = Type.Object({ ...DeactivateOptions.properties, name: Type.Optional(Type.String()) }, CLOSED);

export const RestoreUsersBody = Type.Object({ user_ids: UserIds }, CLOSED);

const deleteUsersCheck = Compile(DeleteUsersBody);
const readDeleteUser = queryReader(DeleteUserQuery);
const deactivateUsersCheck = Compile(DeactivateUsersBody);
const reactivateUsersCheck = Compile(ReactivateUsersBody);
const deactivateUserCheck = Compile(DeactivateUserBody);
const reactivateUserCheck = Compile(ReactivateUserBody);
const restoreUsersCheck = Compile(RestoreUsersBody);

/** `POST /users/delete`. Without `user` the delete is soft. */
export function decodeDeleteUsers(body: unknown, task: string): DeleteCommand {
  const { user_ids, user = 'soft', if_rev, by_sync, ...options } = checked(deleteUsersCheck, cleaned(deleteUsersCheck, body));
  checkNamedUsers(options);
  if (user === 'hard') checkHardOptions(options);
  return { kind: 'delete', ...conditional(user_ids, if_rev), mode: user, options, task, ...bySync(by_sync) };
}

/** A published client leaves `conversations` out: then no user is deleted, and the task says why. */
function checkHardOptions({ messages, conversations = 'hard' }: DeleteOptions): void {
  const problems: FieldError[] = [];
  for (const [path, mode] of Object.entries({ messages, conversations })) {
    if (mode !== 'hard') problems.push({ path, message: 'must be "hard" when user is "hard"' });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
}

/** `DELETE /users/{id}`, v1 only: all options are in the query. `hard_delete` is the one switch for the user, messages and conversations. */
export function decodeDeleteUser(id: string, query: QueryFields): DeleteCommand {
  const { hard_delete: isHard = false, ...options } = readDeleteUser(query);
  const command = { kind: 'delete', ids: [pathId(id)] } as const;
  return isHard ? { ...command, mode: 'hard', options: { ...options, ...HARD_OPTIONS } } : { ...command, mode: 'soft', options };
}

export function decodeDeactivateUsers(body: unknown, task: string): DeactivateCommand {
  const { user_ids, if_rev, by_sync, ...options } = checked(deactivateUsersCheck, cleaned(deactivateUsersCheck, body));
  checkNamedUsers(options);
  return { kind: 'deactivate', ...conditional(user_ids, if_rev), options, task, ...bySync(by_sync) };
}

export function decodeDeactivateUser(id: string, body: unknown): DeactivateCommand {
  const options = checked(deactivateUserCheck, cleaned(deactivateUserCheck, body));
  checkNamedUsers(options);
  return { kind: 'deactivate', ids: [pathId(id)], options };
}

export function decodeReactivateUsers(body: unknown, task: string): ReactivateCommand {
  const { user_ids, if_rev, ...options } = checked(reactivateUsersCheck, cleaned(reactivateUsersCheck, body));
  checkNamedUsers(options);
  return { kind: 'reactivate', ...conditional(user_ids, if_rev), options, task };
}

export function decodeReactivateUser(id: string, body: unknown): ReactivateCommand {
  const { name, ...options } = checked(reactivateUserCheck, cleaned(reactivateUserCheck, body));
  checkNamedUsers(options);
  const tooBig = name === undefined ? undefined : dataProblem({ name, custom: {} }, 'server');
  if (tooBig !== undefined) throw fieldErrors('input', [{ path: 'name', message: tooBig }]);
  return { kind: 'reactivate', ids: [pathId(id)], options, ...(name === undefined ? undefined : { name }) };
}

export function decodeRestoreUsers(body: unknown): RestoreCommand {
  const { user_ids } = checked(restoreUsersCheck, cleaned(restoreUsersCheck, body));
  return { kind: 'restore', ids: userIds(user_ids) };
}

function bySync(sent: boolean | undefined): { readonly bySync?: true } {
  return sent === true ? { bySync: true } : {};
}

function cleaned(check: { Clean(value: unknown): unknown }, body: unknown): unknown {
  const { if_rev, ...fields } = presentFields(bodyObject(body));
  return check.Clean(if_rev === undefined || isEmptyList(if_rev) ? fields : { ...fields, if_rev });
}

/** The ids, each of them once. */
function userIds(ids: readonly string[]): string[] {
  const problems: FieldError[] = [];
  for (const [index, id] of ids.entries()) {
    const problem = userIdProblem(id);
    if (problem !== undefined) problems.push({ path: itemPath('user_ids', index), message: problem });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  return [...new Set(ids)];
}

/** The users and the revisions that they must have. */
function conditional(user_ids: readonly string[], if_rev: unknown) {
  const ids = userIds(user_ids);
  const problems: FieldError[] = [];
  const condition = readIfRev(if_rev, new Set(ids), problems);
  if (problems.length > 0) throw fieldErrors('input', problems);
  return { ids, ...condition };
}

/** Checks that users named in options have valid ids. They need not exist, since rosterd only carries them for other services. */
function checkNamedUsers(options: DeleteOptions & DeactivateOptions): void {
  for (const path of ['created_by_id', 'new_channel_owner_id', 'new_call_owner_id'] as const) {
    const id = options[path];
    const problem = id === undefined ? undefined : userIdProblem(id);
    if (problem !== undefined) throw fieldErrors('input', [{ path, message: problem }]);
  }
}
