/** Endpoints about permissions: the built-in ones, and those that the application makes, which only v1 clients write. */
import Type, { type TSchema } from 'typebox';
import { PERMISSIONS } from '../../../protocol/access/permissions.ts';
import {
  CreatePermissionBody,
  CustomPermission,
  decodePermissionCreate,
  decodePermissionUpdate,
  type PermissionWriteCommand,
  UpdatePermissionBody,
} from '../../../protocol/app/custom-permissions.ts';
import type { AppSettings } from '../../../protocol/app/settings.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { compareTexts } from '../../../protocol/base/reading.ts';
import { Nothing } from '../../../protocol/users/answers.ts';
import type { Rendered } from '../../../protocol/users/render.ts';
import { type Call, type Endpoint, type EndpointAnswer, inBothDialects } from '../http/endpoint.ts';
import { lost } from '../http/outcome.ts';

const PermissionShown: TSchema = Type.Object(
  { ...CustomPermission.properties, custom: Type.Boolean(), owner_resource: Type.String() },
  { title: 'Permission' },
);
const Answer = Type.Object({ permission: PermissionShown });

export const PERMISSIONS_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/permissions', () => ({
    operation: 'ListPermissions',
    method: 'GET',
    access: 'server',
    summary: 'Every permission, built-in and custom, by id',
    answer: Type.Object({ permissions: Type.Array(PermissionShown) }),
    handle: ({ backend }) => ({ body: { permissions: [...permissionsOf(backend.directory.app).values()] } }),
  })),
  ...inBothDialects('/permissions/:id', () => ({
    operation: 'GetPermission',
    method: 'GET',
    access: 'server',
    summary: 'One permission',
    answer: Answer,
    handle: ({ backend, id }) => {
      const permission = permissionsOf(backend.directory.app).get(id);
      if (permission === undefined) throw new RosterError('not_found', `the permission ${clip(id)} does not exist`);
      return { body: { permission } };
    },
  })),
  ...inBothDialects({ v1: '/permissions' }, () => ({
    operation: 'CreatePermission',
    method: 'POST',
    access: 'server',
    summary: 'Creates a permission, for the service that owns what it is about',
    body: CreatePermissionBody,
    answer: Answer,
    handle: async (call) => ({ status: 201, ...(await written(call, decodePermissionCreate(await call.body()))) }),
  })),
  ...inBothDialects({ v1: '/permissions/:id' }, () => ({
    operation: 'UpdatePermission',
    method: 'PUT',
    access: 'server',
    summary: 'Replaces a custom permission',
    body: UpdatePermissionBody,
    answer: Answer,
    handle: async (call) => await written(call, decodePermissionUpdate(call.id, await call.body())),
  })),
  ...inBothDialects({ v1: '/permissions/:id' }, () => ({
    operation: 'DeletePermission',
    method: 'DELETE',
    access: 'server',
    summary: 'Deletes a custom permission; grants may still name it',
    answer: Nothing,
    handle: async ({ submit, id }) => {
      const { seq } = await submit({ kind: 'permission', act: 'delete', id }, 'live');
      return { body: {}, seq };
    },
  })),
];

async function written({ submit, backend }: Call, command: PermissionWriteCommand): Promise<Pick<EndpointAnswer, 'body' | 'seq'>> {
  const outcome = await submit(command, 'live');
  const permission = permissionsOf(backend.directory.app).get(command.permission.id);
  if (permission === undefined) throw lost(outcome, 'there is no such permission');
  return { body: { permission }, seq: outcome.seq };
}

/** All permissions by id, as they are shown. */
function permissionsOf({ permissions = [] }: AppSettings): ReadonlyMap<string, Rendered> {
  const builtIn = [...PERMISSIONS.values()].map((permission) => ({
    ...permission,
    same_team: false,
    custom: false,
    owner_resource: '',
    tags: [],
  }));
  const custom = permissions.map((permission) => ({ ...permission, custom: true, owner_resource: '' }));
  const all = [...builtIn, ...custom].sort((a, b) => compareTexts(a.id, b.id));
  return new Map(all.map((permission) => [permission.id, permission]));
}
