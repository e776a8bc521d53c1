import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, type Send, userToken } from '../../support/http/fake-backend.ts';
import { API_KEY, serverToken, userToken as tokenOf, World } from '../../support/world.ts';

async function create(send: Send, ...ids: string[]): Promise<void> {
  const { status } = await send('POST', '/users', { body: { users: Object.fromEntries(ids.map((id) => [id, { id, name: id }])) } });
  assert.equal(status, 201);
}

describe('app, rate limits, health', () => {
  it('HT40 settings: PATCH tolerates a whole app sent back, GET shows what was set', async () => {
    const { send } = httpWorld();
    const before = await send('GET', '/app');
    assert.equal(before.body.app.name, 'rosterd');
    assert.equal(before.body.app.enforce_unique_usernames, 'no');
    assert.equal('revoke_tokens_issued_before' in before.body.app, false);
    for (const field of ['webhook_events', 'event_hooks', 'user_search_disallowed_roles'])
      assert.deepEqual(before.body.app[field], [], field);
    for (const field of ['grants', 'policies', 'channel_configs', 'call_types']) assert.deepEqual(before.body.app[field], {}, field);
    const stamp = '2026-01-02T03:04:05.000006Z';
    const patched = await send('PATCH', '/app', {
      body: { ...before.body.app, name: '', channel_configs: null, enforce_unique_usernames: 'team', revoke_tokens_issued_before: stamp },
    });
    assert.equal(patched.status, 200);
    assert.equal(typeof patched.body.duration, 'string');
    assert.equal((await send('GET', '/app')).body.app.revoke_tokens_issued_before, stamp);
    const v2 = await send('GET', '/api/v2/app');
    assert.equal(v2.body.app.enforce_unique_usernames, 'team');
    assert.match(v2.text, /"revoke_tokens_issued_before":1767323045000006000\b/);
    await send('PATCH', '/api/v2/app', { body: { enforce_unique_usernames: 'app' } });
    assert.equal((await send('GET', '/app')).body.app.revoke_tokens_issued_before, stamp);
    await send('PATCH', '/app', { body: { revoke_tokens_issued_before: null } });
    assert.equal('revoke_tokens_issued_before' in (await send('GET', '/app')).body.app, false);
    const taken = await send('POST', '/users', { body: { users: { a: { name: 'John Doe' }, b: { name: 'john.doe' } } } });
    assertRefused(taken, 400, 6, 'users[b].name', /duplicate username/);
  });

  it('HT41 GET /rate_limits: the platforms and endpoints asked for', async () => {
    const { send } = httpWorld();
    for (const path of ['/rate_limits', '/api/v2/rate_limits']) {
      const { body } = await send('GET', path, {
        query: { server_side: 'true', android: 'true', ios: '', endpoints: 'GetRateLimits,SendMessage' },
      });
      assert.deepEqual(Object.keys(body), ['server_side', 'android', 'duration']);
      assert.deepEqual(Object.keys(body.android), ['GetRateLimits', 'SendMessage']);
      assert.ok(body.server_side.GetRateLimits.remaining < body.server_side.GetRateLimits.limit);
      assert.equal(body.android.GetRateLimits.remaining, body.android.GetRateLimits.limit);
      assert.ok(body.android.SendMessage.limit > 0);
    }
    const all = await send('GET', '/rate_limits');
    assert.deepEqual(Object.keys(all.body), ['server_side', 'android', 'ios', 'web', 'unity', 'duration']);
    assertRefused(await send('GET', '/rate_limits', { query: { endpoints: '__proto__' } }), 400, 4, 'endpoints');
  });

  it('HT42 a client over its limit gets 429, code 9, Retry-After; nothing is applied', async () => {
    const { send, backend } = httpWorld({ rateLimits: { mode: 'clients', overrides: { UpdateUsersPartial: 6_000 } } });
    await create(send, 'ann');
    const write = (i: number) => send('PATCH', '/users', { token: userToken('ann'), body: { users: [{ id: 'ann', set: { i } }] } });
    for (let i = 0; i < 60; i++) assert.equal((await write(i)).status, 200);
    const refused = await write(60);
    assertRefused(refused, 429, 9);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    assert.equal(refused.headers['x-ratelimit-remaining'], '0');
    assert.deepEqual(backend.directory.user('ann')?.custom, { i: 59 });
  });

  it('HT43 servers are limited too where the operator says so', async () => {
    const { send } = httpWorld({ rateLimits: { mode: 'all', overrides: { GetApp: 60 } } });
    for (let i = 0; i < 2; i++) assert.equal((await send('GET', '/app')).status, 200);
    assertRefused(await send('GET', '/app'), 429, 9);
  });

  it('HT44 health needs no token; not ready is 503 there and code -1 elsewhere', async () => {
    const { send, backend } = httpWorld();
    for (const path of ['/healthz', '/readyz']) {
      const { status, body } = await send('GET', path, { token: null });
      assert.deepEqual([status, body], [200, { status: 'ok' }]);
    }
    backend.ready = false;
    assert.equal((await send('GET', '/healthz', { token: null })).status, 200);
    assert.equal((await send('GET', '/readyz', { token: null })).status, 503);
    assertRefused(await send('GET', '/users'), 503, -1);
  });

  it('HT45 CORS: headers for allowed origins only, on errors too, and the preflight', async () => {
    const { send } = httpWorld({ origins: ['https://app.example'] });
    const from = (origin: string) => ({ headers: { origin } });
    const good = await send('OPTIONS', '/api/v2/users', { ...from('https://app.example'), token: null });
    assert.equal(good.status, 204);
    assert.equal(good.headers['access-control-allow-origin'], 'https://app.example');
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
      assert.ok(good.headers['access-control-allow-methods']?.split(', ').includes(method), method);
    }
    assert.match(good.headers['access-control-allow-headers'] ?? '', /authorization/);
    assert.equal((await send('OPTIONS', '/users', { ...from('https://evil.example'), token: null })).status, 403);
    const refused = await send('GET', '/users', { ...from('https://app.example'), token: 'x' });
    assert.equal(refused.headers['access-control-allow-origin'], 'https://app.example');
    assert.match(refused.headers['access-control-expose-headers'] ?? '', /X-RateLimit-Remaining/);
    const other = await send('GET', '/users', from('https://evil.example'));
    assert.equal(other.headers['access-control-allow-origin'], undefined);
    assert.equal(other.headers.vary, 'Origin');
  });

  it('HT46 an unexpected exception is 500, code -1, logged with the request id; the next request is served', async () => {
    const { send, backend, logs } = httpWorld();
    backend.failure = new TypeError('boom');
    const refused = await send('POST', '/users', { body: { users: { ann: {} } } });
    assertRefused(refused, 500, -1, undefined, /internal error/);
    assert.doesNotMatch(refused.text, /boom/);
    const line = logs.find(({ text }) => text === 'unexpected error');
    assert.equal(line?.level, 'error');
    assert.equal(line?.details.id, refused.headers['x-request-id']);
    backend.failure = undefined;
    await create(send, 'ann');
  });

  it('HT47 the log has one line per request at the level of its error, and never token, query or body', async () => {
    const { send, logs } = httpWorld();
    const token = userToken('secretive');
    await send('GET', '/users', { token, query: { payload: '{"filter_conditions":{"name":"private words"}}' } });
    await send('POST', '/users', { token: 'forged', body: { users: { ann: { name: 'private words' } } } });
    await send('POST', '/users/private-words/deactivate', { body: {} });
    assert.deepEqual(
      logs.map(({ level, text }) => [level, text]),
      [
        ['info', 'request'],
        ['warn', 'request'],
        ['info', 'request'],
      ],
    );
    const { method, route, operation, status, caller, error } = logs[0]?.details ?? {};
    assert.deepEqual([method, route, operation, status, caller, error], ['GET', '/users', 'QueryUsers', 404, 'user', 'not_found']);
    assert.doesNotMatch(JSON.stringify(logs), /private.words|forged|secretive|payload|api_key/);
  });
});

