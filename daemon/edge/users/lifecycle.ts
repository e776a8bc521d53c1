/**
 * Endpoints that delete, restore, deactivate and reactivate users. For one user, the answer is the user. For many, it is a task, which is
 * finished by the time its status can be requested.
 */

import { randomBytes } from 'node:crypto';
import Type, { type TSchema } from 'typebox';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { Nothing, TaskStartedAnswer, userIn } from '../../../protocol/users/answers.ts';
import { withHeaders } from '../../../protocol/users/conditions.ts';
import {
  type DeactivateCommand,
  DeactivateUserBody,
  DeactivateUsersBody,
  type DeleteCommand,
  DeleteUserQuery,
  DeleteUsersBody,
  decodeDeactivateUser,
  decodeDeactivateUsers,
  decodeDeleteUser,
  decodeDeleteUsers,
  decodeReactivateUser,
  decodeReactivateUsers,
  decodeRestoreUsers,
  type ReactivateCommand,
  ReactivateUserBody,
  ReactivateUsersBody,
  RestoreUsersBody,
} from '../../../protocol/users/lifecycle.ts';
import { renderUserIn } from '../../../protocol/users/render.ts';
import { asideOf } from '../http/acting.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import { onlyUser, tagOf } from '../http/outcome.ts';

export const LIFECYCLE_ROUTES: readonly Endpoint[] = [
  {
    operation: 'DeleteUser',
    method: 'DELETE',
    path: '/users/:id',
    dialect: 'v1',
    access: 'server',
    summary: 'Deletes one user, at once',
    query: DeleteUserQuery,
    answer: Type.Object({ user: userIn('v1') }),
    isConditional: 'user',
    handle: (call) => forOne(call, decodeDeleteUser(call.id, call.query), 'v1'),
  },
  ...inBothDialects('/users/:id/deactivate', (dialect) => ({
    operation: 'DeactivateUser',
    method: 'POST',
    access: 'server',
    summary: 'Deactivates one user: its data stays, its connections end',
    body: DeactivateUserBody,
    answer: Type.Object({ user: userIn(dialect) }),
    isConditional: 'user',
    handle: async (call) => forOne(call, decodeDeactivateUser(call.id, await call.body()), dialect),
  })),
  ...inBothDialects('/users/:id/reactivate', (dialect) => ({
    operation: 'ReactivateUser',
    method: 'POST',
    access: 'server',
    summary: 'Reactivates one user',
    body: ReactivateUserBody,
    answer: Type.Object({ user: userIn(dialect) }),
    isConditional: 'user',
    handle: async (call) => forOne(call, decodeReactivateUser(call.id, await call.body()), dialect),
  })),
  ...forMany('/users/delete', 'DeleteUsers', 'Deletes up to 100 users as a task', DeleteUsersBody, deleteUsers),
  ...forMany('/users/deactivate', 'DeactivateUsers', 'Deactivates up to 100 users as a task', DeactivateUsersBody, decodeDeactivateUsers),
  ...forMany('/users/reactivate', 'ReactivateUsers', 'Reactivates up to 100 users as a task', ReactivateUsersBody, decodeReactivateUsers),
  ...inBothDialects('/users/restore', () => ({
    operation: 'RestoreUsers',
    method: 'POST',
    access: 'server',
    summary: 'Restores up to 100 soft-deleted users, all of them or none',
    body: RestoreUsersBody,
    answer: Nothing,
    handle: async ({ submit, body }) => {
      const { seq } = await submit(decodeRestoreUsers(await body()), 'bulk');
      return { body: {}, seq };
    },
  })),
];

/** Bytes of randomness in the id that becomes the owner of channels. */
const OWNER_BYTES = 16;

/** Channels of deleted users get a new owner: the named user, else an unused id, made for this delete. */
function deleteUsers(body: unknown, task: string): DeleteCommand {
  const command = decodeDeleteUsers(body, task);
  const owner = command.options.new_channel_owner_id ?? `delete-user-${randomBytes(OWNER_BYTES).toString('hex')}`;
  return { ...command, options: { ...command.options, new_channel_owner_id: owner } };
}

async function forOne(
  call: Call,
  decoded: DeleteCommand | DeactivateCommand | ReactivateCommand,
  dialect: Dialect,
): Promise<EndpointAnswer> {
  const command = withHeaders(decoded, decoded.ids, call.conditions);
  const outcome = await call.submit(command, 'live');
  const user = onlyUser(outcome);
  const aside = asideOf(call, user.id);
  // A deleted user is never shown as online, even while its sockets are still closing.
  const shown = { ...aside, online: user.deleted_at === undefined && aside.online };
  return { body: { user: renderUserIn(dialect, user, shown) }, seq: outcome.seq, headers: tagOf(outcome) };
}

function forMany(
  path: string,
  operation: string,
  summary: string,
  schema: TSchema,
  decode: (body: unknown, task: string) => DeleteCommand | DeactivateCommand | ReactivateCommand,
): readonly Endpoint[] {
  return inBothDialects(path, () => ({
    operation,
    method: 'POST',
    access: 'server',
    summary,
    body: schema,
    answer: TaskStartedAnswer,
    isConditional: 'user',
    handle: async ({ submit, body, conditions, newId }) => {
      const sent = await body();
      const task = newId();
      const decoded = decode(sent, task);
      const { seq } = await submit(withHeaders(decoded, decoded.ids, conditions), 'bulk');
      return { status: 201, body: { task_id: task }, seq };
    },
  }));
}
