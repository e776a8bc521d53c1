/** Guests and anonymous callers over HTTP: GU5–GU7. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseToken } from '../../../protocol/base/tokens.ts';
import { assertRefused, httpWorld, NOW_MS, signed, userToken as tokenFor } from '../../support/http/fake-backend.ts';

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
