/** What the fields of a user are, so far as those who read them from bytes rely on it. Pure. */
import { isObject } from '../../../../protocol/base/json.ts';
import { appBan, type StoredUser } from '../../../../protocol/users/user.ts';
import { isTombstone, type Tombstone } from '../record.ts';
import { STATE } from './record-bytes.ts';
import { NO_SHAPE } from './shapes.ts';

export type FieldKind = 'text' | 'number' | 'boolean' | 'list' | 'object';

const FIELDS: Readonly<Record<FieldKind, readonly string[]>> = {
  text: ['name', 'image', 'language', 'deleted', 'sent'],
  number: ['deactivated_at', 'deleted_at', 'revoke_tokens_issued_before'],
  boolean: ['invisible', 'deactivated_by_sync', 'deleted_by_sync', 'bypass_moderation'],
  list: ['bans', 'mutes', 'blocks', 'flags', 'devices'],
  object: ['teams_role', 'privacy_settings', 'push'],
};

/** Of fields whose values are in the list. */
export const KINDS: ReadonlyMap<string, FieldKind> = new Map(
  Object.entries(FIELDS).flatMap(([kind, fields]) => fields.map((field) => [field, kind as FieldKind])),
);

/** Fields that a record with a shape has. */
export const REQUIRED = ['id', 'rev', 'role', 'teams', 'custom', 'created_at', 'updated_at'];

const BY_TYPE: Readonly<Record<string, FieldKind>> = { string: 'text', boolean: 'boolean' };

function kindOf(value: unknown): FieldKind | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? 'number' : undefined;
  return Array.isArray(value) ? 'list' : isObject(value) ? 'object' : BY_TYPE[typeof value];
}

/** The kind of a value in JSON that begins with this byte; undefined for null. */
export function kindOfByte(first = 0): FieldKind | undefined {
  if (first === 34) return 'text';
  if (first === 91) return 'list';
  if (first === 123) return 'object';
  if (first === 110) return undefined;
  return first === 116 || first === 102 ? 'boolean' : 'number';
}

export function areTexts(values: unknown): values is readonly string[] {
  return Array.isArray(values) && values.every((value) => typeof value === 'string');
}

/** Whether a user is what the schema says, where values are found by the shape of their record. */
export function fitsShape(user: StoredUser): boolean {
  const { rev, role, teams, created_at, updated_at, last_active, bans, custom } = user;
  for (const field in user) {
    const kind = KINDS.get(field);
    const value = (user as Readonly<Record<string, unknown>>)[field];
    if (kind !== undefined && value !== undefined && kindOf(value) !== kind) return false;
  }
  return (
    Number.isFinite(rev) &&
    Number.isFinite(created_at) &&
    Number.isFinite(updated_at) &&
    (last_active === undefined || Number.isFinite(last_active)) &&
    bans?.every(isObject) !== false &&
    typeof role === 'string' &&
    areTexts(teams) &&
    isObject(custom)
  );
}

/** The bits of `STATE`. Without a shape, what else than its death a record says is not known. */
export function stateOf(record: StoredUser | Tombstone, shape: number): number {
  if (isTombstone(record)) return STATE.gone;
  const { deleted_at, deactivated_at, invisible } = record;
  const state = (deleted_at === undefined ? 0 : STATE.deleted) | (deactivated_at === undefined ? 0 : STATE.deactivated);
  const ban = shape === NO_SHAPE ? undefined : appBan(record);
  const banned = ban === undefined ? 0 : ban.shadow === true ? STATE.shadowBanned : STATE.banned;
  return state | banned | (invisible === true ? STATE.invisible : 0);
}