describe('settings of a real daemon', () => {
  it('AS9 settings outlive a restart; a client may neither read nor change them; secrets are shown and never logged', async (t) => {
    const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
    t.after(() => rm(data, { recursive: true, force: true }));
    const lines: string[] = [];
    const first = await World.start(t, { data, onLog: (line) => lines.push(line) });
    const hook = { hook_type: 'sqs', sqs_secret: 'queue-secret-words', enabled: true };
    const set = {
      name: 'Clinic',
      sqs_secret: 'app-secret-words',
      sns_secret: 'sns-secret-words',
      event_hooks: [hook],
      grants: { guest: [] },
    };
    const patched = await first.http('PATCH', '/api/v2/app', set);
    assert.equal(patched.status, 200);
    assert.deepEqual(Object.keys(patched.body), ['duration']);
    assert.equal((await first.http('PATCH', '/app', { sqs_secret: ['app-secret-words'] })).status, 400);
    for (const method of ['GET', 'PATCH']) {
      const refused = await first.http(method, '/app', method === 'GET' ? undefined : { name: 'x' }, tokenOf('ann'));
      assert.deepEqual([refused.status, refused.body.code], [403, 17]);
    }
    const before = (await first.http('GET', '/api/v2/app')).body.app;
    assert.equal(before.sqs_secret, 'app-secret-words');
    assert.equal(before.event_hooks[0].sqs_secret, 'queue-secret-words');
    await first.stop();
    const second = await World.start(t, { data, onLog: (line) => lines.push(line) });
    assert.deepEqual((await second.http('GET', '/api/v2/app')).body.app, before);
    assert.ok(lines.length > 5);
    assert.doesNotMatch(lines.join('\n'), /secret-words/);
  });

  it('AU11 revocation of a user and of all, in both dialects: sockets close within a second, servers stay, null undoes it', async (t) => {
    const world = await World.start(t);
    const nowS = Math.floor(Date.now() / 1000);
    const stamp = new Date((nowS - 10) * 1000).toISOString();
    const ofUser = (to: string | null) => ['/users', { users: [{ id: 'ann', set: { revoke_tokens_issued_before: to } }] }] as const;
    const ofApp = (to: string | null) => ['/app', { revoke_tokens_issued_before: to }] as const;
    await world.upsert({ id: 'ann' }, { id: 'bob' });
    for (const base of ['', '/api/v2']) {
      for (const revoke of [ofUser, ofApp]) {
        const [path, body] = revoke(stamp);
        const open = async (id: string, claims: object) => {
          const client = await world.open();
          await client.request({ op: 'connect', api_key: API_KEY, token: tokenOf(id, { ...claims }), user: { id } });
          return client;
        };
        const [old, undated, fresh, bob] = await Promise.all([
          open('ann', { iat: nowS - 20 }),
          open('ann', {}),
          open('ann', { iat: nowS }),
          open('bob', {}),
        ]);
        const server = await world.subscriber();
        const startedMs = performance.now();
        assert.equal((await world.http('PATCH', `${base}${path}`, body)).status, 200);
        for (const client of revoke === ofApp ? [old, undated, bob] : [old, undated]) {
          assert.equal((await client.closed).code, 4401);
          assert.equal(client.frames.at(-1).error.code, 40);
        }
        assert.ok(performance.now() - startedMs < 1_000);
        for (const client of revoke === ofApp ? [fresh, server] : [fresh, server, bob])
          assert.equal((await client.request({ op: 'ping' })).error, undefined);
        const ask = async (claims: object) => (await world.http('GET', '/users', undefined, tokenOf('ann', { ...claims }))).body.code;
        assert.deepEqual([await ask({}), await ask({ iat: nowS - 20 }), await ask({ iat: nowS })], [40, 40, undefined]);
        assert.equal((await world.http('GET', '/app', undefined, serverToken({ iat: 5 }))).status, 200);
        const shown = (await world.http('GET', '/app')).body.app.revoke_tokens_issued_before;
        assert.equal(shown === undefined, revoke === ofUser);
        const [undoPath, undo] = revoke(null);
        assert.equal((await world.http('PATCH', `${base}${undoPath}`, undo)).status, 200);
        assert.deepEqual([await ask({}), await ask({ iat: nowS - 20 })], [undefined, undefined]);
      }
    }
  });

  it('AU12 a connection with a development token ends when the application no longer lets them in', async (t) => {
    const world = await World.start(t);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ user_id: 'ann' })}.devtoken`;
    const refused = await world.open();
    refused.send({ op: 'connect', api_key: API_KEY, token, user: { id: 'ann' } });
    assert.equal((await refused.closed).code, 4401);
    await world.http('PATCH', '/api/v2/app', { disable_auth_checks: true });
    const client = await world.open();
    assert.equal((await client.request({ op: 'connect', api_key: API_KEY, token, user: { id: 'ann' } })).type, 'connection.ok');
    assert.equal((await world.http('GET', '/users', undefined, token)).status, 200);
    assert.equal((await world.http('GET', '/app', undefined, token)).body.code, 17);
    await world.http('PATCH', '/api/v2/app', { disable_auth_checks: false });
    assert.equal((await client.closed).code, 4401);
    assert.equal((await world.http('GET', '/users', undefined, token)).body.code, 43);
  });
});
