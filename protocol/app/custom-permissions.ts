/**
 * Permissions that the application makes beside the built-in ones. rosterd keeps them for the services that own what they are about, and
 * checks none of them itself. Pure; the readers throw RosterError `input`.
 */
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { isForbiddenName } from '../base/ids.ts';
import { type JsonObject, utf8Bytes } from '../base/json.ts';
import { LIMITS } from '../base/limits.ts';
import { bodyObject, checked, isEmptyList, jsonProblem, presentFields } from '../base/reading.ts';
import { AnyObject } from '../base/schemas.ts';

/** The form of a permission's id. Grants may name ids that rosterd does not know. */
export const PERMISSION_ID = /^[A-Za-z0-9][\w-]{0,127}$/;

const Text = Type.String({ maxLength: LIMITS.permissionTextChars });

/** Part of the durable format. */
export const CustomPermission = Type.Object({
  id: Type.String(),
  name: Text,
  description: Text,
  action: Text,
  level: Text,
  owner: Type.Boolean(),
  same_team: Type.Boolean(),
  tags: Type.Array(Text, { maxItems: LIMITS.permissionTags }),
  condition: Type.Optional(AnyObject),
});
export type CustomPermission = Static<typeof CustomPermission>;

/** An update replaces the whole permission. */
export interface PermissionWriteCommand {
  readonly kind: 'permission';
  readonly act: 'create' | 'update';
  readonly permission: CustomPermission;
}

export interface PermissionDeleteCommand {
  readonly kind: 'permission';
  readonly act: 'delete';
  readonly id: string;
}

const { name, action, description, level, owner, same_team, tags, condition } = CustomPermission.properties;

/** Fields that the server sets, and all that are unknown, are ignored. */
export const UpdatePermissionBody = Type.Object({
  id: Type.Optional(Type.String()),
  name: Type.Optional(name),
  action,
  description: Type.Optional(description),
  level: Type.Optional(level),
  owner: Type.Optional(owner),
  same_team: Type.Optional(same_team),
  tags: Type.Optional(tags),
  condition: Type.Optional(condition),
});
export const CreatePermissionBody = Type.Object({ ...UpdatePermissionBody.properties, id: Type.String() });

const createCheck = Compile(CreatePermissionBody);
const updateCheck = Compile(UpdatePermissionBody);

/** `POST /permissions`. */
export function decodePermissionCreate(body: unknown): PermissionWriteCommand {
  const sent = checked(createCheck, sentFields(body));
  return { kind: 'permission', act: 'create', permission: permissionOf(sent.id, sent) };
}

/** `PUT /permissions/{id}`: replaces the permission. */
export function decodePermissionUpdate(id: string, body: unknown): PermissionWriteCommand {
  const sent = checked(updateCheck, sentFields(body));
  if (sent.id !== undefined && sent.id !== id) throw fieldErrors('input', [{ path: 'id', message: `must be "${id}", as in the path` }]);
  return { kind: 'permission', act: 'update', permission: permissionOf(id, sent) };
}

/** Go writes empty texts and null for absent values, PHP `[]` for an empty map. */
function sentFields(body: unknown): JsonObject {
  const fields = presentFields(bodyObject(body));
  if (isEmptyList(fields.condition)) delete fields.condition;
  return fields;
}

function permissionOf(id: string, sent: Static<typeof UpdatePermissionBody>): CustomPermission {
  const problems: FieldError[] = [];
  if (!PERMISSION_ID.test(id) || isForbiddenName(id)) {
    problems.push({
      path: 'id',
      message: 'must be 1 to 128 letters a-z, A-Z, digits, _ and -, begin with a letter or digit, and be no reserved name',
    });
  }
  const { condition = {} } = sent;
  const wrong = jsonProblem(condition, 1);
  if (wrong !== undefined) problems.push({ path: `condition${wrong.path}`, message: wrong.message });
  else if (utf8Bytes(JSON.stringify(condition)) > LIMITS.permissionConditionBytes) {
    problems.push({ path: 'condition', message: `must not be larger than ${LIMITS.permissionConditionBytes} bytes` });
  }
  if (problems.length > 0) throw fieldErrors('input', problems);
  const { action, description = '', level = 'app', owner = false, same_team = false, tags = [], name = id } = sent;
  const permission = { id, name, description, action, level, owner, same_team, tags };
  return Object.keys(condition).length === 0 ? permission : { ...permission, condition };
}
