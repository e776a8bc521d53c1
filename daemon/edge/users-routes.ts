/** Endpoints that write and find users: upsert, partial update, query. */
import type { Change, Outcome } from '../../protocol/command.ts';
import type { Dialect } from '../../protocol/decode-user.ts';
import { RosterError } from '../../protocol/errors.ts';
import { parseQuery } from '../../protocol/query-spec.ts';
import { renderV1, renderV2Full } from '../../protocol/render.ts';
import { bodyObject, decodePatches, decodeUpsert } from '../../protocol/requests.ts';
import type { StoredUser } from '../../protocol/user.ts';
import type { Backend, Visibility } from './backend.ts';
import { type Answer, actorOf, type Call, type Endpoint, inBothDialects, laneOf } from './endpoint.ts';
import { parseJson } from './http-body.ts';

export const USERS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/users', (path, dialect) => ({
    operation: 'UpdateUsers',
    method: 'POST',
    path,
    access: 'user',
    handle: async ({ backend, caller, body, isMinimal }) => {
      const command = decodeUpsert(dialect, await body(), actorOf(caller));
      const outcome = await backend.submit(command, laneOf(caller, command.users.length));
      const isCreated = outcome.users.some(({ change }) => change === 'created');
      return { ...changedUsers(backend, outcome, dialect, isMinimal), status: isCreated ? 201 : 200 };
    },
  })),
  ...inBothDialects('/users', (path, dialect) => ({
    operation: 'UpdateUsersPartial',
    method: 'PATCH',
    path,
    access: 'user',
    handle: async ({ backend, caller, body, isMinimal }) => {
      const command = decodePatches(await body(), actorOf(caller));
      return changedUsers(backend, await backend.submit(command, laneOf(caller, command.patches.length)), dialect, isMinimal);
    },
  })),
  ...inBothDialects('/users', (path, dialect) => ({
    operation: 'QueryUsers',
    method: 'GET',
    path,
    access: 'user',
    handle: async (call) => {
      const { backend, caller, query, watchers } = call;
      const visibility = visibilityOf(call);
      const spec = parseQuery(query.payload ? bodyObject(parseJson(query.payload, 'payload')) : {});
      const users = await backend.query(spec, visibility);
      if (spec.presence && query.connection_id) {
        watchers.watch(
          query.connection_id,
          caller,
          users.map(({ id }) => id),
        );
      }
      return { body: { users: users.map((user) => renderUser(backend, user, dialect)) } };
    },
  })),
];

export function renderUser(backend: Backend, user: StoredUser, dialect: Dialect): Record<string, unknown> {
  const aside = { online: backend.online(user.id) };
  return dialect === 'v1' ? renderV1(user, aside) : renderV2Full(user, aside);
}

/** The users by id as they are now, and beside them which of them changed: `rosterd sync` counts by it. */
function changedUsers(backend: Backend, outcome: Outcome, dialect: Dialect, isMinimal: boolean): Answer {
  const users: Record<string, unknown> = {};
  const ids: Record<Change, string[]> = { created: [], updated: [], unchanged: [] };
  for (const { user, change } of outcome.users) {
    if (!isMinimal) users[user.id] = renderUser(backend, user, dialect);
    ids[change].push(user.id);
  }
  const membership = dialect === 'v2' ? { membership_deletion_task_id: '' } : undefined;
  return { body: { users, ...ids, ...membership }, seq: outcome.seq };
}

/** A client sees the users of its own teams; one without teams sees everyone. It must exist itself. */
function visibilityOf({ backend, caller }: Call): Visibility {
  switch (caller.kind) {
    case 'server':
      return {};
    case 'anonymous':
      throw new RosterError('not_allowed', 'an anonymous user cannot search for users');
    case 'user': {
      const user = backend.directory.user(caller.id);
      if (user === undefined) throw new RosterError('not_found', `the user ${caller.id} does not exist`);
      return user.teams.length === 0 ? {} : { teams: user.teams };
    }
  }
}
