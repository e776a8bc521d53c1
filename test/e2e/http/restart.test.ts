/** DV26, UA9, RO24 and UG25: what was stored outlives restarts and crashes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crashCopy } from '../../support/store/crash-copy.ts';
import { World } from '../../support/world.ts';

test('DV26 devices and preferences tell nobody, and survive a crash and restarts', async (t) => {
  const first = await World.start(t);
  await first.upsert({ id: 'ann' }, { id: 'bob' });
  const subscriber = await first.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
  const body = { id: 'phone', push_provider: 'huawei', user_id: 'ann' };
  assert.equal((await first.http('POST', '/devices', body)).status, 201);
  const preferences = [
    { user_id: 'ann', chat_level: 'none' },
    { user_id: 'ann', channel_cid: 'm:1', chat_level: 'all' },
  ];
  assert.equal((await first.http('POST', '/api/v2/push_preferences', { preferences })).status, 200);
  await first.upsert({ id: 'ann', name: 'Ann' });
  const event = await subscriber.until(({ type }) => type === 'user.updated');
  assert.deepEqual([event.user.name, subscriber.events.length], ['Ann', 1]);
  const before = (await first.http('GET', '/devices?user_id=ann')).body.devices;

  // The second daemon reads the journal, the third the snapshot that the second left.
  const data = await crashCopy(t, first.data);
  const second = await World.start(t, { data });
  assert.deepEqual((await second.http('GET', '/devices?user_id=ann')).body.devices, before);
  const echo = await second.http('POST', '/push_preferences', {
    preferences: [{ user_id: 'ann' }, { user_id: 'ann', channel_cid: 'm:1' }],
  });
  assert.deepEqual(echo.body.user_preferences, { ann: { chat_level: 'none' } });
  assert.deepEqual(echo.body.user_channel_preferences, { ann: { 'm:1': { chat_level: 'all' } } });
  assert.equal((await second.http('POST', '/devices', { ...body, user_id: 'bob' })).status, 201);
  await second.stop();

  const third = await World.start(t, { data });
  assert.deepEqual((await third.http('GET', '/devices?user_id=ann')).body.devices, []);
  assert.equal((await third.http('GET', '/devices?user_id=bob')).body.devices[0].push_provider, 'huawei');
});

test('UA9 what was counted outlives a restart', async (t) => {
  const world = await World.start(t);
  await world.http('PATCH', '/app', { multi_tenant_enabled: true });
  await world.upsert({ id: 'ann', teams: ['red'] });
  const ann = await world.chat('ann');
  const asked = async (from: World) => [
    (await from.http('GET', '/usage')).body,
    (await from.http('POST', '/stats/team_usage', {})).body.teams[0],
  ];
  const [usage, red] = await asked(world);
  assert.deepEqual([usage.monthly_active_users, red.users_month_to_date.total, red.concurrent_users.total], [1, 1, 1]);
  ann.terminate();
  await world.stop();
  const again = await World.start(t, { data: world.data });
  const [usageAfter, redAfter] = await asked(again);
  assert.deepEqual(usageAfter.daily, usage.daily);
  assert.deepEqual([redAfter.users_month_to_date.total, redAfter.users_daily.total, redAfter.concurrent_users.total], [1, 1, 0]);
});

test('RO24 roles survive a crash and a restart, and so does what keeps them', async (t) => {
  const first = await World.start(t);
  for (const name of ['captain', 'pilot']) assert.equal((await first.http('POST', '/roles', { name })).status, 201);
  await first.upsert({ id: 'ann', role: 'captain' }, { id: 'bob', teams_role: { red: 'captain' } });
  const before = (await first.http('GET', '/api/v2/roles')).body.roles;
  // The second daemon reads the journal; the third the snapshot that the second left.
  const data = await crashCopy(t, first.data);
  const second = await World.start(t, { data });
  assert.deepEqual((await second.http('GET', '/api/v2/roles')).body.roles, before);
  assert.match((await second.http('DELETE', '/roles/captain')).body.message, /2 users have it/);
  assert.equal((await second.http('DELETE', '/roles/pilot')).status, 200);
  await second.stop();
  const third = await World.start(t, { data });
  assert.equal((await third.http('GET', '/api/v2/roles')).body.roles.length, before.length - 1);
  assert.match((await third.http('DELETE', '/roles/captain')).body.message, /2 users have it/);
  assert.equal((await third.upsert({ id: 'cem', role: 'captain' })).status, 201);
  assert.equal((await third.upsert({ id: 'cem', role: 'pilot' })).status, 400);
});

test('UG25 groups survive a crash and restarts', async (t) => {
  const first = await World.start(t);
  await first.upsert({ id: 'ann' }, { id: 'bob' });
  const { body } = await first.http('POST', '/api/v2/usergroups', {
    name: 'Crew',
    description: 'd',
    team_id: 'red',
    member_ids: ['ann'],
  });
  const { id } = body.user_group;
  // The second daemon reads the journal, the others the snapshot that the one before them left.
  const data = await crashCopy(t, first.data);
  const second = await World.start(t, { data });
  assert.deepEqual((await second.http('GET', `/api/v2/usergroups/${id}`)).body.user_group, body.user_group);
  const added = await second.http('POST', `/api/v2/usergroups/${id}/members`, { member_ids: ['bob'], as_admin: true });
  await second.stop();
  const third = await World.start(t, { data });
  assert.deepEqual((await third.http('GET', `/api/v2/usergroups/${id}`)).body.user_group, added.body.user_group);
  assert.equal((await third.http('DELETE', `/api/v2/usergroups/${id}`)).status, 200);
  await third.stop();
  const fourth = await World.start(t, { data });
  assert.deepEqual((await fourth.http('GET', '/api/v2/usergroups')).body.user_groups, []);
});
