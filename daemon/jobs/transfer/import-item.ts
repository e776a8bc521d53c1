/**
 * Reads one item of an import: `{"type": "user", "item" | "data": {…a user as chat v1 writes it}}`, which may also name the users that it
 * mutes and its push settings; or `{"type": "device", …}`. Whatever else an item holds is an error that says so (IM7, IM15). Pure.
 */

import { type DeviceCommand, decodeDevice, decodePush, type PushCommand } from '../../../protocol/app/devices.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { inexactIn } from '../../../protocol/base/exact-numbers.ts';
import { clip } from '../../../protocol/base/field-path.ts';
import { userIdProblem } from '../../../protocol/base/ids.ts';
import { isObject } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { isEmptyList } from '../../../protocol/base/reading.ts';
import { parseTime } from '../../../protocol/base/time.ts';
import { dataProblem } from '../../../protocol/users/size.ts';
import { RESERVED_FIELDS, type UserInput } from '../../../protocol/users/user.ts';
import type { RowError, SourceRow, ValueRow } from '../../sync/rows.ts';
import type { RowUser } from '../../sync/source.ts';
import { decodeSent, invalidUser, misplacedProblems } from '../../sync/source-user.ts';

/** What belongs to a user but is no part of its upsert: it is added once all users are there. */
export interface Extras {
  readonly device?: DeviceCommand;
  /** Ids of the users that the user mutes. */
  readonly mutes?: readonly string[];
  readonly push?: PushCommand;
}

export interface ImportItem extends RowUser {
  /** The user that the item is, or belongs to. */
  readonly userId: string;
  /** In the form that the directory takes; absent for a device. */
  readonly user?: UserInput;
  readonly extras?: Extras;
}

/** Facts that only the directory knows. */
export interface ItemRules {
  readonly hasRole: (role: string) => boolean;
  readonly wasDeleted: (id: string) => boolean;
}

/** Fields that a server sets by other requests. An upsert ignores them, so an import of them would be silently incomplete. */
const OTHER_FIELDS = ['revoke_tokens_issued_before'];

/** The item, or all its errors. */
export function checkItem(row: ValueRow, rules: ItemRules): ImportItem | RowError {
  const { line, value } = row;
  if (!isObject(value)) return invalidUser(line, undefined, ['the item must be an object with "type" and "item"']);
  const { type, item, data } = value;
  const sent = item ?? data;
  if (type !== 'user' && type !== 'device') return invalidUser(line, undefined, [`type: ${wrongType(type)}`]);
  if (!isObject(sent)) return invalidUser(line, undefined, [`item: must be an object, the ${type}`]);
  const problems: string[] = [];
  if (sent === item && isObject(data)) problems.push('data: is there beside "item", but an item is one user or device');
  return type === 'user' ? userItem(row, sent, rules, problems) : deviceItem(row, sent, problems);
}

/** The numbers in it that are lost: nothing else can be said of their fields. */
function lostNumbers({ isInexact = false }: ValueRow, sent: unknown): readonly string[] {
  return isInexact ? inexactIn(sent).map(({ text }) => text) : [];
}

function wrongType(type: unknown): string {
  if (typeof type !== 'string' || type === '') return 'must be "user" or "device"';
  return `rosterd holds users and their devices only; items of the type "${clip(type)}" cannot be imported`;
}

/** Whether the row is, or may be, a user. */
export function isUserRow(row: SourceRow): boolean {
  return !('value' in row) || !isObject(row.value) || row.value.type !== 'device';
}

/** Whether the row has something to add once all users are there. Errors in rows are found while users are read. */
export function hasExtras(row: SourceRow): boolean {
  if (!('value' in row) || !isObject(row.value)) return false;
  const { type, item, data } = row.value;
  const sent = item ?? data;
  return type === 'device' || (isObject(sent) && (sent.user_mutes !== undefined || sent.push_notifications !== undefined));
}

function userItem(row: ValueRow, value: object, rules: ItemRules, problems: string[]): ImportItem | RowError {
  const { line, bytes = 0 } = row;
  const { user_mutes, push_notifications, ...sent }: Readonly<Record<string, unknown>> = { ...value };
  for (const field of Object.keys(sent)) {
    if (RESERVED_FIELDS.has(field) || OTHER_FIELDS.includes(field)) problems.push(`${clip(field)}: is a reserved field`);
  }
  const lost = lostNumbers(row, value);
  problems.push(...lost, ...misplacedProblems(sent));
  const user = lost.length > 0 ? undefined : decodeSent(sent, problems);
  if (user === undefined) return invalidUser(line, sent.id, problems);
  if (dataProblem(user, 'user') !== undefined) problems.push(`user data is more than ${LIMITS.clientUserBytes} bytes`);
  if (user.role !== undefined && !rules.hasRole(user.role)) problems.push(`role: role "${clip(user.role)}" does not exist`);
  if (rules.wasDeleted(user.id)) problems.push(`the user ${user.id} was deleted`);
  const mutes = mutesOf(user_mutes, user.id, problems);
  const push = pushOf(push_notifications, user.id, problems);
  if (problems.length > 0) return invalidUser(line, user.id, problems);
  const item = { line, id: user.id, userId: user.id, bytes, user };
  return mutes === undefined && push === undefined
    ? item
    : { ...item, extras: { ...(mutes === undefined ? undefined : { mutes }), ...(push === undefined ? undefined : { push }) } };
}

