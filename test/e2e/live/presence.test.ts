/** PR: coming and going, as live connections are told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame, LiveClient } from '../../support/live/live-client.ts';
import { userToken, World } from '../../support/world.ts';

const isPresence = (id: string, online: boolean) => (frame: Frame) =>
  frame.type === 'user.presence.changed' && frame.user.id === id && frame.user.online === online;

function presenceOf(client: LiveClient): [string, boolean][] {
  return client.frames.filter(({ type }) => type === 'user.presence.changed').map(({ user }) => [user.id, user.online]);
}

test('PR5 whoever asked for presence hears who comes and goes, nobody else does', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '50' } });
  await world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'carl' });
  const watcher = await world.chat('bob');
  await watcher.request({ op: 'sub', sub: 'friends', ids: ['ann'], presence: true });
  const indifferent = await world.chat('carl');
  await indifferent.request({ op: 'sub', sub: 'friends', ids: ['ann'] });
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true, presence: true, snapshot: false }] });

  const ann = await world.chat('ann');
  const came = await watcher.until(isPresence('ann', true));
  assert.deepEqual(came.sub, ['friends']);
  assert.equal(typeof came.user.rev, 'number');
  await server.until(isPresence('ann', true));
  ann.terminate();
  await watcher.until(isPresence('ann', false));
  await server.until(isPresence('ann', false));
  assert.deepEqual(presenceOf(indifferent), []);
  assert.deepEqual(
    presenceOf(ann).filter(([id]) => id === 'ann'),
    [],
  );
});

test('PR3 an invisible user is offline to others, in events, queries and snapshots', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  await world.upsert({ id: 'ann', invisible: true }, { id: 'bob' });
  const watcher = await world.subscriber();
  await watcher.request({ op: 'sub', sub: 'all', all: true, presence: true });
  const ann = await world.chat('ann');
  const query = () => world.http('GET', `/users?payload=${encodeURIComponent('{"filter_conditions":{"id":"ann"}}')}`);
  assert.equal((await query()).body.users[0].online, false);
  await ann.request({ op: 'update', set: { invisible: false } });
  await watcher.until(isPresence('ann', true));
  assert.equal((await query()).body.users[0].online, true);
  await ann.request({ op: 'update', set: { invisible: true } });
  await watcher.until(isPresence('ann', false));
  assert.deepEqual(presenceOf(watcher), [
    ['ann', true],
    ['ann', false],
  ]);
});

test('PR6 a filter that asks for who is online is entered by coming and left by going', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  await world.upsert({ id: 'ann', role: 'admin' }, { id: 'bob' });
  const watcher = await world.subscriber();
  await watcher.request({ op: 'sub', sub: 'admins', filter: { role: 'admin', online: true } });
  const ann = await world.chat('ann');
  const bob = await world.chat('bob');
  const entered = await watcher.until(isPresence('ann', true));
  assert.equal(entered.match, 'enter');
  bob.terminate();
  ann.terminate();
  assert.equal((await watcher.until(isPresence('ann', false))).match, 'leave');
  assert.deepEqual(new Set(presenceOf(watcher).map(([id]) => id)), new Set(['ann']));
});

test('PR7 whoever resumes is told who is online now, since coming and going has no past', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  await world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'carl' });
  const subs = [{ sub: 'all', all: true, presence: true }];
  const observer = await world.subscriber({ subs });
  const first = await world.subscriber({ subs });
  const { epoch, seq } = await first.until(({ type }) => type === 'connection.ok');
  await world.chat('ann');
  await first.until(isPresence('ann', true));
  first.terminate();
  await world.chat('bob');
  await observer.until(isPresence('bob', true));
  await world.upsert({ id: 'carl', name: 'Carl' });
  const second = await world.subscriber({ subs, resume: { epoch, seq } });
  const state = await second.until(({ type }) => type === 'presence.state');
  assert.deepEqual(
    { ...state, online: [...state.online].sort() },
    { type: 'presence.state', sub: ['all'], reset: true, online: ['ann', 'bob'] },
  );
  await world.chat('carl');
  await second.until(isPresence('carl', true));
});

test('PR8 presence is never written to the log, and everybody is away after a restart', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  await world.upsert({ id: 'bob' });
  const watcher = await world.subscriber();
  await watcher.request({ op: 'sub', sub: 'all', all: true, presence: true });
  const before = world.daemon.roster.position.seq;
  for (let round = 0; round < 3; round++) {
    const bob = await world.chat('bob');
    await watcher.next(isPresence('bob', true));
    const gone = watcher.next(isPresence('bob', false));
    bob.terminate();
    await gone;
  }
  // The first connect notes that the user was active; coming and going as such writes nothing.
  assert.ok(world.daemon.roster.position.seq <= before + 1, `${world.daemon.roster.position.seq - before} facts for 3 connects`);
});

test('PR9 a query with presence makes the connection of the caller hear of the users it found', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const bob = await world.open(
    `/connect?json=${encodeURIComponent('{"user_details":{"id":"bob"}}')}&api_key=test-key&authorization=${userToken('bob')}`,
  );
  const { connection_id } = await bob.until(({ type }) => type === 'health.check');
  const payload = encodeURIComponent('{"filter_conditions":{"id":"ann"},"presence":true}');
  const found = await world.http('GET', `/users?payload=${payload}&connection_id=${connection_id}`, undefined, userToken('bob'));
  assert.equal(found.status, 200);
  await world.chat('ann');
  const came = await bob.until(isPresence('ann', true));
  assert.equal(came.user.custom, undefined, 'the rendering of chat v1');
});
