/**
 * Endpoints that delete, deactivate and reactivate users. One user: the answer
 * is the user. Many: the answer is a task, which is finished by the time it can be asked for.
 */
import { randomUUID } from 'node:crypto';
import type { Command } from '../../protocol/command.ts';
import type { Dialect } from '../../protocol/decode-user.ts';
import { RosterError } from '../../protocol/errors.ts';
import {
  decodeDeactivateUser,
  decodeDeactivateUsers,
  decodeDeleteUser,
  decodeDeleteUsers,
  decodeReactivateUser,
  decodeReactivateUsers,
} from '../../protocol/lifecycle-requests.ts';
import { renderV1, renderV2 } from '../../protocol/render.ts';
import { type Answer, type Call, type Endpoint, inBothDialects } from './endpoint.ts';

export const LIFECYCLE_ROUTES: readonly Endpoint[] = [
  {
    operation: 'DeleteUser',
    method: 'DELETE',
    path: '/users/:id',
    access: 'server',
    handle: (call) => forOne(call, decodeDeleteUser(call.id, call.query), 'v1'),
  },
  ...inBothDialects('/users/:id/deactivate', (path, dialect) => ({
    operation: 'DeactivateUser',
    method: 'POST',
    path,
    access: 'server',
    handle: async (call) => forOne(call, decodeDeactivateUser(call.id, await call.body()), dialect),
  })),
  ...inBothDialects('/users/:id/reactivate', (path, dialect) => ({
    operation: 'ReactivateUser',
    method: 'POST',
    path,
    access: 'server',
    handle: async (call) => forOne(call, decodeReactivateUser(call.id, await call.body()), dialect),
  })),
  ...forMany('/users/delete', 'DeleteUsers', decodeDeleteUsers),
  ...forMany('/users/deactivate', 'DeactivateUsers', decodeDeactivateUsers),
  ...forMany('/users/reactivate', 'ReactivateUsers', decodeReactivateUsers),
];

async function forOne({ backend }: Call, command: Command, dialect: Dialect): Promise<Answer> {
  const { users, seq } = await backend.submit(command, 'live');
  const user = users[0]?.user;
  if (user === undefined) throw new RosterError('internal', 'the command named no user');
  // After a delete nobody is online any more, whatever sockets are still being closed.
  const aside = { online: user.deleted_at === undefined && backend.online(user.id) };
  return { body: { user: dialect === 'v1' ? renderV1(user, aside) : renderV2(user, aside) }, seq };
}

function forMany(path: string, operation: string, decode: (body: unknown, task: string) => Command): readonly Endpoint[] {
  return inBothDialects(path, (dialectPath) => ({
    operation,
    method: 'POST',
    path: dialectPath,
    access: 'server',
    handle: async ({ backend, body }) => {
      const task = randomUUID();
      const { seq } = await backend.submit(decode(await body(), task), 'bulk');
      return { status: 201, body: { task_id: task }, seq };
    },
  }));
}
