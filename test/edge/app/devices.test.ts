/** Devices and push preferences over HTTP: DV20–DV26. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, type Send, userToken } from '../../support/http/fake-backend.ts';

const PREFIXES = ['', '/api/v2'] as const;

async function create(send: Send, ...users: string[]): Promise<void> {
  assert.equal((await send('POST', '/users', { body: { users: Object.fromEntries(users.map((id) => [id, {}])) } })).status, 201);
}

describe('devices', () => {
  it('DV20 a server adds, lists and removes devices of a user, in both dialects', async () => {
    const { send } = httpWorld();
    await create(send, 'ann');
    for (const prefix of PREFIXES) {
      const path = `${prefix}/devices`;
      const body = {
        id: 'token/1+=',
        push_provider: 'firebase',
        push_provider_name: 'main',
        user_id: 'ann',
        voip_token: true,
        hardware_id: 'h',
      };
      const added = await send('POST', path, { body });
      assert.equal(added.status, 201);
      assert.deepEqual(Object.keys(added.body), ['duration']);
      assert.equal((await send('POST', path, { body: { id: 'two', push_provider: 'apn', user: { id: 'ann' } } })).status, 201);
      const { devices } = (await send('GET', path, { query: { user_id: 'ann' } })).body;
      assert.equal(typeof devices[0].created_at, prefix === '' ? 'string' : 'number');
      const { created_at: _, ...first } = devices[0];
      const { voip_token, ...shown } = body;
      assert.deepEqual(first, { ...shown, voip: voip_token });
      const user = (await send('GET', `${prefix}/users`, { query: { payload: '{"filter_conditions":{"id":"ann"}}' } })).body.users[0];
      assert.deepEqual(user.devices, devices);
      for (const id of ['token/1+=', 'two']) assert.equal((await send('DELETE', path, { query: { id, user_id: 'ann' } })).status, 200);
      assert.deepEqual((await send('GET', path, { query: { user_id: 'ann' } })).body.devices, []);
    }
  });

  it('DV21 a client reaches its own devices only', async () => {
    const { send } = httpWorld({ rateLimits: { mode: 'off' } });
    await create(send, 'ann', 'bob');
    const token = userToken('ann');
    for (const prefix of PREFIXES) {
      const path = `${prefix}/devices`;
      assert.equal((await send('POST', path, { token, body: { id: 'own', push_provider: 'apn' } })).status, 201);
      assert.equal((await send('POST', path, { token, body: { id: 'own', push_provider: 'apn', user_id: 'ann' } })).status, 201);
      assert.equal((await send('GET', path, { token })).body.devices.length, 1);
      assertRefused(await send('POST', path, { token, body: { id: 'x', push_provider: 'apn', user_id: 'bob' } }), 403, 17, 'user_id');
      assertRefused(await send('POST', path, { token, body: { id: 'x', push_provider: 'apn', user: { id: 'bob' } } }), 403, 17, 'user_id');
      assertRefused(await send('GET', path, { token, query: { user_id: 'bob' } }), 403, 17, 'user_id');
      assertRefused(await send('DELETE', path, { token, query: { id: 'own', user_id: 'bob' } }), 403, 17, 'user_id');
      assertRefused(await send('DELETE', path, { token: userToken('bob'), query: { id: 'own' } }), 404, 16);
      assert.equal((await send('DELETE', path, { token, query: { id: 'own' } })).status, 200);
    }
  });

  it('DV22 refusals name the field, and nothing is applied', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann', 'gone');
    await send('DELETE', '/users/gone');
    const { seq } = backend.position;
    for (const prefix of PREFIXES) {
      const path = `${prefix}/devices`;
      const good = { id: 'x', push_provider: 'apn' };
      assertRefused(await send('POST', path, { body: good }), 400, 4, 'user_id', /is required with a server token/);
      assertRefused(await send('POST', path, { body: { ...good, user_id: 'a b' } }), 400, 4, 'user_id');
      assertRefused(await send('POST', path, { body: { ...good, user_id: 'zoe' } }), 404, 16, undefined, /does not exist/);
      assertRefused(await send('POST', path, { body: { ...good, user_id: 'gone' } }), 404, 16, undefined, /was deleted/);
      assertRefused(
        await send('POST', path, { body: { ...good, push_provider: 'sms', user_id: 'ann' } }),
        400,
        4,
        'push_provider',
        /firebase/,
      );
      assertRefused(await send('GET', path), 400, 4, 'user_id');
      assertRefused(await send('GET', path, { query: { user_id: 'zoe' } }), 404, 16);
      assertRefused(await send('GET', path, { query: { user_id: 'gone' } }), 404, 16, undefined, /was deleted/);
      assertRefused(await send('DELETE', path, { query: { user_id: 'ann' } }), 400, 4, 'id', /is required/);
      assertRefused(await send('DELETE', path, { query: { user_id: 'ann', id: 'x' } }), 404, 16);
    }
    assert.equal(backend.position.seq, seq);
  });
});

describe('push preferences', () => {
  it('DV23 preferences of users and of channels are stored and echoed, in both dialects', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann', 'bob');
    const until = '2030-01-02T03:04:05.000006Z';
    for (const [prefix, time] of [
      ['', until],
      ['/api/v2', Date.parse('2030-01-02T03:04:05Z') * 1_000_000 + 6_000],
    ] as const) {
      const preferences = [
        { user_id: 'ann', chat_level: 'mentions', call_level: 'all', feeds_level: 'none', disabled_until: until },
        { user_id: 'ann', channel_cid: 'messaging:a', chat_level: 'none', disabled_until: until },
        { user_id: 'bob', channel_cid: 'messaging:a', chat_preferences: { a: 1 } },
      ];
      const { status, body } = await send('POST', `${prefix}/push_preferences`, { body: { preferences } });
      assert.equal(status, 200);
      assert.deepEqual(body.user_preferences, {
        ann: { chat_level: 'mentions', call_level: 'all', feeds_level: 'none', disabled_until: time },
      });
      assert.deepEqual(body.user_channel_preferences, {
        ann: { 'messaging:a': { chat_level: 'none', disabled_until: time } },
        bob: { 'messaging:a': { chat_preferences: { a: 1 } } },
      });
      assert.equal(backend.directory.user('ann')?.push?.disabled_until, Date.parse('2030-01-02T03:04:05Z') * 1_000 + 6);
      const again = await send('POST', `${prefix}/push_preferences`, { body: { preferences: [{ user_id: 'ann', remove_disable: true }] } });
      assert.deepEqual(again.body.user_preferences, { ann: { chat_level: 'mentions', call_level: 'all', feeds_level: 'none' } });
      assert.deepEqual(again.body.user_channel_preferences, {});
    }
  });

  it('DV24 a client sets its own only', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', 'bob');
    const token = userToken('ann');
    for (const prefix of PREFIXES) {
      const path = `${prefix}/push_preferences`;
      const own = await send('POST', path, { token, body: { preferences: [{ chat_level: 'none' }] } });
      assert.deepEqual(own.body.user_preferences, { ann: { chat_level: 'none' } });
      const other = { preferences: [{ chat_level: 'none' }, { user_id: 'bob', chat_level: 'none' }] };
      assertRefused(await send('POST', path, { token, body: other }), 403, 17, 'preferences[1].user_id');
      assertRefused(await send('POST', path, { token: userToken('nobody'), body: { preferences: [{ chat_level: 'all' }] } }), 404, 16);
    }
  });

  it('DV25 refusals name the field, and nothing is applied', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann');
    const { seq } = backend.position;
    for (const prefix of PREFIXES) {
      const path = `${prefix}/push_preferences`;
      assertRefused(await send('POST', path, { body: { preferences: [] } }), 400, 4, 'preferences');
      assertRefused(await send('POST', path, { body: { preferences: [{ chat_level: 'all' }] } }), 400, 4, 'preferences[0].user_id');
      const mixed = {
        preferences: [
          { user_id: 'ann', chat_level: 'none' },
          { user_id: 'zoe', chat_level: 'none' },
        ],
      };
      assertRefused(await send('POST', path, { body: mixed }), 404, 16, 'preferences[1].user_id');
      const wrong = { preferences: [{ user_id: 'ann', chat_level: 'loud', call_level: 'loud', channel_cid: 5 }] };
      const received = await send('POST', path, { body: wrong });
      assertRefused(received, 400, 4, 'preferences[0].chat_level', /UpdatePushNotificationPreferences failed/);
      assert.equal(received.body.errors.length, 3);
    }
    assert.equal(backend.position.seq, seq);
  });
});
