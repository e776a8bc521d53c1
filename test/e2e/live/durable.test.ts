/** DC: durable consumers, whose position the daemon keeps. DW: why a connection was told of an event or was not. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const subs = [{ sub: 'all', all: true, snapshot: false }];

function consumer(world: World, name = 'mirror'): Promise<LiveClient> {
  return world.subscriber({ durable: name, subs });
}

const names = (client: LiveClient): string[] => client.events.map(({ user }) => user.id);

async function cursorOf(world: World, name = 'mirror'): Promise<number | undefined> {
  const { body } = await world.http('GET', '/consumers');
  return body.consumers.find((one: { name: string }) => one.name === name)?.seq;
}

test('DC1 a durable consumer goes on behind what it acknowledged, and gets again what it did not', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'before' });
  const first = await consumer(world);
  await world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'carl' });
  await first.until(({ user }) => user?.id === 'carl');
  assert.deepEqual(names(first), ['ann', 'bob', 'carl']);
  first.send({ op: 'ack', seq: first.events[0].seq });
  await first.request({ op: 'ping' });
  first.terminate();
  await world.upsert({ id: 'dora' });
  const second = await consumer(world);
  assert.equal(second.frames[0].resumed, true);
  await second.until(({ user }) => user?.id === 'dora');
  assert.deepEqual(names(second), ['bob', 'carl', 'dora']);
});

test('DC2 the position survives a restart of the daemon', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const world = await World.start(t, { data });
  const first = await consumer(world);
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  await first.until(({ user }) => user?.id === 'bob');
  first.send({ op: 'ack', seq: first.events[1].seq });
  await first.request({ op: 'ping' });
  await world.stop();
  const again = await World.start(t, { data });
  await again.upsert({ id: 'carl' });
  const second = await consumer(again);
  await second.until(({ user }) => user?.id === 'carl');
  assert.deepEqual(names(second), ['carl']);
});

test('DC3 an acknowledgement never goes back and never beyond what was delivered', async (t) => {
  const world = await World.start(t);
  const client = await consumer(world);
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  await client.until(({ user }) => user?.id === 'bob');
  const [ann, bob] = client.events;
  client.send({ op: 'ack', seq: bob.seq });
  client.send({ op: 'ack', seq: ann.seq });
  await assert.rejects(client.request({ op: 'ack', seq: bob.seq + 1_000 }), /nothing beyond/);
  client.terminate();
  const again = await consumer(world);
  assert.equal(await cursorOf(world), bob.seq);
  assert.equal(again.frames[0].seq, bob.seq);
});

test('DC4 one session speaks for a consumer: the older one is closed as replaced', async (t) => {
  const world = await World.start(t);
  const first = await consumer(world);
  await consumer(world, 'other');
  const second = await consumer(world);
  assert.equal((await first.closed).code, 4409);
  await world.upsert({ id: 'ann' });
  await second.until(({ user }) => user?.id === 'ann');
});

test('DC5 consumers are for servers; who is none acknowledges nothing', async (t) => {
  const world = await World.start(t);
  const chat = await world.open();
  chat.send({ op: 'connect', id: 1, api_key: API_KEY, token: userToken('ann'), durable: 'mirror' });
  assert.equal((await chat.closed).code, 4403);
  const client = await world.subscriber();
  await assert.rejects(client.request({ op: 'ack', seq: 0 }), /only a durable consumer/);
  const wrong = await world.open();
  wrong.send({ op: 'connect', id: 1, api_key: API_KEY, token: serverToken(), durable: 'not a name' });
  assert.equal((await wrong.closed).code, 4400);
});

test('DC6 a consumer whose past is no longer kept is told so and starts with a snapshot', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' });
  const first = await consumer(world);
  first.terminate();
  const { roster } = world.daemon;
  const stored = roster.directory.docs.get('consumer', 'mirror');
  assert.ok(stored !== undefined);
  await roster.submit({ kind: 'docs', changes: [{ kind: 'consumer', id: 'mirror', doc: { ...stored, epoch: 'lost' } }] }, 'live');
  const second = await world.subscriber({ durable: 'mirror', subs: [{ sub: 'all', all: true }] });
  assert.equal(second.frames[0].resumed, false);
  const snapshot = await second.until(({ users }) => users !== undefined);
  assert.deepEqual(
    snapshot.users.map(({ id }: { id: string }) => id),
    ['ann'],
  );
  second.send({ op: 'ack', seq: snapshot.seq });
  await second.request({ op: 'ping' });
  second.terminate();
  assert.equal((await consumer(world)).frames[0].resumed, true);
});

test('DC7 a consumer is forgotten on request', async (t) => {
  const world = await World.start(t);
  const client = await consumer(world);
  assert.equal((await world.http('DELETE', '/consumers/mirror')).status, 200);
  assert.equal((await client.closed).code, 4409);
  assert.equal(await cursorOf(world), undefined);
  assert.equal((await world.http('DELETE', '/consumers/mirror')).body.code, 16);
});

test('DW1 the answer says for each subscription which rule told of the event or kept it back', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob', teams: ['red'], custom: { level: 1 } });
  const client = await world.subscriber();
  const { connection_id } = await client.until(({ type }) => type === 'connection.ok');
  for (const sub of [
    { sub: 'ids', ids: ['bob'] },
    { sub: 'others', ids: ['carl'] },
    { sub: 'reds', teams: ['red'] },
    { sub: 'blues', teams: ['blue'] },
    { sub: 'high', filter: { level: { $gte: 5 } } },
    { sub: 'all', all: true },
  ]) {
    await client.request({ op: 'sub', ...sub });
  }
  await world.upsert({ id: 'bob', teams: ['red'], custom: { level: 2 } });
  const { seq } = await client.until(({ type }) => type === 'user.updated');
  await client.request({ op: 'sub', sub: 'late', all: true });
  const { status, body } = await world.http('GET', `/debug/why?event=${seq}&connection=${connection_id}`);
  assert.equal(status, 200);
  assert.deepEqual(body.event, { seq, type: 'user.updated', user_id: 'bob', audience: 'all' });
  const results = new Map(body.subscriptions.map(({ sub, result }: Frame) => [sub, result]));
  assert.deepEqual(Object.fromEntries(results), {
    ids: 'sent',
    others: 'not sent: the id is not among the ids asked for',
    reds: 'sent with match stay',
    blues: 'not sent: the user is and was in none of the teams',
    high: 'not sent: the user does and did not match the filter',
    all: 'sent',
    late: `not sent: the subscription begins after position ${seq}`,
  });
});

test('DW2 what only the user itself or servers hear of is named as the reason; wrong questions are refused', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const chat = await world.chat('bob');
  const { connection_id } = await chat.until(({ type }) => type === 'connection.ok');
  await chat.request({ op: 'sub', sub: 'ann', ids: ['ann'] });
  await world.http('POST', '/api/v2/moderation/mute', { target_ids: ['bob'], user_id: 'ann' });
  const seq = world.daemon.roster.position.seq;
  const why = (query: string) => world.http('GET', `/debug/why?${query}`);
  const { body } = await why(`event=${seq}&connection=${connection_id}`);
  assert.deepEqual(body.subscriptions, [
    { sub: '(self)', want: 'ids', result: 'not sent: the id is not among the ids asked for' },
    { sub: 'ann', want: 'ids', result: 'not sent: only the user itself and servers are sent user.muted' },
  ]);
  assert.equal((await why(`event=${seq}&connection=nobody`)).body.code, 4);
  assert.equal((await why(`event=${seq + 9}&connection=${connection_id}`)).body.code, 16);
  assert.equal((await why('event=x&connection=y')).body.code, 4);
});
