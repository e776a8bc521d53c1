/** Guests and anonymous callers (GU5–GU8) and custom events (CE4–CE6) over HTTP and live. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { parseToken } from '../../../protocol/base/tokens.ts';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import type { UserEvent } from '../../../protocol/client/types.ts';
import { assertRefused, httpWorld, NOW_MS, signed, userToken as tokenFor } from '../../support/http/fake-backend.ts';
import { API_KEY, userToken, World } from '../../support/world.ts';

const BASES = ['', '/api/v2'];
/** The ways in which a caller is nobody: the anonymous token, no token, and saying so. */
const NOBODIES = [
  { token: signed({ user_id: '!anon' }) },
  { token: null },
  { token: null, headers: { 'stream-auth-type': 'anonymous' } },
  { token: 'whatever', headers: { 'stream-auth-type': 'anonymous' } },
];

test('GU5 POST /guest in both dialects, for a server, a client and every kind of nobody', async () => {
  for (const base of BASES) {
    const { send } = httpWorld();
    const own = await send('POST', `${base}/guest`, { body: { user: { id: 'g1', name: 'Guest', role: 'admin' } } });
    assert.equal(own.status, 201, own.text);
    assert.deepEqual([own.body.user.id, own.body.user.role, own.body.user.name], ['g1', 'guest', 'Guest']);
    assert.equal(typeof own.body.user.created_at, base === '' ? 'string' : 'number');
    assert.equal(own.body.user.last_active, own.body.user.created_at);
    assert.deepEqual(parseToken(own.body.access_token).claims, { user_id: 'g1', iat: Math.floor(NOW_MS / 1000) });
    for (const who of [...NOBODIES, { token: tokenFor('g1') }]) {
      const { status, body, text } = await send('POST', `${base}/guest`, { ...who, body: { user: { id: 'g1', name: null } } });
      assert.equal(status, 201, text);
      assert.match(body.user.id, /^guest-[0-9a-f-]{36}-g1$/);
      assert.equal(parseToken(body.access_token).claims.user_id, body.user.id);
    }
  }
});

test('GU5 custom data is where the dialect has it', async () => {
  const { send } = httpWorld();
  const flat = await send('POST', '/guest', { body: { user: { id: 'a', color: 'blue' } } });
  assert.equal(flat.body.user.color, 'blue');
  const nested = await send('POST', '/api/v2/guest', { body: { user: { id: 'b', custom: { color: 'blue' } } } });
  assert.deepEqual(nested.body.user.custom, { color: 'blue' });
});

test('GU6 what is wrong with a guest is named, and nothing is created', async () => {
  const { send, backend } = httpWorld();
  await send('POST', '/api/v2/users', { body: { users: { ann: { id: 'ann' } } } });
  const wrong: readonly [unknown, string][] = [
    [{}, 'user'],
    [{ user: null }, 'user'],
    [{ user: 'ann' }, 'user'],
    [{ user: { id: 7 } }, 'user.id'],
    [{ user: { id: 'a b' } }, 'user.id'],
    [{ user: { id: 'g', name: 7 } }, 'user.name'],
    [{ user: { id: 'g', teams: 'red' } }, 'user.teams'],
  ];
  for (const base of BASES) {
    for (const [body, field] of wrong) assertRefused(await send('POST', `${base}/guest`, { body }), 400, 4, field);
    const body = { user: { id: 'g', custom: { text: 'x'.repeat(6_000) } } };
    assertRefused(await send('POST', `${base}/guest`, { token: null, body }), 400, 4, 'user');
    assertRefused(await send('POST', `${base}/guest`, { token: null, body: { user: { teams: ['red'] } } }), 403, 17, 'user.teams');
    assertRefused(await send('POST', `${base}/guest`, { query: { api_key: 'other' }, token: null, body: { user: {} } }), 401, 2);
    assertRefused(await send('POST', `${base}/guest`, { token: tokenFor('x', { exp: 1 }), body: { user: {} } }), 401, 40);
  }
  assert.equal(backend.directory.size, 1);
});

test('GU6 switched off, or with teams kept apart, there are no guests, and the answer says why', async () => {
  const { send, backend } = httpWorld();
  for (const setting of ['guest_user_creation_disabled', 'multi_tenant_enabled'] as const) {
    await backend.submit({ kind: 'settings', set: { [setting]: true } }, 'live');
    for (const who of [{}, ...NOBODIES]) {
      assertRefused(await send('POST', '/guest', { ...who, body: { user: { id: 'g' } } }), 403, 17, undefined, new RegExp(setting));
    }
    await backend.submit({ kind: 'settings', set: { [setting]: null } }, 'live');
  }
  assert.equal(backend.directory.size, 0);
});

test('GU7 an anonymous caller may ask for a guest and for nothing else', async () => {
  const { send, backend } = httpWorld({ rateLimits: { mode: 'off' } });
  const user = { users: { ann: { id: 'ann' } } };
  for (const base of BASES) {
    for (const who of NOBODIES.filter(({ token, headers }) => token !== null || headers !== undefined)) {
      for (const [method, path, body] of [
        ['POST', '/users', user],
        ['PATCH', '/users', { users: [{ id: 'ann', set: { a: 1 } }] }],
        ['GET', '/users', undefined],
        ['GET', '/rate_limits', undefined],
        ['POST', '/users/delete', { user_ids: ['ann'] }],
        ['POST', '/users/restore', { user_ids: ['ann'] }],
      ] as const) {
        const answer = await send(method, `${base}${path}`, body === undefined ? who : { ...who, body });
        assertRefused(answer, 403, 17, undefined, /anonymous/);
      }
    }
    assertRefused(await send('POST', `${base}/users`, { token: null, body: user }), 401, 5);
  }
  assert.equal(backend.directory.size, 0);
});

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

