/** Endpoints about roles. The app settings hold the grants of each role. */
import Type, { type TSchema } from 'typebox';
import {
  allRoles,
  CreateRoleBody,
  decodeRoleCreate,
  decodeRoleDelete,
  decodeRoleSearch,
  type ListedRole,
  renderRole,
  SearchRolesQuery,
  searchRoles,
} from '../../../protocol/access/roles.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { Nothing, timeIn } from '../../../protocol/users/answers.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import { lost } from '../http/outcome.ts';

export const ROLES_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/roles', (dialect) => ({
    operation: 'ListRoles',
    method: 'GET',
    access: 'server',
    summary: 'Every role, built-in and custom, by name',
    answer: Type.Object({ roles: Type.Array(roleIn(dialect)) }),
    handle: (call) => rolesAnswer(call, allRoles(call.backend.directory.docs.all('role')), dialect),
  })),
  ...inBothDialects('/roles', (dialect) => ({
    operation: 'CreateRole',
    method: 'POST',
    access: 'server',
    summary: 'Creates a role',
    body: CreateRoleBody,
    answer: Type.Object({ role: roleIn(dialect) }),
    handle: async ({ backend, submit, body }) => {
      const outcome = await submit(decodeRoleCreate(await body()), 'live');
      const [created] = outcome.docs ?? [];
      if (created?.kind !== 'role' || created.doc === null) throw lost(outcome, 'no role came of it');
      return {
        status: 201,
        body: { role: renderRole({ ...created.doc, isCustom: true }, backend.directory.app, dialect) },
        seq: outcome.seq,
      };
    },
  })),
  ...inBothDialects('/roles/search', (dialect) => ({
    operation: 'SearchRoles',
    method: 'GET',
    access: 'server',
    summary: 'Roles whose name contains a text, by name',
    query: SearchRolesQuery,
    answer: Type.Object({ roles: Type.Array(roleIn(dialect)) }),
    handle: (call) => {
      const search = decodeRoleSearch(call.query);
      return rolesAnswer(call, searchRoles(allRoles(call.backend.directory.docs.all('role')), search), dialect);
    },
  })),
  ...inBothDialects('/roles/:name', () => ({
    operation: 'DeleteRole',
    method: 'DELETE',
    access: 'server',
    summary: 'Deletes a custom role that no user has and that has no grants',
    answer: Nothing,
    handle: async ({ submit, params }) => {
      const { seq } = await submit(decodeRoleDelete(params.name ?? ''), 'live');
      return { body: {}, seq };
    },
  })),
];

function rolesAnswer({ backend }: Call, roles: readonly ListedRole[], dialect: Dialect): EndpointAnswer {
  return { body: { roles: roles.map((role) => renderRole(role, backend.directory.app, dialect)) } };
}

function roleIn(dialect: Dialect): TSchema {
  const scopes = Type.Array(Type.String());
  return Type.Object(
    {
      name: Type.String(),
      custom: Type.Boolean(),
      scopes,
      ...(dialect === 'v1' ? { scoped: scopes } : undefined),
      created_at: timeIn(dialect),
      updated_at: timeIn(dialect),
    },
    { title: `Role_${dialect}` },
  );
}
