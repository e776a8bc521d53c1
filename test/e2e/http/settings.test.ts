/** AS9, AU11 and AU12: what settings do to restarts and to live connections. */

import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { API_KEY, serverToken, userToken as tokenOf, World } from '../../support/world.ts';

test('AS9 settings outlive a restart; a client may neither read nor change them; secrets are shown and never logged', async (t) => {
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

test('AU11 revocation of a user and of all, in both dialects: sockets close within a second, servers stay, null undoes it', async (t) => {
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
      // Not at the next heartbeat.
      assert.ok(performance.now() - startedMs < LIMITS.heartbeatMs / 2);
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

test('AU12 a connection with a development token ends when the application no longer lets them in', async (t) => {
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
