/** SI: the same sessions over Socket.IO, by WebSocket and by long polling. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../../../protocol/base/limits.ts';
import { IoClient, type IoOptions } from '../../../support/live/io-client.ts';
import { API_KEY, serverToken, userToken, World } from '../../../support/world.ts';

function connected(t: TestContext, world: World, auth: object, options?: IoOptions): IoClient {
  const client = new IoClient(world.daemon.url, { api_key: API_KEY, ...auth }, options);
  t.after(() => client.close());
  return client;
}

const server = { token: serverToken() };

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']] as const) {
  const by = transports.join(' then ');

  test(`SI1 connect, subscribe and hear of every change in order (${by})`, async (t) => {
    const world = await World.start(t);
    await world.upsert({ id: 'ann', name: 'Ann' });
    const client = connected(t, world, server, { transports });
    const ok = await client.opened();
    assert.equal(ok.resumed, false);
    assert.equal(typeof ok.epoch, 'string');
    const snapshot = await client.request('sub', { sub: 'all', all: true });
    assert.deepEqual(
      snapshot.users.map(({ id }: { id: string }) => id),
      ['ann'],
    );
    const users = Array.from({ length: 100 }, (_, i) => ({ id: `u${i}`, name: `Ünë ${'x'.repeat(i * 20)}` }));
    await world.upsert(...users);
    for (let round = 0; round < 20; round++) await world.upsert({ id: 'ann', name: `Ann ${round}` });
    await client.until(({ type, user }) => type === 'user.updated' && user.name === 'Ann 19');
    const seqs = client.events.map(({ seq }) => seq);
    assert.equal(seqs.length, 120);
    assert.deepEqual(
      seqs,
      [...seqs].sort((a, b) => a - b),
    );
    assert.equal(client.events[99]?.user.name, users[99]?.name);
    assert.deepEqual(client.events[0]?.sub, ['all']);
  });
}

test('SI2 connectUser creates and merges the own user; update writes it', async (t) => {
  const world = await World.start(t);
  const client = connected(t, world, { token: userToken('ann'), user: { id: 'ann', name: 'Ann' } });
  const ok = await client.opened();
  assert.equal(ok.me.name, 'Ann');
  const answer = await client.request('update', { set: { name: 'Anna' } });
  assert.equal(answer.user.name, 'Anna');
  await client.until(({ type, user }) => type === 'user.updated' && user.name === 'Anna');
});

test('PV2 SI2 an update that names another user is refused, as on /live', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob' });
  const client = connected(t, world, { token: userToken('ann'), user: { id: 'ann', name: 'Ann' } });
  await client.opened();
  const refused = await client.request('update', { user_id: 'bob', set: { name: 'B' } });
  assert.equal(refused.error.code, 17);
  assert.deepEqual(
    ['ann', 'bob'].map((id) => world.daemon.roster.directory.user(id)?.name),
    ['Ann', undefined],
  );
});

test('SI3 a refusal is a connect_error with the error of the closed list', async (t) => {
  const world = await World.start(t);
  const cases: [object, number][] = [
    [{ token: 'nonsense' }, 43],
    [{ token: userToken('ann', { exp: 1 }) }, 40],
    [{ ...server, api_key: 'other' }, 2],
    [{ token: userToken('ann'), user: { id: 'bob' } }, 5],
    [{ token: userToken('ann'), user: { id: 'ann', role: 'admin' } }, 17],
    [{ token: 7 }, 4],
    [{}, 5],
    [{ token: null }, 5],
    [{ token: '' }, 5],
    [{ user: { id: 'ann' } }, 5],
    [{ api_key: undefined, token: userToken('ann') }, 2],
  ];
  for (const [auth, code] of cases) {
    const client = connected(t, world, auth);
    const refused = await client.opened().then(
      () => undefined,
      (error: Error & { data?: { code: number; message: string } }) => error,
    );
    assert.equal(refused?.data?.code, code, JSON.stringify(auth));
    assert.match(refused?.message ?? '', /Connect failed with error/);
    client.close();
  }
  assert.equal(world.daemon.roster.directory.size, 0);
});

test('SI4 a wrong argument is answered; what is not of the protocol ends the connection', async (t) => {
  const world = await World.start(t);
  const client = connected(t, world, server);
  await client.opened();
  const wrong = await client.request('sub', { sub: 7 });
  assert.equal(wrong.error.code, 4);
  assert.match(wrong.error.message, /Subscribe failed with error: "sub/);
  assert.deepEqual(Object.keys(await client.request('ping')), ['seq']);
  client.socket.emit('no-such-verb', {});
  const closed = await client.until(({ type }) => type === 'connection.closed');
  assert.equal(closed.code, 4400);
  assert.equal(closed.reconnect, false);
  await client.ended;
});

test('SI5 a resumed connection gets what it missed, once, over a cut and a restart', async (t) => {
  const world = await World.start(t);
  const subs = [{ sub: 'all', all: true, snapshot: false }];
  const first = connected(t, world, { ...server, subs });
  const { epoch, seq } = await first.opened();
  await world.upsert({ id: 'ann' });
  await first.until(({ user }) => user?.id === 'ann');
  first.close();
  await world.upsert({ id: 'bob' }, { id: 'carl' });
  const second = connected(t, world, { ...server, subs, resume: { epoch, seq: first.events[0]?.seq } });
  assert.equal((await second.opened()).resumed, true);
  await second.until(({ type, caught_up }) => type === 'health.check' && caught_up === true);
  assert.deepEqual(
    second.events.map(({ user }) => user.id),
    ['bob', 'carl'],
  );
  assert.ok(seq < first.events[0]?.seq);
});

test('SI6 deactivation ends the connection within a second, with the reason, and no event follows', async (t) => {
  const world = await World.start(t);
  const client = connected(t, world, { token: userToken('ann'), user: { id: 'ann' } });
  await client.opened();
  const startedMs = performance.now();
  await world.http('POST', '/users/ann/deactivate', {});
  const closed = await client.until(({ type }) => type === 'connection.closed');
  // On an idle machine. At the next heartbeat would be too late on any.
  assert.ok(performance.now() - startedMs < LIMITS.heartbeatMs / 2);
  assert.equal(closed.code, 4403);
  assert.equal(client.frames.find(({ type }) => type === 'connection.error')?.error.code, 17);
  assert.equal(client.frames.at(-1), closed);
  await client.ended;
  assert.equal(world.daemon.roster.presence.isOnline('ann'), false);
});

test('SI7 a drain is told, and the daemon stops with Socket.IO clients connected', async (t) => {
  const world = await World.start(t);
  const clients = [connected(t, world, server), connected(t, world, server, { transports: ['polling'] })];
  for (const client of clients) await client.opened();
  await world.stop();
  for (const client of clients) {
    assert.ok((await client.until(({ type }) => type === 'server.drain')).retry_ms > 0);
    assert.equal((await client.until(({ type }) => type === 'connection.closed')).code, 1012);
  }
});

test('SI8 connections above the limit and pages of other hosts are turned away before the handshake', async (t) => {
  const world = await World.start(t, { flags: { 'connections-max': '1' } });
  const client = connected(t, world, server);
  await client.opened();
  await assert.rejects(connected(t, world, server).opened());
  const poll = (origin?: string) =>
    fetch(`${world.daemon.url}/socket.io/?EIO=4&transport=polling`, origin === undefined ? {} : { headers: { origin } });
  assert.equal((await poll()).status, 403);
  client.close();
  await client.ended;
  assert.match(await (await poll('https://evil.example')).text(), /Forbidden/);
});
