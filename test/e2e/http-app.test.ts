import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, type Send, userToken } from '../support/fake-backend.ts';

async function create(send: Send, ...ids: string[]): Promise<void> {
  const { status } = await send('POST', '/users', { body: { users: Object.fromEntries(ids.map((id) => [id, { id, name: id }])) } });
  assert.equal(status, 201);
}

describe('app, rate limits, health', () => {
  it('HT40 settings: PATCH tolerates a whole app sent back, GET shows the two that exist', async () => {
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
    const { send, backend } = httpWorld();
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
    const { send } = httpWorld({ rateLimits: { mode: 'all', overrides: { GetApp: 2 } } });
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
    assert.match(good.headers['access-control-allow-methods'] ?? '', /PATCH/);
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
