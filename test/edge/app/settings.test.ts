import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, userToken } from '../../support/http/fake-backend.ts';

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

  it('PV8 a client sees the limits of clients, and not what servers use of theirs', async () => {
    const { send } = httpWorld();
    await send('POST', '/users', { body: { users: { ann: {} } } });
    const token = userToken('ann');
    const platforms = async (query: Record<string, string>, as?: string) =>
      Object.keys((await send('GET', '/rate_limits', { query, ...(as === undefined ? {} : { token: as }) })).body).sort();
    const clients = ['android', 'duration', 'ios', 'unity', 'web'];
    assert.deepEqual(await platforms({}), [...clients, 'server_side'].sort());
    assert.deepEqual(await platforms({}, token), clients);
    assert.deepEqual(await platforms({ server_side: 'true' }, token), ['duration']);
    assert.deepEqual(await platforms({ server_side: 'true', ios: 'true' }, token), ['duration', 'ios']);
  });
});
