/** The endpoint that finds users. */

import Type from 'typebox';
import { RosterError } from '../../../protocol/base/errors.ts';
import { queryReader } from '../../../protocol/base/query-string.ts';
import { bodyObject } from '../../../protocol/base/reading.ts';
import { fullUserIn } from '../../../protocol/users/answers.ts';
import { parseQuery, QueryPayload, refuseHiddenFields } from '../../../protocol/users/finding/query.ts';
import { notAllowed, unknownUser } from '../../core/problems.ts';
import { type Visibility, visibilityFor } from '../../core/users/query.ts';
import type { Asking } from '../http/acting.ts';
import { parseJson } from '../http/body.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { areSmall, renderedUsers } from './changed-users.ts';

const UsersQuery = Type.Object({ payload: Type.Optional(QueryPayload), connection_id: Type.Optional(Type.String()) });
const readUsersQuery = queryReader(UsersQuery);

export const QUERY_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/users', (dialect) => ({
    operation: 'QueryUsers',
    method: 'GET',
    access: 'user',
    summary: 'Finds users',
    query: UsersQuery,
    answer: Type.Object({ users: Type.Array(fullUserIn(dialect)) }),
    handle: async (call) => {
      const { backend, caller, stranger, query, live, rateLimits, isGone } = call;
      const visibility = visibilityOf(call);
      const { connection_id: connection } = readUsersQuery(query);
      const spec = parseQuery(query.payload ? bodyObject(parseJson(query.payload, 'payload'), 'payload') : {});
      if (caller.kind !== 'server') refuseHiddenFields(spec);
      const users = await backend.query(spec, visibility, rateLimits.budgetOf(caller, stranger), isGone);
      if (spec.presence && connection !== undefined) {
        await live.watch(
          connection,
          caller,
          users.map(({ id }) => id),
        );
      }
      return { body: { users: await renderedUsers(call, users, dialect) }, isSmall: areSmall(users) };
    },
  })),
];

/** The users that the caller can find, whatever it asks for. A server finds everyone; a client must exist and be granted to search. */
export function visibilityOf({ backend, caller }: Asking): Visibility {
  switch (caller.kind) {
    case 'server':
      return {};
    case 'anonymous':
      throw new RosterError('not_allowed', 'an anonymous user cannot search for users');
    case 'user': {
      const { app } = backend.directory;
      const user = backend.directory.user(caller.id);
      if (user === undefined) throw unknownUser(caller.id);
      const found = visibilityFor(app, user);
      if (found === 'nowhere') throw new RosterError('not_allowed', notAllowed(user.id, user.role, 'SearchUser'));
      return found;
    }
  }
}
