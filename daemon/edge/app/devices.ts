/** Endpoints about devices and push preferences. A client can access only its own. */
import Type, { type TSchema } from 'typebox';
import {
  CreateDeviceBody,
  DeleteDeviceQuery,
  decodeDevice,
  decodePush,
  ListDevicesQuery,
  PushBody,
  type PushCommand,
  readDeleteDevice,
  readListDevices,
  renderChannelPush,
  renderPush,
} from '../../../protocol/app/devices.ts';
import { type Dialect, pathId } from '../../../protocol/base/reading.ts';
import type { Outcome } from '../../../protocol/log/command.ts';
import { deviceIn, Nothing, timeIn } from '../../../protocol/users/answers.ts';
import { type Rendered, renderDevice, timeOf } from '../../../protocol/users/render.ts';
import { deletedUser, unknownUser } from '../../core/problems.ts';
import { actingUser, actorOf } from '../http/acting.ts';
import { type Endpoint, inBothDialects } from '../http/endpoint.ts';
import { refuseGone } from '../http/outcome.ts';

export const DEVICES_ROUTES: readonly Endpoint[] = [
  ...inBothDialects('/devices', () => ({
    operation: 'CreateDevice',
    method: 'POST',
    access: 'user',
    summary: 'Adds a device to a user; it is removed from the user that had it before',
    body: CreateDeviceBody,
    answer: Nothing,
    handle: async ({ submit, caller, body }) => {
      const { device, named } = decodeDevice(await body());
      const by = pathId(actingUser(caller, named));
      const { seq } = await submit({ kind: 'device-add', by, device }, 'live');
      return { status: 201, body: {}, seq };
    },
  })),
  ...inBothDialects('/devices', (dialect) => ({
    operation: 'ListDevices',
    method: 'GET',
    access: 'user',
    summary: 'Devices of a user, oldest first',
    query: ListDevicesQuery,
    answer: Type.Object({ devices: Type.Array(deviceIn(dialect)) }),
    handle: ({ backend: { directory }, caller, query }) => {
      const id = pathId(actingUser(caller, readListDevices(query).user_id));
      const user = directory.user(id);
      if (user === undefined) throw directory.record(id) === undefined ? unknownUser(id) : deletedUser(id);
      const time = timeOf(dialect);
      return { body: { devices: (user.devices ?? []).map((device) => renderDevice(device, id, time)) } };
    },
  })),
  ...inBothDialects('/devices', () => ({
    operation: 'DeleteDevice',
    method: 'DELETE',
    access: 'user',
    summary: 'Takes a device from a user',
    query: DeleteDeviceQuery,
    answer: Nothing,
    handle: async ({ submit, caller, query }) => {
      const { id: deviceId, user_id } = readDeleteDevice(query);
      const by = pathId(actingUser(caller, user_id));
      const { seq } = await submit({ kind: 'device-remove', by, deviceId }, 'live');
      return { body: {}, seq };
    },
  })),
  ...inBothDialects('/push_preferences', (dialect) => ({
    operation: 'UpdatePushNotificationPreferences',
    method: 'POST',
    access: 'user',
    summary: 'Sets what users are notified of, for everything or for single channels; stored for the service that notifies',
    body: PushBody,
    answer: pushIn(dialect),
    handle: async ({ submit, caller, body }) => {
      const command = decodePush(await body(), actorOf(caller));
      const outcome = await submit(command, 'live');
      refuseGone(outcome);
      return { body: pushAnswer(command, outcome, dialect), seq: outcome.seq };
    },
  })),
];

/** The current preferences, for everything that the request named. */
function pushAnswer({ changes }: PushCommand, { users }: Outcome, dialect: Dialect): Rendered {
  const pushes = new Map(users.map(({ user }) => [user.id, user.push ?? {}]));
  const forUser = new Map<string, Rendered>();
  const forChannels = new Map<string, Map<string, Rendered>>();
  for (const { id, cid } of changes) {
    const push = pushes.get(id) ?? {};
    if (cid === undefined) {
      forUser.set(id, renderPush(push, dialect));
      continue;
    }
    const channels = forChannels.get(id) ?? new Map<string, Rendered>();
    forChannels.set(id, channels.set(cid, renderChannelPush(push.channels?.[cid] ?? {}, dialect)));
  }
  return {
    user_preferences: Object.fromEntries(forUser),
    user_channel_preferences: Object.fromEntries([...forChannels].map(([id, channels]) => [id, Object.fromEntries(channels)])),
  };
}

function pushIn(dialect: Dialect): TSchema {
  const details = Type.Optional(Type.Object({}, { additionalProperties: true }));
  const level = Type.Optional(Type.String());
  const forChannel = { chat_level: level, disabled_until: Type.Optional(timeIn(dialect)), chat_preferences: details };
  const forUser = Type.Object(
    { ...forChannel, call_level: level, feeds_level: level, feeds_preferences: details },
    { title: `PushPreferences_${dialect}` },
  );
  const forOneChannel = Type.Object(forChannel, { title: `ChannelPushPreferences_${dialect}` });
  return Type.Object({
    user_preferences: Type.Record(Type.String(), forUser),
    user_channel_preferences: Type.Record(Type.String(), Type.Record(Type.String(), forOneChannel)),
  });
}
