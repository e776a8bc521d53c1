/**
 * Reads `PATCH /app`. The settings that rosterd uses become a command; it checks
 * the type of the others and keeps them to repeat them, because clients send the
 * whole application back and read it again. Pure; throws RosterError `input`.
 *
 * null leaves a setting unchanged, except that a null stamp of revocation clears it. An empty text leaves `name`, `organization`
 * and settings with a fixed set of values unchanged, and clears any other; so do an empty list and an empty object.
 */
import { Compile } from 'typebox/compile';
import { type FieldError, fieldErrors } from '../base/errors.ts';
import { clip, fieldPath, itemPath, typeName } from '../base/field-path.ts';
import { isForbiddenName } from '../base/ids.ts';
import { type Json, type JsonObject, utf8Bytes } from '../base/json.ts';
import { bodyObject, checked, type Dialect, isEmptyList, isJsonObject, jsonProblem, presentFields } from '../base/reading.ts';
import { parseTime } from '../base/time.ts';
import { PERMISSION_ID } from './custom-permissions.ts';
import type { HookInput, SettingsCommand } from './settings.ts';
import { type HookBody, IGNORED, NamedSettings, OBJECTS, SettingsBody } from './settings-body.ts';
import { UPLOAD_CONFIG } from './settings-view.ts';

/** All hooks of the application as JSON. */
const HOOKS_BYTES_MAX = 64 * 1024;

const bodyCheck = Compile(SettingsBody);
const namedCheck = Compile(NamedSettings);

export interface SettingsRequest {
  /** The dialect of the request, and of the body of hooks that do not name one. */
  readonly dialect: Dialect;
  /** Makes the id of a hook that is sent without one. */
  readonly newId: () => string;
}

export function decodeSettings(body: unknown, { dialect, newId }: SettingsRequest): SettingsCommand {
  const sent = bodyObject(body);
  const present = mended(sent);
  checked(bodyCheck, present);
  const {
    migrate_permissions_to_v2: isMigrated,
    event_hooks: hookBodies,
    revoke_tokens_issued_before: _,
    grants,
    enforce_unique_username: singular,
    enforce_unique_usernames: plural = singular,
    ...named
  } = checked(namedCheck, Object.fromEntries(Object.entries(present).filter(([name]) => isNamed(name))));
  const problems: FieldError[] = [];
  const stamp = stampOf(sent.revoke_tokens_issued_before, problems);
  const hooks = hookBodies === undefined ? undefined : hooksOf(hookBodies, present.event_hooks, newId, problems);
  if (named.webhook_url) checkUrl(named.webhook_url, 'webhook_url', problems);
  for (const [role, permissions] of Object.entries(grants ?? {})) checkGrants(role, permissions, problems);
  const other = otherOf(present, problems);
  if (problems.length > 0) throw fieldErrors('input', problems);
  const set: SettingsCommand['set'] = {
    ...(isMigrated === true ? { permission_version: 'v2' } : undefined),
    ...named,
    ...(plural === undefined ? undefined : { enforce_unique_usernames: plural }),
    ...(grants === undefined ? undefined : { grants: Object.keys(grants).length === 0 ? null : grants }),
    ...(stamp === undefined ? undefined : { revoke_tokens_issued_before: stamp }),
    ...(hooks === undefined ? undefined : { event_hooks: hooks }),
    ...(other === undefined ? undefined : { other }),
  };
  return {
    kind: 'settings',
    set,
    ...(singular === undefined || singular === plural ? undefined : { otherUniqueNames: singular }),
    ...(hooks === undefined ? undefined : { dialect }),
  };
}

const UPLOADS: ReadonlySet<string> = new Set(['file_upload_config', 'image_upload_config']);

/** Drops values that count as not sent, and replaces PHP's `[]` by `{}`. */
function mended(sent: JsonObject): JsonObject {
  const present = Object.entries(sent).filter(([name, value]) => value !== null && (value !== '' || isClearable(name)));
  return Object.fromEntries(present.map(([name, value]) => [name, mendedValue(name, value)]));
}

function mendedValue(name: string, value: Json): Json {
  if (OBJECTS.has(name) && isEmptyList(value)) return {};
  if (name === 'event_hooks' && Array.isArray(value)) return value.map((hook) => (isJsonObject(hook) ? mendedHook(hook) : hook));
  return UPLOADS.has(name) && isJsonObject(value) ? presentFields(value) : value;
}

function mendedHook(hook: JsonObject): JsonObject {
  const present = Object.entries(presentFields(hook));
  return Object.fromEntries(present.map(([name, value]) => [name, HOOK_OBJECTS.has(name) && isEmptyList(value) ? {} : value]));
}

const HOOK_OBJECTS: ReadonlySet<string> = new Set(['callback', 'failover_config']);

/** Whether an empty text clears the setting. For the other settings, Go writes it for one that is not set. */
function isClearable(name: string): boolean {
  return name === 'webhook_url' || !isNamed(name);
}

/** Whether rosterd uses the setting. */
function isNamed(name: string): boolean {
  return Object.hasOwn(NamedSettings.properties, name);
}

