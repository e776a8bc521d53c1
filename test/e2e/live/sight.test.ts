/** LV5: whom a chat client may hear of, with and without walls between teams. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame } from '../../support/live/received.ts';
import { World } from '../../support/world.ts';

async function walled(world: World): Promise<void> {
  await world.http('PATCH', '/app', { multi_tenant_enabled: true });
  await world.upsert(
    { id: 'ann', teams: ['red'] },
    { id: 'bob', teams: ['red', 'blue'] },
    { id: 'carl', teams: ['blue'] },
    { id: 'dora', teams: [] },
  );
}

const ids = (users: { id: string }[]): string[] => users.map(({ id }) => id).sort();
const named = (id: string) => (frame: Frame) => frame.user?.id === id;

test('LV5 without walls, a client that may search subscribes to everyone, teams and filters', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob', teams: ['red'] }, { id: 'carl', role: 'admin' });
  const ann = await world.chat('ann');
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'all', all: true })).users), ['ann', 'bob', 'carl']);
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'red', teams: ['red'] })).users), ['bob']);
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'admins', filter: { role: 'admin' } })).users), ['carl']);
});

test('LV5 with walls, snapshots and events of every kind of subscription stay within the own teams', async (t) => {
  const world = await World.start(t);
  await walled(world);
  const ann = await world.chat('ann');
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'all', all: true })).users), ['ann', 'bob']);
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'blue', teams: ['blue'] })).users), ['bob']);
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'some', ids: ['bob', 'carl', 'dora'] })).users), ['bob']);
  await world.upsert({ id: 'carl', name: 'Carl' }, { id: 'dora', name: 'Dora' }, { id: 'bob', name: 'Bob' });
  await world.upsert({ id: 'ann', name: 'Ann' });
  await ann.until(({ user }) => user?.name === 'Ann');
  assert.deepEqual(new Set(ann.events.map(({ user }) => user.id)), new Set(['bob', 'ann']));
  const dora = await world.chat('dora');
  assert.deepEqual(ids((await dora.request({ op: 'sub', sub: 'all', all: true })).users), ['dora']);
});

test('LV5 who leaves the sight of a client is named and no longer shown', async (t) => {
  const world = await World.start(t);
  await walled(world);
  const ann = await world.chat('ann');
  await ann.request({ op: 'sub', sub: 'all', all: true });
  await world.upsert({ id: 'bob', name: 'Secret', teams: ['blue'] });
  const hidden = await ann.until(({ type }) => type === 'user.hidden');
  assert.deepEqual(hidden.user, { id: 'bob' });
  assert.equal(typeof hidden.seq, 'number');
  await world.upsert({ id: 'bob', name: 'Bob', teams: ['red'] });
  await ann.until(named('bob'));
  assert.ok(!JSON.stringify(ann.frames).includes('Secret'));
});

test('LV5 when the own teams change, every subscription ends with sub.reset and is made anew', async (t) => {
  const world = await World.start(t);
  await walled(world);
  const ann = await world.chat('ann');
  await ann.request({ op: 'sub', sub: 'all', all: true });
  await world.upsert({ id: 'ann', teams: ['blue'] });
  assert.equal((await ann.until(({ type }) => type === 'sub.reset')).sub, 'all');
  await world.upsert({ id: 'carl', name: 'Carl' });
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'all', all: true })).users), ['ann', 'bob', 'carl']);
  assert.ok(!ann.events.some(named('carl')), 'nothing came between the reset and the new subscription');
  const reset = ann.next(({ type }) => type === 'sub.reset');
  await world.http('PATCH', '/app', { multi_tenant_enabled: false });
  await reset;
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'all', all: true })).users), ['ann', 'bob', 'carl', 'dora']);
});

test('LV5 presence stops at the walls too, and a deleted user is told only to those who could see it', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  await walled(world);
  const ann = await world.chat('ann');
  await ann.request({ op: 'sub', sub: 'all', all: true, presence: true });
  const dora = await world.chat('dora');
  await dora.request({ op: 'sub', sub: 'some', ids: ['bob', 'carl'], presence: true });
  await world.chat('carl');
  await world.chat('bob');
  await ann.until(({ type, user }) => type === 'user.presence.changed' && user.id === 'bob');
  await world.http('POST', '/users/delete', { user_ids: ['carl', 'bob'], user: 'hard', messages: 'hard', conversations: 'hard' });
  assert.equal((await ann.until(({ type }) => type === 'user.deleted')).user.id, 'bob');
  await world.upsert({ id: 'dora', name: 'Dora' });
  await dora.until(({ user }) => user?.name === 'Dora');
  assert.deepEqual(new Set(dora.frames.filter(({ user }) => user !== undefined).map(({ user }) => user.id)), new Set(['dora']));
  assert.ok(!ann.frames.some(named('carl')));
});
