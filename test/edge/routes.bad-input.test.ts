import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { LIMITS } from '../../protocol/base/limits.ts';
import {
  assertRefused,
  type HttpWorld,
  httpWorld,
  NOW_MS,
  type Received,
  type Sent,
  signed,
  userToken,
} from '../support/http/fake-backend.ts';

/** Sends a request that must be refused, and checks that it changed nothing. */
async function refused(world: HttpWorld, ...[method, path, sent]: Parameters<HttpWorld['send']>): Promise<Received> {
  const before = world.backend.position.seq;
  const received = await world.send(method, path, sent);
  assert.equal(world.backend.position.seq, before, 'something was applied');
  return received;
}

const users = (text: string): Sent => ({ payload: `{"users":${text}}` });

describe('bad users', () => {
  it('HI1 101 users, no users', async () => {
    const world = httpWorld();
    const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`u${i}`, {}]));
    for (const path of ['/users', '/api/v2/users']) {
      assertRefused(await refused(world, 'POST', path, { body: { users: many } }), 400, 4, 'users', /UpdateUsers failed.*got 101/);
      assertRefused(await refused(world, 'POST', path, users('{}')), 400, 4, 'users');
      assertRefused(await refused(world, 'PATCH', path, { body: { users: Object.keys(many).map((id) => ({ id })) } }), 400, 4, 'users');
    }
    const user_ids = Object.keys(many);
    for (const path of ['delete', 'deactivate', 'reactivate']) {
      assertRefused(await refused(world, 'POST', `/users/${path}`, { body: { user_ids } }), 400, 4, 'user_ids');
      assertRefused(await refused(world, 'POST', `/users/${path}`, { body: { user_ids: [] } }), 400, 4, 'user_ids');
    }
  });

  it('HI2 a user of 10,241 bytes, and one good user beside it', async () => {
    const world = httpWorld();
    const name = 'x'.repeat(10_241 - '{"name":"","custom":{}}'.length);
    const received = await refused(world, 'POST', '/users', { body: { users: { big: { name }, ann: {} } } });
    assertRefused(received, 400, 4, 'users[big]', /10241 bytes; at most 10240/);
    assert.equal((await world.send('POST', '/users', { body: { users: { big: { name: name.slice(1) } } } })).status, 201);
    // A patch must not make a user bigger either.
    const patch = { users: [{ id: 'big', set: { a: 1 } }] };
    assertRefused(await refused(world, 'PATCH', '/users', { body: patch }), 400, 4, 'users[big]');
  });

  it('HI3 ids: __proto__, constructor, empty, 256 characters, spaces', async () => {
    const world = httpWorld();
    const long = 'i'.repeat(256);
    const bad: [string, string][] = [
      ['__proto__', 'users[__proto__].id'],
      ['constructor', 'users[constructor].id'],
      ['', 'users[].id'],
      [long, `users[${long.slice(0, 64)}…].id`],
      ['a b', 'users[a b].id'],
    ];
    for (const [id, field] of bad) {
      assertRefused(await refused(world, 'POST', '/users', users(`{${JSON.stringify(id)}:{}}`)), 400, 4, field);
      assertRefused(
        await refused(world, 'POST', '/api/v2/users', users(`{${JSON.stringify(id)}:{"id":${JSON.stringify(id)}}}`)),
        400,
        4,
        field,
      );
      assertRefused(await refused(world, 'POST', '/users/delete', { body: { user_ids: ['ann', id] } }), 400, 4, 'user_ids[1]');
      if (id === '') continue;
      assertRefused(await refused(world, 'POST', `/users/${encodeURIComponent(id)}/deactivate`, { body: {} }), 400, 4, 'user_id');
      assertRefused(await refused(world, 'DELETE', `/users/${encodeURIComponent(id)}`), 400, 4, 'user_id');
    }
  });

  it('HI4 set paths through prototypes, overlapping set and unset', async () => {
    const world = httpWorld();
    await world.send('POST', '/users', { body: { users: { ann: {} } } });
    const patch = (set: string, unset: string[] = []): Sent => ({
      payload: `{"users":[{"id":"ann","set":{${JSON.stringify(set)}:1},"unset":${JSON.stringify(unset)}}]}`,
    });
    for (const path of ['__proto__.x', 'constructor.prototype.x', 'a.__proto__.x', '__proto__']) {
      for (const url of ['/users', '/api/v2/users']) {
        assertRefused(await refused(world, 'PATCH', url, patch(path)), 400, 4, `users[ann].set.${path}`);
      }
    }
    assertRefused(await refused(world, 'PATCH', '/users', patch('a.b', ['a'])), 400, 4, 'users[ann].unset.a');
    assertRefused(await refused(world, 'PATCH', '/users', patch('a b')), 400, 4, 'users[ann].set.a b');
    // A name that is merely inherited never reaches what it is inherited from.
    const { body } = await world.send('PATCH', '/users', patch('toString.call'));
    assert.deepEqual(body.users.ann.toString, { call: 1 });
    assert.equal(typeof Object.prototype.toString.call, 'function');
    assert.equal(({} as { x?: number }).x, undefined);
  });

  it('HI5 a role that does not exist; all errors of a batch are listed, of form and of rules', async () => {
    const world = httpWorld();
    const sent = { users: { ann: { role: 'captain' }, bob: { role: 5 }, cem: { teams: [''] }, dan: { a: 1 } } };
    const received = await refused(world, 'POST', '/users', { body: sent });
    assertRefused(received, 400, 4, 'users[ann].role', /role \\+"captain\\+" does not exist/);
    assert.deepEqual(
      received.body.errors.map(({ path, code }: { path: string; code: number }) => [path, code]),
      [
        ['users[bob].role', 4],
        ['users[ann].role', 4],
        ['users[cem].teams[0]', 4],
      ],
    );
  });

  it('HI6 reserved names and endless nesting in custom data', async () => {
    const world = httpWorld();
    assertRefused(await refused(world, 'POST', '/users', users('{"ann":{"a":{"__proto__":{"x":1}}}}')), 400, 4, 'users[ann].a.__proto__');
    assertRefused(
      await refused(world, 'POST', '/api/v2/users', users('{"ann":{"custom":{"constructor":1}}}')),
      400,
      4,
      'users[ann].custom.constructor',
    );
    const nested = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const deep = nested(40_000);
    assertRefused(await refused(world, 'POST', '/users', users(`{"ann":{"a":${deep}}}`)), 400, 4);
    assertRefused(await refused(world, 'PATCH', '/users', { payload: `{"users":[{"id":"ann","set":{"a":${deep}}}]}` }), 400, 4);
    assertRefused(await refused(world, 'POST', '/users', { payload: deep }), 400, 4, '[0][0][0][0]');
    assertRefused(await refused(world, 'POST', '/users', { payload: nested(200_000) }), 413, 22);
  });
});

