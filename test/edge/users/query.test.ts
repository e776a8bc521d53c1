/** Queries over HTTP (HT20–HT22). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, userToken } from '../../support/http/fake-backend.ts';
import { create, RFC3339, V2_USER } from '../../support/http/some-users.ts';

describe('query', () => {
  it('HT20 filter, both dialects, PHP’s empty lists, no payload at all', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', 'bob');
    const payload = JSON.stringify({ filter_conditions: { id: { $in: ['ann'] } }, sort: [{ field: 'id', direction: 1 }], limit: 5 });
    const v1 = await send('GET', '/users', { query: { payload } });
    assert.deepEqual(
      v1.body.users.map((user: { id: string }) => user.id),
      ['ann'],
    );
    assert.match(v1.body.users[0].created_at, RFC3339);
    const v2 = await send('GET', '/api/v2/users', { query: { payload } });
    for (const field of V2_USER) assert.ok(field in v2.body.users[0], field);
    assert.equal((await send('GET', '/users', { query: { payload: '{"filter_conditions":[],"sort":[]}' } })).body.users.length, 2);
    assert.equal((await send('GET', '/users', { query: { payload: '[]' } })).body.users.length, 2);
    assert.equal((await send('GET', '/users/')).body.users.length, 2);
  });

  it('HT21 multi-tenant: a client sees its own teams only, one without teams those without, a server everyone', async () => {
    const { send } = httpWorld();
    await send('PATCH', '/app', { body: { multi_tenant_enabled: true } });
    await send('POST', '/users', {
      body: { users: { red: { teams: ['r'] }, red2: { teams: ['r', 'b'] }, blue: { teams: ['b'] }, free: {} } },
    });
    const ids = async (token?: string) => {
      const { body } = await send('GET', '/users', { ...(token === undefined ? {} : { token }) });
      return body.users.map((user: { id: string }) => user.id).sort();
    };
    assert.deepEqual(await ids(userToken('red')), ['red', 'red2']);
    assert.deepEqual(await ids(userToken('free')), ['free']);
    assert.equal((await ids()).length, 4);
    assertRefused(await send('GET', '/users', { token: userToken('nobody') }), 404, 16);
    assertRefused(await send('GET', '/users', { token: userToken('!anon') }), 403, 17);
  });

  it('HT22 who is online is shown', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann');
    backend.onlineIds.add('ann');
    assert.equal((await send('GET', '/users')).body.users[0].online, true);
  });
});
