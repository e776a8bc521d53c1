/** GU8: guests and anonymous callers on live connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { API_KEY, userToken, World } from '../../support/world.ts';

test('GU8 a guest connects with the token it was given, is counted once, and is an ordinary user to everyone else', async (t) => {
  const world = await World.start(t);
  const watcher = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const { body } = await world.http('POST', '/guest', { user: { id: 'visitor', name: 'Visitor' } });
  const announced = await watcher.until(({ type, user }) => type === 'user.updated' && user.id === 'visitor');
  assert.deepEqual([announced.created, announced.user.role], [true, 'guest']);
  const client = await world.open();
  const ok = await client.request({ op: 'connect', api_key: API_KEY, token: body.access_token, user: { id: 'visitor', role: 'guest' } });
  assert.deepEqual([ok.type, ok.me.id, ok.me.role], ['connection.ok', 'visitor', 'guest']);
  const month = new Date().toISOString().slice(0, 7);
  const usage = await world.http('GET', `/usage?month=${month}`);
  assert.deepEqual([usage.body.monthly_active_users, usage.body.guests], [1, 1]);
  const changed = await client.request({ op: 'update', set: { name: 'Me' } });
  assert.equal(changed.user.name, 'Me');
  await assert.rejects(client.request({ op: 'upsert', users: { x: { id: 'x' } } }));
});

test('GU8 an anonymous live connection has no user, writes nothing and is not counted', async (t) => {
  const world = await World.start(t);
  const anon = await world.open();
  const ok = await anon.request({ op: 'connect', api_key: API_KEY, token: userToken('!anon') });
  assert.deepEqual([ok.type, ok.me], ['connection.ok', undefined]);
  await assert.rejects(anon.request({ op: 'update', set: { name: 'x' } }));
  assert.equal(world.daemon.roster.directory.size, 0);
  assert.equal((await world.http('GET', '/usage')).body.monthly_active_users, 0);
});
