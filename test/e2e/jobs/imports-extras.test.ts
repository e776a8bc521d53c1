/** IM15: devices, mutes and push settings in the file of an import. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL_STATES, ended, type ImportTask, item, states, upload } from '../../support/http/import-kit.ts';
import { World } from '../../support/world.ts';

const device = (id: string, user_id: string, more: object = {}): string =>
  JSON.stringify({ type: 'device', item: { id, user_id, push_provider_type: 'apn', ...more } });

async function imported(world: World, lines: readonly string[], options: object = {}): Promise<ImportTask> {
  const path = await upload(world, lines.map((line) => `${line}\n`).join(''));
  const { body } = await world.http('POST', '/imports', { path, ...options });
  return await ended(world, body.import_task.id);
}

const LINES = [
  device('early', 'ann', { created_at: '2024-01-01T00:00:00Z' }),
  item({ id: 'ann', user_mutes: ['bob', 'late'], push_notifications: { disabled: true } }),
  item({ id: 'bob' }),
  device('second', 'ann'),
  item({ id: 'late', name: 'Late' }),
  device('last', 'late'),
];

test('IM15 they are added when all users are there, whatever the order, and adding them again changes nothing', async (t) => {
  const world = await World.start(t);
  const { directory } = world.daemon.roster;
  const task = await imported(world, LINES);
  assert.deepEqual([task.state, states(task)], ['completed', ALL_STATES]);
  const { users, created, failed, devices, mutes, push_notifications, extras } = task.result;
  assert.deepEqual(
    { users, created, failed, devices, mutes, push_notifications, extras },
    {
      ...{ users: 3, created: 3, failed: 0 },
      ...{ devices: 3, mutes: 2, push_notifications: 1, extras: 4 },
    },
  );
  const ann = directory.user('ann');
  assert.deepEqual(
    ann?.devices?.map(({ id, created_at }) => [id, created_at === Date.UTC(2024, 0) * 1000]),
    [
      ['early', true],
      ['second', false],
    ],
  );
  assert.deepEqual(
    ann?.mutes?.map(({ id }) => id),
    ['bob', 'late'],
  );
  assert.equal(ann?.push?.chat_level, 'none');
  assert.deepEqual(ann?.custom, {});
  assert.deepEqual(
    directory.user('late')?.devices?.map(({ id }) => id),
    ['last'],
  );
  const again = await imported(world, LINES);
  assert.deepEqual([again.result.unchanged, again.result.devices, again.result.mutes], [3, 3, 2]);
  assert.deepEqual(directory.user('ann'), ann);
});

test('IM15 what the directory refuses is an error of its item, and keeps nothing else out', async (t) => {
  const world = await World.start(t);
  const task = await imported(world, [
    item({ id: 'ann', user_mutes: ['nobody', 'bob'] }),
    device('d1', 'nobody'),
    item({ id: 'bob' }),
    device('d2', 'bob'),
  ]);
  assert.equal(task.state, 'import_failed');
  assert.deepEqual([task.result.created, task.result.failed, task.result.devices, task.result.mutes], [2, 2, 1, 1]);
  assert.deepEqual(
    task.result.errors.map((error: { item: number; id: string; reason: string }) => [error.item, error.id, error.reason]),
    [
      [1, 'ann', 'user_mutes: the user nobody does not exist'],
      [2, 'device:d1', 'the user nobody does not exist'],
    ],
  );
});

test('IM15 insert leaves users from before as they are, and their devices', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' });
  await world.http('POST', '/devices', { user_id: 'ann', id: 'early', push_provider: 'firebase' });
  const task = await imported(world, LINES, { mode: 'insert' });
  assert.deepEqual([task.state, task.result.created, task.result.unchanged], ['completed', 2, 1]);
  const ann = world.daemon.roster.directory.user('ann');
  assert.deepEqual([ann?.mutes, ann?.push], [undefined, undefined]);
  assert.deepEqual(
    ann?.devices?.map(({ id, push_provider }) => [id, push_provider]),
    [
      ['early', 'firebase'],
      ['second', 'apn'],
    ],
  );
});

test('IM15 two items for one device, or one of a type that is not held, fail the import before anything is written', async (t) => {
  const world = await World.start(t);
  const lines = [item({ id: 'ann' }), device('d', 'ann'), device('d', 'ann'), '{"type":"channel","item":{"id":"c","type":"messaging"}}'];
  const task = await imported(world, lines);
  assert.deepEqual([task.state, task.result.failed, world.daemon.roster.directory.size], ['analyze_failed', 2, 0]);
  const [twice, channel] = task.result.errors;
  assert.deepEqual([twice.item, twice.code], [3, 'duplicate_id']);
  assert.match(twice.reason, /names the same device as line 2/);
  assert.match(channel.reason, /items of the type "channel" cannot be imported/);
});

test('IM15 a stop among them loses nothing: the next start goes on', async (t) => {
  const world = await World.start(t);
  const count = 1_000;
  const users = Array.from({ length: 100 }, (_, n) => item({ id: `u${n}` }));
  const path = await upload(
    world,
    [...users, ...Array.from({ length: count }, (_, n) => device(`d${n}`, `u${n % 100}`))].join('\n').concat('\n'),
  );
  const { body } = await world.http('POST', '/imports', { path });
  const held = ({ daemon }: World) =>
    [...Array(100).keys()].reduce((sum, n) => sum + (daemon.roster.directory.user(`u${n}`)?.devices?.length ?? 0), 0);
  while (held(world) < 200) await new Promise((resolve) => setTimeout(resolve, 1));
  await world.stop();
  const next = await World.start(t, { data: world.data });
  const task = await ended(next, body.import_task.id);
  assert.deepEqual([task.state, task.result.created, task.result.failed, held(next)], ['completed', 100, 0, count]);
  assert.equal(task.result.devices, count);
});
