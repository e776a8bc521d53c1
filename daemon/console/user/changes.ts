/** From an edited record to a partial update. Pure. */
import type { JsonRecord } from '../talk/api-call.ts';
import type { UserRecord } from '../talk/user-record.ts';

/** The part of a record that an operator edits. */
export interface EditedUser {
  readonly [field: string]: unknown;
  readonly custom: JsonRecord;
}

const EDITED = ['name', 'image', 'role', 'language', 'invisible', 'teams', 'teams_role', 'privacy_settings'] as const;

export function editedOf(user: UserRecord): EditedUser {
  const fields = EDITED.flatMap((field) => {
    const value = user[field];
    return value === undefined || value === '' ? [] : [[field, value] as const];
  });
  return { ...Object.fromEntries(fields), custom: user.custom };
}

/** An edited record in JSON. Throws Error that says what is wrong with the text. */
export function parseEdited(text: string): EditedUser {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`This is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isPlain(value)) throw new Error('The record must be a JSON object.');
  const known: readonly string[] = [...EDITED, 'custom'];
  const other = Object.keys(value).find((key) => !known.includes(key));
  if (other !== undefined) throw new Error(`"${other}" cannot be edited here; your own data belongs into "custom".`);
  const { custom = {} } = value;
  if (!isPlain(custom)) throw new Error('"custom" must be a JSON object.');
  return { ...value, custom };
}

export interface EditPatch {
  readonly id: string;
  readonly set: JsonRecord;
  readonly unset: readonly string[];
}

/** The smallest update that makes `before` into `after`. Nothing to change: `set` and `unset` are empty. */
export function patchBetween(id: string, before: EditedUser, after: EditedUser): EditPatch {
  const set: [string, unknown][] = [];
  const unset: string[] = [];
  const compare = (path: string, old: unknown, now: unknown): void => {
    if (isSame(old, now)) return;
    if (now === undefined) unset.push(path);
    else set.push([path, now]);
  };
  for (const field of EDITED) compare(field, before[field], after[field]);
  for (const key of new Set([...Object.keys(before.custom), ...Object.keys(after.custom)]))
    compare(`custom.${key}`, before.custom[key], after.custom[key]);
  return { id, set: Object.fromEntries(set), unset };
}

export function isEmptyPatch({ set, unset }: EditPatch): boolean {
  return Object.keys(set).length === 0 && unset.length === 0;
}

/** Whether two values are the same in JSON, whatever the order of keys. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((item, at) => isSame(item, other[at]));
  if (!isPlain(one) || !isPlain(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && isSame(one[key], other[key]));
}

function isPlain(value: unknown): value is JsonRecord {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
