/**
 * Devices and push preferences of a user: stored for the service that sends
 * notifications. Changes cause no event: their facts are silent, and the user's
 * revision and time of change stay. Pure.
 */

import type { DeviceCommand, DeviceRemoveCommand, PushCommand } from '../../../protocol/app/devices.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import { clip, itemPath } from '../../../protocol/base/field-path.ts';
import { type Json, type JsonObject, jsonEquals, withFields } from '../../../protocol/base/json.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Micros } from '../../../protocol/base/time.ts';
import type { Change, Outcome } from '../../../protocol/log/command.ts';
import type { Device, PushPreferences, StoredUser } from '../../../protocol/users/user.ts';
import type { Draft } from '../directory/draft.ts';
import { find } from '../directory/find.ts';
import { deletedUser, missingProblem, type Problem, problem, refuseIfAny, unknownUser } from '../problems.ts';

/**
 * A device belongs to one user: adding it takes it from any other. A device that the user has already is replaced in its
 * place in the order of age; one above the limit drops the oldest. The user's own fact comes first, so that the answer does not
 * say whether another user had the device.
 */
export function decideDeviceAdd(draft: Draft, { by, device }: DeviceCommand, now: Micros): Outcome {
  const user = living(draft, by);
  const others = [...draft.deviceHolders(device.id)].filter(({ id }) => id !== by);
  const own = added(draft, user, device, now);
  for (const other of others) stageDevices(draft, other, without(other, device.id));
  return own;
}

function added(draft: Draft, user: StoredUser, device: DeviceCommand['device'], now: Micros): Outcome {
  const held = user.devices ?? [];
  const known = held.find(({ id }) => id === device.id);
  const after: Device = { ...device, created_at: known?.created_at ?? device.created_at ?? now };
  if (jsonEquals(known, after)) return outcome(draft, user, 'unchanged');
  const devices = known === undefined ? [...held, after] : held.map((one) => (one === known ? after : one));
  return outcome(draft, stageDevices(draft, user, devices.slice(-LIMITS.devicesPerUser)), 'updated');
}

export function decideDeviceRemove(draft: Draft, { by, deviceId }: DeviceRemoveCommand): Outcome {
  const user = living(draft, by);
  const devices = without(user, deviceId);
  if (devices.length === (user.devices ?? []).length) {
    throw new RosterError('not_found', `the device ${clip(deviceId)} of the user ${by} does not exist`);
  }
  return outcome(draft, stageDevices(draft, user, devices), 'updated');
}

/** The restored user without the devices that were given to others while it was deleted. */
export function withOwnDevices(draft: Draft, user: StoredUser): StoredUser {
  const own = (user.devices ?? []).filter(({ id }) => [...draft.deviceHolders(id)].length === 0);
  return own.length === (user.devices ?? []).length ? user : withDevices(user, own);
}

/** All or nothing; every problem is listed. A user may be named several times: for itself and for channels. */
export function decidePush(draft: Draft, { changes }: PushCommand, wall: Micros): Outcome {
  const problems: Problem[] = [];
  const users = new Map<string, { readonly before: StoredUser; readonly push: PushPreferences }>();
  for (const [index, { id, cid, set }] of changes.entries()) {
    const path = itemPath('preferences', index);
    const found = find(draft, id);
    if (found.kind !== 'alive') {
      problems.push(missingProblem(found, id, `${path}.user_id`));
      continue;
    }
    const push = users.get(id)?.push ?? found.user.push ?? {};
    const next = cid === undefined ? merged(push, set) : withChannel(push, cid, set, wall);
    const channels = Object.keys(next.channels ?? {}).length;
    if (channels > LIMITS.pushChannelsPerUser) {
      const text = `the user ${id} would have preferences for ${channels} channels; at most ${LIMITS.pushChannelsPerUser} are allowed`;
      problems.push(problem('input', `${path}.channel_cid`, text));
    }
    users.set(id, { before: found.user, push: next });
  }
  refuseIfAny([], problems);
  const settled = [...users.values()].map(({ before, push }) => stagePush(draft, before, push));
  return { users: settled, warnings: [], seq: draft.nextSeq - 1 };
}

type PushSet = PushCommand['changes'][number]['set'];

const PUSH_FIELDS = ['chat_level', 'call_level', 'feeds_level', 'disabled_until', 'chat_preferences', 'feeds_preferences'] as const;

function merged(before: PushPreferences, set: PushSet): PushPreferences {
  const next = { ...before };
  for (const name of PUSH_FIELDS) put(next, name, set[name]);
  return next;
}

function put<Name extends keyof PushPreferences>(into: PushPreferences, name: Name, value: PushPreferences[Name] | null | undefined): void {
  if (value === null) delete into[name];
  else if (value !== undefined) into[name] = value;
}

/** Drops a channel that has no preference left. Above the limit, channels whose only preference is an expired pause are dropped too. */
function withChannel(before: PushPreferences, cid: string, set: PushSet, now: Micros): PushPreferences {
  const { channels = {}, ...rest } = before;
  const all = new Map<string, JsonObject>(Object.entries(channels));
  const entry = new Map<string, Json>(Object.entries(all.get(cid) ?? {}));
  for (const [name, value] of Object.entries(set)) {
    if (value === null) entry.delete(name);
    else entry.set(name, value);
  }
  if (entry.size === 0) all.delete(cid);
  else all.set(cid, Object.fromEntries(entry));
  const kept = [...all].filter(([, one]) => all.size <= LIMITS.pushChannelsPerUser || !isOver(one, now));
  return kept.length === 0 ? rest : { ...rest, channels: Object.fromEntries(kept) };
}

function isOver({ disabled_until, ...rest }: JsonObject, now: Micros): boolean {
  return typeof disabled_until === 'number' && disabled_until <= now && Object.keys(rest).length === 0;
}

function stagePush(draft: Draft, before: StoredUser, push: PushPreferences): Outcome['users'][number] {
  if (jsonEquals(before.push ?? {}, push)) return { user: before, change: 'unchanged' };
  const { push: _, ...rest } = before;
  const user = Object.keys(push).length === 0 ? rest : withFields(rest, { push });
  draft.stage({ t: 'user', event: 'silent', user });
  return { user, change: 'updated' };
}

function living(draft: Draft, id: string): StoredUser {
  const found = find(draft, id);
  if (found.kind === 'absent') throw unknownUser(id);
  if (found.kind === 'deleted') throw deletedUser(id);
  return found.user;
}

function without(user: StoredUser, deviceId: string): readonly Device[] {
  return (user.devices ?? []).filter(({ id }) => id !== deviceId);
}

function withDevices(user: StoredUser, devices: readonly Device[]): StoredUser {
  const { devices: _, ...rest } = user;
  return devices.length === 0 ? rest : withFields(rest, { devices: [...devices] });
}

function stageDevices(draft: Draft, before: StoredUser, devices: readonly Device[]): StoredUser {
  const user = withDevices(before, devices);
  draft.stage({ t: 'user', event: 'silent', user });
  return user;
}

function outcome(draft: Draft, user: StoredUser, change: Change): Outcome {
  return { users: [{ user, change }], warnings: [], seq: draft.nextSeq - 1 };
}
