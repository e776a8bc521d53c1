/** PR: coming and going, as live connections are told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
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
  // Where there was no time to judge the change, it is told as a state.
  const tells = (online: boolean) => (frame: Frame) =>
    isPresence('ann', online)(frame) || (frame.type === 'presence.state' && frame.online.includes('ann') === online);
  const entered = await watcher.until(tells(true));
  assert.ok(entered.match === 'enter' || entered.type === 'presence.state');
  bob.terminate();
  ann.terminate();
  const left = await watcher.until(tells(false));
  assert.ok(left.match === 'leave' || left.type === 'presence.state');
  assert.ok(presenceOf(watcher).every(([id]) => id === 'ann'));
});

test('PR7 who is in a filter on online is told whenever coming and going was missed, also without presence', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  await world.upsert({ id: 'ann', role: 'admin' }, { id: 'bob', role: 'admin' }, { id: 'carl' });
  const admins = { sub: 'admins', filter: { $or: [{ $and: [{ role: 'admin' }, { online: true }] }] } };
  const others = { sub: 'others', filter: { role: 'admin' } };
  const observer = await world.subscriber({ subs: [{ sub: 'all', all: true, presence: true }] });
  const first = await world.subscriber({ subs: [admins, others] });
  const { epoch, seq } = await first.until(({ type }) => type === 'connection.ok');
  first.terminate();
  for (const id of ['ann', 'carl']) {
    await world.chat(id);
    await observer.until(isPresence(id, true));
  }
  const resume = { epoch, seq };
  const told = { type: 'presence.state', sub: ['admins'], reset: true, online: ['ann'] };
  const second = await world.subscriber({ subs: [admins, others], resume });
  assert.deepEqual(await second.until(({ type }) => type === 'presence.state'), told);
  const late = await world.subscriber({ resume });
  await late.request({ op: 'sub', ...others, snapshot: false });
  await late.request({ op: 'sub', ...admins, snapshot: false });
  assert.deepEqual(await late.until(({ type }) => type === 'presence.state'), told);
  assert.equal(late.frames.filter(({ type }) => type === 'presence.state').length, 1);
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