function mutesOf(sent: unknown, by: string, problems: string[]): readonly string[] | undefined {
  if (sent === undefined || sent === null) return undefined;
  if (!Array.isArray(sent)) {
    problems.push('user_mutes: must be a list of ids');
    return undefined;
  }
  if (sent.length > LIMITS.mutesPerUser) problems.push(`user_mutes: must not name more than ${LIMITS.mutesPerUser} users`);
  const ids = new Set<string>();
  for (const [index, id] of sent.slice(0, LIMITS.mutesPerUser).entries()) {
    const problem = typeof id !== 'string' ? 'must be the id of a user' : id === by ? 'a user cannot mute itself' : userIdProblem(id);
    if (problem !== undefined) problems.push(`user_mutes[${index}]: ${problem}`);
    else ids.add(id);
  }
  return ids.size === 0 ? undefined : [...ids];
}

/** Settings that switch off everything, for a time or for good. They are held as push preferences. */
function pushOf(sent: unknown, id: string, problems: string[]): PushCommand | undefined {
  if (sent === undefined || sent === null || isEmptyList(sent)) return undefined;
  if (!isObject(sent)) {
    problems.push('push_notifications: must be an object');
    return undefined;
  }
  const { disabled = false, disabled_until = null, ...rest }: Readonly<Record<string, unknown>> = { ...sent };
  for (const field of Object.keys(rest)) problems.push(`push_notifications.${clip(field)}: is not held by rosterd`);
  if (disabled !== null && typeof disabled !== 'boolean') problems.push('push_notifications.disabled: must be a boolean');
  if (disabled_until !== null && disabled_until !== '') {
    return orProblem('push_notifications', problems, () =>
      decodePush({ preferences: [{ user_id: id, disabled_until }] }, { kind: 'server' }),
    );
  }
  const off = { chat_level: 'none', call_level: 'none', feeds_level: 'none' } as const;
  return disabled === true ? { kind: 'push', changes: [{ id, set: off }] } : undefined;
}

/** Fields of a device, by the names of imports and by those of requests. */
const DEVICE_FIELDS: ReadonlySet<string> = new Set([
  ...['id', 'user_id', 'push_provider', 'push_provider_type', 'push_provider_name', 'hardware_id', 'voip', 'voip_token'],
  ...['created_at', 'disabled', 'disabled_reason'],
]);

function deviceItem(row: ValueRow, value: object, problems: string[]): ImportItem | RowError {
  const { line, bytes = 0 } = row;
  const sent: Readonly<Record<string, unknown>> = { ...value };
  const { push_provider_type, push_provider = push_provider_type, voip, voip_token = voip, created_at } = sent;
  for (const field of Object.keys(sent)) if (!DEVICE_FIELDS.has(field)) problems.push(`${clip(field)}: is not held by rosterd`);
  if (sent.disabled === true) problems.push('disabled: rosterd holds no disabled devices');
  const at = created_at === undefined || created_at === null ? undefined : parseTime(created_at);
  if (at === undefined && created_at !== undefined && created_at !== null) problems.push('created_at: must be a time in RFC 3339');
  const fields = { id: sent.id, user_id: sent.user_id, push_provider_name: sent.push_provider_name, hardware_id: sent.hardware_id };
  const lost = lostNumbers(row, value);
  problems.push(...lost);
  const read = lost.length > 0 ? undefined : orProblem('', problems, () => decodeDevice({ ...fields, push_provider, voip_token }));
  const wrongUser = read === undefined ? undefined : read.named === undefined ? 'is required' : userIdProblem(read.named);
  if (wrongUser !== undefined) problems.push(`user_id: ${wrongUser}`);
  if (read?.named === undefined || problems.length > 0) return { ...invalidUser(line, undefined, problems), code: 'invalid_device' };
  const device = { ...read.device, ...(at === undefined ? undefined : { created_at: at }) };
  const extras = { device: { kind: 'device-add', by: read.named, device } as const };
  // No user has such an id, so a device and a user never count as one.
  return { line, id: `device:${device.id}`, what: 'device', userId: read.named, bytes, extras };
}

function orProblem<T>(at: string, problems: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RosterError)) throw error;
    for (const { path, message } of error.fields) problems.push(`${at === '' ? path : `${at}.${path.split('.').at(-1)}`}: ${message}`);
    return undefined;
  }
}