/** undefined: unchanged. null: cleared. */
function stampOf(sent: Json | undefined, problems: FieldError[]): number | null | undefined {
  if (sent === undefined || sent === '') return undefined;
  const time = sent === null ? null : parseTime(sent);
  // Beyond the safe integers no dialect could write the time again.
  if (time !== undefined && (time === null || (time >= 0 && Number.isSafeInteger(time)))) return time;
  problems.push({ path: 'revoke_tokens_issued_before', message: 'must be a time in RFC 3339, or null' });
  return undefined;
}

/** `sent` is the same list in the form in which it was sent, with the fields that rosterd only keeps. */
function hooksOf(hooks: readonly HookBody[], sent: Json | undefined, newId: () => string, problems: FieldError[]): HookInput[] {
  const sentHooks = Array.isArray(sent) ? sent : [];
  const ids = new Set<string>();
  const inputs = hooks.map((hook, index) => {
    const path = itemPath('event_hooks', index);
    const input = hookOf(hook, newId, path, problems);
    if (ids.has(input.id)) problems.push({ path: `${path}.id`, message: `"${clip(input.id)}" is there twice` });
    ids.add(input.id);
    const rest = restOf(sentHooks[index], path, problems);
    return rest === undefined ? input : { ...input, rest };
  });
  if (utf8Bytes(JSON.stringify(inputs)) > HOOKS_BYTES_MAX) {
    problems.push({ path: 'event_hooks', message: `must not be larger than ${HOOKS_BYTES_MAX} bytes` });
  }
  return inputs;
}

function hookOf(hook: HookBody, newId: () => string, path: string, problems: FieldError[]): HookInput {
  const { id = newId(), hook_type, enabled = true, event_types = [], webhook_url, product = 'all', timeout_ms = 0, dialect } = hook;
  if (isForbiddenName(id)) problems.push({ path: `${path}.id`, message: `"${id}" is a reserved name` });
  if (webhook_url !== undefined) checkUrl(webhook_url, `${path}.webhook_url`, problems);
  else if (hook_type === 'webhook') problems.push({ path: `${path}.webhook_url`, message: 'is required' });
  return {
    id,
    hook_type,
    enabled,
    event_types,
    product,
    ...(webhook_url === undefined ? undefined : { webhook_url }),
    ...(timeout_ms === 0 ? undefined : { timeout_ms }),
    ...(dialect === undefined ? undefined : { dialect }),
  };
}

/** Fields of a hook that have a place in the record; the server sets its times. */
const HOOK_FIELDS: ReadonlySet<string> = new Set([
  ...['id', 'hook_type', 'enabled', 'event_types', 'webhook_url', 'product', 'timeout_ms', 'dialect', 'created_at', 'updated_at'],
]);

function restOf(sent: Json | undefined, path: string, problems: FieldError[]): JsonObject | undefined {
  if (!isJsonObject(sent)) return undefined;
  const rest = Object.entries(sent).filter(([name]) => !HOOK_FIELDS.has(name));
  for (const [name, value] of rest) checkValue(path, name, value, problems);
  return rest.length === 0 ? undefined : Object.fromEntries(rest);
}

function checkGrants(role: string, permissions: unknown, problems: FieldError[]): void {
  const path = fieldPath('grants', role);
  if (isForbiddenName(role)) problems.push({ path, message: `"${role}" is a reserved name` });
  if (permissions === null) return;
  // The schema's pattern for keys does not match keys with a line break, so the schema does not check their values.
  if (!Array.isArray(permissions)) {
    problems.push({ path, message: `must be array, got ${typeName(permissions)}` });
    return;
  }
  for (const [index, id] of permissions.entries()) {
    if (typeof id === 'string' && PERMISSION_ID.test(id)) continue;
    problems.push({ path: itemPath(path, index), message: 'must be the id of a permission, such as "search-user"' });
  }
}

function checkUrl(text: string, path: string, problems: FieldError[]): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return;
  problems.push({ path, message: 'must be an http or https URL' });
}

/** All settings that rosterd does not use, as they were sent; undefined when there are none. */
function otherOf(present: JsonObject, problems: FieldError[]): JsonObject | undefined {
  const other = Object.entries(present).filter(([name]) => !isNamed(name) && !IGNORED.has(name));
  for (const [name, value] of other) checkValue('', name, value, problems);
  if (other.length === 0) return undefined;
  return Object.fromEntries(other.map(([name, value]) => [name, UPLOADS.has(name) ? { ...uploadDefaults(), ...toObject(value) } : value]));
}

/** Clients read an upload configuration as a whole, so absent fields are added. */
function uploadDefaults(): JsonObject {
  return Object.fromEntries(Object.entries(UPLOAD_CONFIG).map(([name, value]) => [name, typeof value === 'number' ? value : [...value]]));
}

function toObject(value: Json): JsonObject {
  return isJsonObject(value) ? value : {};
}

function checkValue(path: string, name: string, value: Json, problems: FieldError[]): void {
  const at = fieldPath(path, name);
  const problem = isForbiddenName(name) ? { path: '', message: `"${name}" is a reserved name` } : jsonProblem(value, 2);
  if (problem !== undefined) problems.push({ path: `${at}${problem.path}`, message: problem.message });
}