describe('bad bodies', () => {
  it('HI10 malformed JSON says where', async () => {
    const world = httpWorld();
    const bad: [string, RegExp][] = [
      ['{"users": nope}', /unexpected \\+"n\\+" at line 1, column 11/],
      ['{"users":\n  {"ann": {},}}', /unexpected \\+"}\\+" at line 2, column 14/],
      ['{"users":', /ends too early/],
      ['{"a":"\u0001"}', /line 1, column 7/],
      ['{"a":1} x', /unexpected \\+"x\\+" at line 1, column 9/],
      ["{'a':1}", /unexpected \\+"'\\+" at line 1, column 2/],
      ['   ', /is empty/],
    ];
    for (const [payload, text] of bad) assertRefused(await refused(world, 'POST', '/users', { payload }), 400, 4, 'body', text);
    assertRefused(await refused(world, 'POST', '/users', { payload: Buffer.from([0x7b, 0xff, 0x7d]) }), 400, 4, 'body', /not UTF-8/);
    assertRefused(await refused(world, 'POST', '/users', { payload: '"text"' }), 400, 4, 'body', /must be object, got string/);
    assertRefused(await refused(world, 'GET', '/users', { query: { payload: '{"a":' } }), 400, 4, 'payload');
    assertRefused(await refused(world, 'POST', '/users'), 400, 4, 'users', /is required/);
  });

  it('HI11 another content type, another encoding', async () => {
    const world = httpWorld();
    const payload = '{"users":{"ann":{}}}';
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'nonsense',
      'application/jsonp',
    ]) {
      assertRefused(await refused(world, 'POST', '/users', { payload, headers: { 'content-type': type } }), 400, 4, 'content-type');
    }
    assertRefused(await refused(world, 'POST', '/users', { payload, headers: { 'content-encoding': 'br' } }), 400, 4, 'content-encoding');
    for (const type of ['application/json; charset=utf-8', 'Application/JSON', 'application/merge-patch+json']) {
      assert.equal((await world.send('POST', '/users', { payload, headers: { 'content-type': type } })).body.users.ann.id, 'ann');
    }
  });

  it('HI12 gzip and deflate are unpacked; broken data is refused; a bomb is not unpacked', async () => {
    const world = httpWorld();
    const text = Buffer.from('{"users":{"ann":{}}}');
    for (const [encoding, payload] of [
      ['gzip', gzipSync(text)],
      ['deflate', deflateSync(text)],
      ['deflate', deflateRawSync(text)],
    ] as const) {
      assert.equal((await world.send('POST', '/users', { payload, headers: { 'content-encoding': encoding } })).body.users.ann.id, 'ann');
    }
    const headers = { 'content-encoding': 'gzip' };
    assertRefused(await refused(world, 'POST', '/users', { payload: text, headers }), 400, 4, 'body');
    assertRefused(await refused(world, 'POST', '/users', { payload: gzipSync(text).subarray(0, 20), headers }), 400, 4, 'body');
    const bomb = gzipSync(Buffer.alloc(256 * 1024 * 1024, 0x20));
    assert.ok(bomb.length < LIMITS.bodyBytes);
    const before = process.memoryUsage().rss;
    assertRefused(await refused(world, 'POST', '/users', { payload: bomb, headers }), 413, 22);
    assert.ok(process.memoryUsage().rss - before < 64 * 1024 * 1024, 'the bomb was unpacked');
  });
});

