/** Reads requests about roles, and renders roles. The same in both dialects. Pure; throws RosterError `input`. */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import type { AppSettings } from '../app/settings.ts';
import { fieldErrors } from '../base/errors.ts';
import { isForbiddenName } from '../base/ids.ts';
import { LIMITS } from '../base/limits.ts';
import { pageLimit, QueryFlag, QueryLimit, QueryText, queryReader } from '../base/query-string.ts';
import { bodyObject, checked, compareTexts, type Dialect, pageOf, presentFields, type QueryFields } from '../base/reading.ts';
import { MicrosField } from '../base/schemas.ts';
import { type Rendered, timeOf } from '../users/render.ts';
import { BUILT_IN_ROLES } from '../users/user.ts';
import { isGranted, PERMISSIONS } from './permissions.ts';

/** A role that was created; the built-in ones are in user.ts. Its id is its name. */
export const Role = Type.Object({ name: Type.String(), created_at: MicrosField, updated_at: MicrosField });

export type Role = Static<typeof Role>;

export interface RoleCommand {
  readonly kind: 'role-create' | 'role-delete';
  readonly name: string;
}

export const CreateRoleBody = Type.Object({ name: Type.String() });
const createRoleCheck = Compile(CreateRoleBody);

/** Roles of users, and roles for channels, which only the service that owns channels uses. */
const RoleType = Type.Union([Type.Literal('user'), Type.Literal('channel')]);

export const SearchRolesQuery = Type.Object({
  query: QueryText,
  limit: QueryLimit,
  name_gt: QueryText,
  role_type: Type.Optional(RoleType),
  include_global_roles: QueryFlag,
});
const readSearchRoles = queryReader(SearchRolesQuery);

const ROLE_NAME = new RegExp(`^[\\w-]{1,${LIMITS.customRoleChars}}$`);

/** `POST /roles`. */
export function decodeRoleCreate(body: unknown): RoleCommand {
  const { name } = checked(createRoleCheck, presentFields(bodyObject(body)));
  if (!ROLE_NAME.test(name) || isForbiddenName(name)) {
    const message = `must be 1 to ${LIMITS.customRoleChars} letters a-z, A-Z, digits, _ and -, and no reserved name`;
    throw fieldErrors('input', [{ path: 'name', message }]);
  }
  return { kind: 'role-create', name };
}

/** `DELETE /roles/{name}`. */
export function decodeRoleDelete(name: string): RoleCommand {
  return { kind: 'role-delete', name };
}

export interface RoleSearch {
  readonly limit: number;
  /** Part of the name, in any case. */
  readonly text?: string | undefined;
  readonly nameGt?: string | undefined;
  readonly type?: Static<typeof RoleType> | undefined;
  /** Whether the search includes `global_admin` and `global_moderator`. */
  readonly isGlobalToo: boolean;
}

/** `GET /roles/search`. */
export function decodeRoleSearch(query: QueryFields): RoleSearch {
  const { query: text, name_gt: nameGt, role_type: type, include_global_roles: isGlobalToo = false, ...page } = readSearchRoles(query);
  return { limit: pageLimit(page), text, nameGt, type, isGlobalToo };
}

/** A role in a list. */
export interface ListedRole extends Role {
  readonly isCustom: boolean;
}

/** Every role by name: the built-in ones, with creation time 0, and those that were created. */
export function allRoles(created: Iterable<Role>): readonly ListedRole[] {
  const builtIn = [...BUILT_IN_ROLES].map((name) => ({ name, created_at: 0, updated_at: 0, isCustom: false }));
  const custom = [...created].map((role) => ({ ...role, isCustom: true }));
  return [...builtIn, ...custom].sort(byName);
}

/** A created role may be of either type, so a search finds it under both. */
export function searchRoles(roles: readonly ListedRole[], { limit, text, nameGt, type, isGlobalToo }: RoleSearch): readonly ListedRole[] {
  const part = text?.toLowerCase();
  const isWanted = ({ name, isCustom }: ListedRole): boolean => {
    if (nameGt !== undefined && name <= nameGt) return false;
    if (part !== undefined && !name.toLowerCase().includes(part)) return false;
    if (isCustom) return true;
    if (type !== undefined && type !== (name.startsWith('channel_') ? 'channel' : 'user')) return false;
    return isGlobalToo || !name.startsWith('global_');
  };
  return pageOf(roles, byName, isWanted, limit);
}

function byName(a: ListedRole, b: ListedRole): number {
  return compareTexts(a.name, b.name);
}

/** The only scope, for every role that has any grants in it. */
const APP_SCOPE = '.app';

/** v1 clients read `scoped`, v2 clients `scopes`: v1 answers have both. */
export function renderRole({ name, created_at, updated_at, isCustom }: ListedRole, app: AppSettings, dialect: Dialect): Rendered {
  const time = timeOf(dialect);
  const scopes = [...PERMISSIONS.keys()].some((id) => isGranted(app, name, id)) ? [APP_SCOPE] : [];
  return {
    name,
    custom: isCustom,
    scopes,
    ...(dialect === 'v1' ? { scoped: scopes } : undefined),
    created_at: time(created_at),
    updated_at: time(updated_at),
  };
}
