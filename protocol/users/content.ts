/**
 * The content of a user as one text, equal for two users exactly when their content is equal. It leaves out revisions, times,
 * and the effects of moderation and devices, so that directories that were filled in different ways, or at different times,
 * can be compared. Pure.
 */
import type { Json } from '../base/json.ts';
import type { StoredUser } from './user.ts';

/** JSON without spaces, with the keys of every object in the order of their UTF-16 code units (RFC 8785). */
export function canonicalJson(value: Json): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  let text = '';
  for (const key of sortedKeys(value)) {
    const item = value[key];
    if (item !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(key)}:${canonicalJson(item)}`;
  }
  return `{${text}}`;
}

function sortedKeys(value: object): string[] {
  const keys = Object.keys(value);
  return keys.length > 1 ? keys.sort() : keys;
}

/**
 * The canonical JSON of an object with these keys; a key that the user lacks is absent:
 * `custom` (not when empty), `deactivated` (only true), `id`, `image`, `invisible` (only true), `language` (not when empty),
 * `name`, `privacy_settings`, `role`, `teams` (in their order; not when empty), `teams_role` (not when empty).
 */
export function userContent(user: StoredUser): string {
  const { custom, deactivated_at, id, image, invisible, language, name, privacy_settings, role, teams, teams_role } = user;
  // The keys are already in the order of RFC 8785, which saves a million sorts.
  let text = '{';
  if (hasKeys(custom)) text += `"custom":${canonicalJson(custom)},`;
  if (deactivated_at !== undefined) text += '"deactivated":true,';
  text += `"id":${JSON.stringify(id)},`;
  if (image !== undefined) text += `"image":${JSON.stringify(image)},`;
  if (invisible === true) text += '"invisible":true,';
  if (language !== undefined && language !== '') text += `"language":${JSON.stringify(language)},`;
  if (name !== undefined) text += `"name":${JSON.stringify(name)},`;
  if (privacy_settings !== undefined) text += `"privacy_settings":${canonicalJson(plain(privacy_settings))},`;
  text += `"role":${JSON.stringify(role)}`;
  if (teams.length > 0) text += `,"teams":${JSON.stringify(teams)}`;
  if (teams_role !== undefined && hasKeys(teams_role)) text += `,"teams_role":${canonicalJson({ ...teams_role })}`;
  return `${text}}`;
}

function hasKeys(value: object): boolean {
  for (const _ in value) return true;
  return false;
}

/** Privacy settings as JSON, without undefined values. */
function plain(settings: NonNullable<StoredUser['privacy_settings']>): Json {
  const entries = Object.entries(settings).flatMap(([key, toggle]) => (toggle === undefined ? [] : [[key, { enabled: toggle.enabled }]]));
  return Object.fromEntries(entries);
}