describe('bad paths', () => {
  it('HI20 a literal plus, a broken escape, an escaped slash', async () => {
    const world = httpWorld();
    for (const id of ['a+b', 'a%20b', 'a%2Fb', '%00']) {
      assertRefused(await refused(world, 'POST', `/users/${id}/deactivate`, { body: {} }), 400, 4, 'user_id');
    }
    for (const id of ['a%zz', '%', '%e0%a4']) assertRefused(await refused(world, 'POST', `/users/${id}/deactivate`, { body: {} }), 400, 4);
    assertRefused(await refused(world, 'DELETE', `/users/${'x'.repeat(5_000)}`), 400, 4);
    assertRefused(await refused(world, 'DELETE', `/console/api/users/${'x'.repeat(5_000)}`), 400, 4);
    // `@` may come escaped.
    await world.send('POST', '/users', { body: { users: { '@ann': {} } } });
    assert.equal((await world.send('POST', '/users/%40ann/deactivate', { body: {} })).status, 200);
  });

  it('HI21 unknown endpoints and methods: 404 in the form of all errors, and what is allowed', async () => {
    const world = httpWorld();
    for (const path of ['/nothing', '/api/v2', '/api/v2/nothing', '/users/x/y/z'])
      assertRefused(await refused(world, 'GET', path), 404, 16);
    const wrong = await refused(world, 'PUT', '/api/v2/users/');
    assertRefused(wrong, 404, 16, undefined, /PUT is not supported here/);
    assert.equal(wrong.headers.allow, 'GET, POST, PATCH');
    assert.equal((await world.send('GET', '//api///v2//users//')).status, 200);
  });
});

describe('bad tokens', () => {
  const nowS = NOW_MS / 1000;
  const cases: [string, string, number, number, number][] = [
    ['alg none', signed({ server: true }, { header: { alg: 'none' } }), 401, 43, 43],
    ['RS256', signed({ server: true }, { header: { alg: 'RS256' } }), 401, 43, 43],
    ['a wrong secret', signed({ server: true }, { secret: 'wrong' }), 401, 43, 43],
    ['expired', userToken('ann', { exp: nowS - 60 }), 401, 40, 40],
    ['issued in the future', userToken('ann', { iat: nowS + 60 }), 401, 42, 42],
    ['not valid yet', userToken('ann', { nbf: nowS + 60 }), 401, 41, 41],
    ['nonsense', 'nonsense', 401, 43, 43],
  ];

  it('HI30 alg none, RS256, wrong secret, expired, future iat: refused before the body is read', async () => {
    const world = httpWorld();
    for (const [name, token, status, code] of cases) {
      const received = await refused(world, 'POST', '/users', { token, payload: '{"users":{"ann":{}}}' });
      assertRefused(received, status, code, undefined, /UpdateUsers failed/);
      assertRefused(await refused(world, 'POST', '/users', { token, payload: 'not json' }), status, code);
      assert.equal(world.backend.commands.length, 0, name);
    }
    assertRefused(await refused(world, 'POST', '/users', { token: null, body: {} }), 401, 5);
  });

  it('HI31 another key, another auth type', async () => {
    const world = httpWorld();
    assertRefused(await refused(world, 'GET', '/users', { query: { api_key: 'other' } }), 401, 2, undefined, /api_key not valid/);
    assertRefused(await refused(world, 'GET', '/users', { headers: { 'stream-auth-type': 'basic' } }), 401, 2);
  });

  it('HI32 the token of one user writes no other', async () => {
    const world = httpWorld();
    await world.send('POST', '/users', { body: { users: { ann: {}, bob: {} } } });
    const token = userToken('ann');
    assertRefused(await refused(world, 'POST', '/users', { token, body: { users: { bob: { name: 'x' } } } }), 403, 17, 'users[bob].id');
    assertRefused(
      await refused(world, 'PATCH', '/api/v2/users', { token, body: { users: [{ id: 'bob', set: { a: 1 } }] } }),
      403,
      17,
      'users[bob].id',
    );
  });
});
