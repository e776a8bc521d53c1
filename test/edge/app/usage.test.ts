/** Usage over HTTP: UA7–UA9. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, httpWorld, userToken as tokenFor } from '../../support/http/fake-backend.ts';

const TEAM_USAGE = ['/stats/team_usage', '/api/v2/chat/stats/team_usage'];

const USAGE = ['/usage', '/api/v2/usage'];

const METRICS = [
  'users_daily',
  'messages_daily',
  'translations_daily',
  'image_moderations_daily',
  'concurrent_users',
  'concurrent_connections',
  'users_total',
  'users_last_24_hours',
  'users_last_30_days',
  'users_month_to_date',
  'users_engaged_last_30_days',
  'users_engaged_month_to_date',
  'messages_total',
  'messages_last_24_hours',
  'messages_last_30_days',
  'messages_month_to_date',
];

/** The directory in memory lives on 4 March 2026. */
async function teamWorld() {
  const world = httpWorld();
  await world.backend.submit({ kind: 'settings', set: { multi_tenant_enabled: true } }, 'live');
  const users = Object.fromEntries(['ann', 'bob', 'cid'].map((id) => [id, { id, teams: id === 'cid' ? ['blue'] : ['red'] }]));
  await world.send('POST', '/users', { body: { users } });
  for (const id of ['ann', 'cid']) await world.backend.submit({ kind: 'connect', id, details: { custom: {} } }, 'live');
  world.backend.onlineIds.add('ann');
  return world;
}

test('UA7 team usage: every metric is there, from real data, with days where days were asked for', async () => {
  for (const path of TEAM_USAGE) {
    const { send } = await teamWorld();
    const { status, body } = await send('POST', path, { body: { month: '2026-03' } });
    assert.equal(status, 200);
    assert.deepEqual(
      body.teams.map(({ team }: { team: string }) => team),
      ['blue', 'red'],
    );
    assert.equal('next' in body, false);
    const [, red] = body.teams;
    assert.deepEqual(Object.keys(red), ['team', ...METRICS]);
    const totals = Object.fromEntries(METRICS.filter((name) => red[name].total > 0).map((name) => [name, red[name].total]));
    assert.deepEqual(totals, {
      users_daily: 1,
      concurrent_users: 1,
      concurrent_connections: 1,
      users_total: 2,
      users_last_24_hours: 1,
      users_last_30_days: 1,
      users_month_to_date: 1,
    });
    assert.ok(METRICS.every((name) => red[name].daily === undefined));
    const days = await send('POST', path, { body: { start_date: '2026-03-03', end_date: '2026-03-04' } });
    assert.deepEqual(days.body.teams[1].users_daily, {
      total: 1,
      daily: [
        { date: '2026-03-03', value: 0 },
        { date: '2026-03-04', value: 1 },
      ],
    });
    assert.deepEqual(
      days.body.teams[1].messages_daily.daily.map(({ value }: { value: number }) => value),
      [0, 0],
    );
    const first = await send('POST', path, { body: { limit: 1 } });
    assert.deepEqual([first.body.teams.length, first.body.teams[0].team], [1, 'blue']);
    const second = await send('POST', path, { body: { limit: 1, next: first.body.next } });
    assert.deepEqual([second.body.teams[0].team, 'next' in second.body], ['red', false]);
    assert.deepEqual((await send('POST', path, { body: { month: '2025-03' } })).body.teams, []);
  }
});

test('UA7 an application without tenants has no teams; wrong questions are refused', async () => {
  const { send } = httpWorld();
  await send('POST', '/users', { body: { users: { ann: { id: 'ann', teams: ['red'] } } } });
  for (const path of TEAM_USAGE) {
    const { body } = await send('POST', path, {});
    assert.deepEqual(Object.keys(body), ['teams', 'duration']);
    assert.deepEqual(body.teams, []);
    assertRefused(await send('POST', path, { body: { month: '2026-13' } }), 400, 4, 'month');
    assertRefused(await send('POST', path, { body: { month: '2026' } }), 400, 4, 'month');
    assertRefused(await send('POST', path, { body: { start_date: 'x', end_date: '2026-01-01' } }), 400, 4, 'start_date');
    assertRefused(await send('POST', path, { body: { start_date: '2026-01-02', end_date: '2026-01-01' } }), 400, 4, 'end_date');
    assertRefused(await send('POST', path, { body: { limit: 31 } }), 400, 4, 'limit');
    assertRefused(await send('POST', path, { token: tokenFor('ann'), body: {} }), 403, 17);
  }
});

test('UA8 GET /usage: active users of a month and of its days, guests counted among them and apart', async () => {
  for (const path of USAGE) {
    const { send } = await teamWorld();
    await send('POST', '/users', { body: { users: { idle: { id: 'idle' } } } });
    const { body } = await send('GET', path, { query: { month: '2026-03' } });
    const { duration: _, ...usage } = body;
    assert.deepEqual(usage, { month: '2026-03', monthly_active_users: 2, guests: 0, daily: [{ date: '2026-03-04', users: 2, guests: 0 }] });
    assert.equal((await send('GET', path)).body.month, '2026-03');
    const empty = (await send('GET', path, { query: { month: '2025-01' } })).body;
    assert.deepEqual([empty.monthly_active_users, empty.daily], [0, []]);
    assertRefused(await send('GET', path, { query: { month: '2026' } }), 400, 4, 'month');
    assertRefused(await send('GET', path, { token: tokenFor('ann') }), 403, 17);
  }
  const { send } = httpWorld();
  await send('POST', '/guest', { body: { user: { id: 'g' } } });
  const { body } = await send('GET', '/usage');
  assert.deepEqual([body.monthly_active_users, body.guests, body.daily[0].guests], [1, 1, 1]);
});
