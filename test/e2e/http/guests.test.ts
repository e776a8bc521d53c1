/** GU8: guests and anonymous callers on live connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IoClient } from '../../support/live/io-client.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

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

/** The ways to say that nobody in particular connects. */
const NOBODY: readonly { readonly by: string; readonly connect: Record<string, unknown> }[] = [
  { by: 'a token for !anon', connect: { token: userToken('!anon') } },
  { by: 'a token for !anon and its id', connect: { token: userToken('!anon'), user: { id: '!anon' } } },
  { by: 'the id alone', connect: { user: { id: '!anon', name: 'Nobody' } } },
];

for (const { by, connect } of NOBODY) {
  test(`GU8 an anonymous connection is made with ${by}, over WebSocket and over Socket.IO`, async (t) => {
    const world = await World.start(t);
    const anon = await world.open();
    const hello = { api_key: API_KEY, ...connect };
    assert.equal((await anon.request({ op: 'connect', ...hello })).me, undefined);
    await assert.rejects(anon.request({ op: 'sub', sub: 'all', all: true }), /anonymous/);
    for (const transports of [['websocket'], ['polling']] as const) {
      const io = new IoClient(world.daemon.url, hello, { transports });
      t.after(() => io.close());
      assert.equal((await io.opened()).me, undefined);
      assert.equal((await io.request('update', { set: { name: 'x' } })).error.code, 17);
    }
    assert.equal(world.daemon.roster.directory.size, 0);
  });
}

test('GU8 GET /connect takes anonymous users: no token, or the id !anon', async (t) => {
  const world = await World.start(t, { flags: { 'rate-limits': 'off' } });
  const anon = JSON.stringify({ user_id: '!anon', user_details: { id: '!anon', name: 'Nobody' } });
  const queries: readonly Record<string, string>[] = [
    {},
    { json: anon },
    { json: anon, 'stream-auth-type': 'anonymous' },
    { json: anon, authorization: userToken('!anon'), 'stream-auth-type': 'jwt' },
    { authorization: userToken('!anon') },
    { json: '{}' },
  ];
  for (const [n, query] of queries.entries()) {
    const client = await world.open(`/connect?${new URLSearchParams({ api_key: API_KEY, ...query })}`);
    const hello = await client.until(() => true);
    assert.deepEqual([hello.type, hello.me], ['health.check', undefined], JSON.stringify(query));
    // A server's query may make it watch users, as any other connection.
    const id = `bob${n}`;
    await world.upsert({ id });
    const payload = encodeURIComponent(JSON.stringify({ filter_conditions: { id }, presence: true }));
    await world.http('GET', `/users?payload=${payload}&connection_id=${hello.connection_id}`);
    await world.upsert({ id, name: 'Bob' });
    assert.equal((await client.until(({ type }) => type === 'user.updated')).user.id, id);
  }
  const refused: readonly [Record<string, string>, number][] = [
    [{ json: '{"user_details":{"id":"ann"}}' }, 5],
    [{ json: '{"user_id":"ann"}', 'stream-auth-type': 'anonymous' }, 5],
    [{ json: anon, authorization: userToken('ann') }, 5],
    [{ json: '{"user_id":"ann"}', authorization: userToken('!anon') }, 5],
    [{ json: '{"user_id":"ann","user_details":{"id":"bob"}}', authorization: userToken('ann') }, 5],
    [{ json: anon, api_key: 'other' }, 2],
    [{ json: '[' }, 4],
    [{ authorization: userToken('ann') }, 4],
    [{ json: '{}', authorization: serverToken() }, 5],
  ];
  for (const [query, code] of refused) {
    const client = await world.open(`/connect?${new URLSearchParams({ api_key: API_KEY, ...query })}`);
    assert.equal((await client.until(({ type }) => type === 'connection.error')).error.code, code, JSON.stringify(query));
  }
  assert.equal((await world.http('GET', '/usage')).body.monthly_active_users, 0);
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