test('CE4 a custom event reaches the live clients of its user and servers, in order, and nobody else', async (t) => {
  const world = await World.start(t);
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const ann = await world.chat('ann');
  const bob = await world.chat('bob', {}, { subs: [{ sub: 'friends', ids: ['ann'] }] });
  const query = new URLSearchParams({
    json: JSON.stringify({ user_id: 'ann', user_details: { id: 'ann' } }),
    api_key: API_KEY,
    authorization: userToken('ann'),
    'stream-auth-type': 'jwt',
  });
  const listener = await world.open(`/connect?${query}`);
  await listener.until(({ type }) => type === 'health.check');
  const flat = { event: { type: 'wave', n: 1, created_at: '0001-01-01T00:00:00Z' } };
  assert.equal((await world.http('POST', '/users/ann/event', flat)).status, 200);
  const nested = { event: { type: 'wave', custom: { n: 2, user: 'mine' } } };
  assert.equal((await world.http('POST', '/api/v2/chat/users/ann/event', nested)).status, 200);
  await world.upsert({ id: 'ann', name: 'Last' });
  for (const [who, client] of Object.entries({ server, ann, bob, listener })) {
    await client.until(({ type, user }) => type === 'user.updated' && user.name === 'Last');
    const waves = client.frames.filter(({ type }) => type === 'wave');
    if (who === 'bob') {
      assert.deepEqual(waves, []);
      continue;
    }
    const data = waves.map((frame) => (who === 'listener' ? frame.n : frame.custom.n));
    assert.deepEqual(data, [1, 2], who);
    assert.ok(
      waves.every(({ user, created_at }) => user.id === 'ann' && created_at !== flat.event.created_at),
      who,
    );
    const seqs = client.events.map(({ seq }) => seq).concat(waves.map(({ seq }) => seq));
    assert.equal(new Set(seqs).size, seqs.length, who);
  }
  assert.deepEqual(
    server.frames.filter(({ type }) => type === 'wave').map(({ sub }) => sub),
    [['all'], ['all']],
  );
});

test('CE5 who was away gets the custom events it missed, and the client library hands them out once', { timeout: 30_000 }, async (t) => {
  const world = await World.start(t);
  const client = new RosterClient({ url: world.liveUrl, apiKey: API_KEY, webSocket: WebSocket, random: () => 0 });
  t.after(() => client.disconnectUser());
  await client.connectUser({ id: 'ann' }, userToken('ann'));
  const seen: unknown[] = [];
  const own: unknown[] = [];
  client.on('event', ({ type, custom }: UserEvent) => {
    if (custom !== undefined) seen.push([type, custom.n]);
  });
  client.onCustom('wave', ({ custom }) => own.push(custom?.n));
  const event = (type: string, n: number) => world.http('POST', '/users/ann/event', { event: { type, n } });
  const got = (n: number) =>
    new Promise<void>((resolve) => {
      client.on('event', ({ custom }) => {
        if (custom?.n === n) resolve();
      });
    });
  const first = got(1);
  await event('wave', 1);
  await first;
  const position = client.position;
  assert.ok(position);
  client.disconnectUser();
  await event('wave', 2);
  // A type that is a name of the library's own is handed out all the same, and confuses nobody.
  const states: unknown[] = [];
  client.on('state', (state) => states.push(state));
  await event('state', 3);
  const last = got(3);
  await client.connectUser({ id: 'ann' }, userToken('ann'));
  await last;
  assert.deepEqual(seen, [
    ['wave', 1],
    ['wave', 2],
    ['state', 3],
  ]);
  assert.deepEqual(own, [1, 2]);
  assert.ok(states.every((state) => typeof state === 'object' && state !== null && 'kind' in state));
});

test('CE6 custom events are refused without a user, with a built-in type, without a type, or with too much data', async () => {
  const { send, backend } = httpWorld();
  await send('POST', '/users', { body: { users: { ann: { id: 'ann' } } } });
  const { seq } = backend.directory;
  for (const path of ['/users/ann/event', '/api/v2/chat/users/ann/event']) {
    assertRefused(await send('POST', path.replace('ann', 'nobody'), { body: { event: { type: 'wave' } } }), 404, 16);
    for (const type of ['user.updated', 'a.b', '', null, 7]) {
      assertRefused(await send('POST', path, { body: { event: { type } } }), 400, 4, 'event.type');
    }
    assertRefused(await send('POST', path, { body: {} }), 400, 4, 'event');
    assertRefused(await send('POST', path, { body: { event: { type: 'wave', custom: 'x' } } }), 400, 4, 'event.custom');
    assertRefused(await send('POST', path, { body: { event: { type: 'wave', custom: { a: 'x'.repeat(5_121) } } } }), 400, 4, 'event');
    assertRefused(await send('POST', path, { token: tokenFor('ann'), body: { event: { type: 'wave' } } }), 403, 17);
  }
  assert.equal(backend.directory.seq, seq);
});
