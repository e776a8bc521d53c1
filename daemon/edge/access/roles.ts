/** Endpoints about roles and permissions. Permissions are fixed; the app settings hold the grants of each role. */
import Type, { type TSchema } from 'typebox';
import { PERMISSIONS } from '../../../protocol/access/permissions.ts';
import {
  allRoles,
  CreateRoleBody,
  decodeRoleCreate,
  decodeRoleDelete,
  decodeRoleSearch,
  type ListedRole,
  renderPermission,
  renderRole,
  SearchRolesQuery,
  searchRoles,
} from '../../../protocol/access/roles.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/explain.ts';
import type { Dialect } from '../../../protocol/base/reading.ts';
import { Nothing, timeIn } from '../../../protocol/users/answers.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import { lost } from '../http/outcome.ts';

const PERMISSION: TSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    description: Type.String(),
    action: Type.String(),
    level: Type.String(),
    owner: Type.Boolean(),
    same_team: Type.Boolean(),
    custom: Type.Boolean(),
    tags: Type.Array(Type.String()),
    owner_resource: Type.String(),
  },
  { title: 'Permission' },
);

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
  ...inBothDialects('/permissions', () => ({
    operation: 'ListPermissions',
    method: 'GET',
    access: 'server',
    summary: 'Every permission',
    answer: Type.Object({ permissions: Type.Array(PERMISSION) }),
    handle: () => ({ body: { permissions: [...PERMISSIONS.values()].map(renderPermission) } }),
  })),
  ...inBothDialects('/permissions/:id', () => ({
    operation: 'GetPermission',
    method: 'GET',
    access: 'server',
    summary: 'One permission',
    answer: Type.Object({ permission: PERMISSION }),
    handle: ({ id }) => {
      const permission = PERMISSIONS.get(id);
      if (permission === undefined) throw new RosterError('not_found', `the permission ${clip(id)} does not exist`);
      return { body: { permission: renderPermission(permission) } };
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
