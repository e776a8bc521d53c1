/** Permissions over HTTP: PM10–PM14. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { assertRefused, httpWorld, userToken } from '../../support/http/fake-backend.ts';

describe('permissions', () => {
  it('PM10 the list and one of it, the same in both dialects', async () => {
    const { send } = httpWorld();
    const { body } = await send('GET', '/api/v2/permissions');
    assert.deepEqual((await send('GET', '/permissions')).body.permissions, body.permissions);
    for (const id of ['create-channel', 'read-channel', 'search-user']) {
      const listed = body.permissions.find((permission: { id: string }) => permission.id === id);
      assert.equal(listed.custom, false);
      assert.notEqual(listed.action, '');
      assert.equal(listed.condition, undefined);
      for (const prefix of ['', '/api/v2']) assert.deepEqual((await send('GET', `${prefix}/permissions/${id}`)).body.permission, listed);
    }
  });

  it('PM11 an unknown permission is not found, v2 writes none, and no built-in one is changed', async () => {
    const { send } = httpWorld();
    for (const prefix of ['', '/api/v2']) {
      for (const id of ['no-such', '__proto__', 'toString']) assertRefused(await send('GET', `${prefix}/permissions/${id}`), 404, 16);
    }
    assertRefused(await send('POST', '/api/v2/permissions', { body: { id: 'x' } }), 404, 16, undefined, /POST is not supported here/);
    assertRefused(await send('DELETE', '/api/v2/permissions/ban-user'), 404, 16);
    const body = { action: 'BanUser' };
    assertRefused(await send('POST', '/permissions', { body: { ...body, id: 'ban-user' } }), 400, 4, 'id', /exists already/);
    assertRefused(await send('PUT', '/permissions/ban-user', { body }), 400, 4, 'id', /built in/);
    assertRefused(await send('DELETE', '/permissions/ban-user'), 400, 4, 'id', /built in/);
    for (const id of ['no-such', '__proto__', 'toString']) {
      assertRefused(await send('DELETE', `/permissions/${id}`), 404, 16);
      assertRefused(await send('PUT', `/permissions/${id}`, { body }), id === '__proto__' ? 400 : 404, id === '__proto__' ? 4 : 16);
    }
  });

  // As Go writes it: null and empty values for what was not set.
  const sent = {
    name: 'Own polls',
    description: '',
    action: 'DeletePoll',
    owner: true,
    same_team: false,
    condition: null,
    custom: false,
    level: '',
  };
  const shown = {
    id: 'own-polls',
    name: 'Own polls',
    description: '',
    action: 'DeletePoll',
    level: 'app',
    owner: true,
    same_team: false,
    tags: [],
  };

  it('PM12 the application makes, replaces and deletes permissions of its own; both dialects show them', async () => {
    const { send, backend } = httpWorld();
    const made = await send('POST', '/permissions', { body: { ...sent, id: 'own-polls' } });
    assert.deepEqual([made.status, made.body.permission], [201, { ...shown, custom: true, owner_resource: '' }]);
    const condition = { '$subject.magic': 'x', $or: [{ a: 1 }] };
    const tags = ['polls'];
    const next = await send('PUT', '/permissions/own-polls', { body: { ...sent, id: '', condition, tags, name: '', unknown: 1 } });
    const wanted = { ...shown, name: 'own-polls', tags, condition, custom: true, owner_resource: '' };
    assert.deepEqual([next.status, next.body.permission], [200, wanted]);
    const { seq } = backend.directory;
    await send('PUT', '/permissions/own-polls', { body: { ...sent, condition, tags, name: '' } });
    assert.equal(backend.directory.seq, seq, 'an update that changes nothing is no fact');
    for (const prefix of ['', '/api/v2']) {
      assert.deepEqual((await send('GET', `${prefix}/permissions/own-polls`)).body.permission, wanted);
      const ids = (await send('GET', `${prefix}/permissions`)).body.permissions.map(({ id }: { id: string }) => id);
      assert.deepEqual([ids.includes('own-polls'), ids], [true, [...ids].sort()]);
      assert.equal('permissions' in (await send('GET', `${prefix}/app`)).body.app, false);
    }
    await send('PATCH', '/app', { body: { grants: { user: ['own-polls'] }, name: 'x' } });
    assert.equal((await send('GET', '/permissions/own-polls')).status, 200, 'other settings leave it alone');
    const body = { users: { bob: { id: 'bob' } } };
    await send('POST', '/users', { body });
    assertRefused(await send('GET', '/users', { token: userToken('bob'), query: { payload: '{}' } }), 403, 17);
    assert.equal((await send('DELETE', '/permissions/own-polls')).status, 200);
    assertRefused(await send('DELETE', '/permissions/own-polls'), 404, 16);
    assert.equal((await send('GET', '/api/v2/permissions/own-polls')).status, 404);
  });

  it('PM13 there are at most 100 custom permissions, and each is bounded', async () => {
    const { send } = httpWorld();
    for (let n = 0; n < LIMITS.customPermissions; n++) await send('POST', '/permissions', { body: { ...sent, id: `p${n}` } });
    assertRefused(await send('POST', '/permissions', { body: { ...sent, id: 'more' } }), 400, 4, 'id', /100 custom permissions/);
    assertRefused(await send('POST', '/permissions', { body: { ...sent, id: 'p1' } }), 400, 4, 'id', /exists already/);
    assert.equal((await send('PUT', '/permissions/p1', { body: { ...sent, name: 'other' } })).body.permission.name, 'other');
    for (const [wrong, field] of [
      [{ action: '' }, 'action'],
      [{ action: 5 }, 'action'],
      [{ owner: 'yes' }, 'owner'],
      [{ id: 'other' }, 'id'],
      [{ condition: ['x'] }, 'condition'],
      [{ condition: { a: 'x'.repeat(LIMITS.permissionConditionBytes) } }, 'condition'],
      [{ condition: { constructor: 1 } }, 'condition.constructor'],
      [{ description: 'x'.repeat(256) }, 'description'],
      [{ tags: Array(21).fill('x') }, 'tags'],
    ] as const) {
      assertRefused(await send('PUT', '/permissions/p1', { body: { ...sent, ...wrong } }), 400, 4, field);
    }
    for (const id of ['a b', '-a', 'constructor', 'x'.repeat(129)]) {
      assertRefused(await send('POST', '/permissions', { body: { ...sent, id } }), 400, 4, 'id');
    }
    assertRefused(await send('POST', '/permissions', { body: sent }), 400, 4, 'id');
  });

  it('PM14 a client writes none', async () => {
    const { send } = httpWorld();
    const token = userToken('ann');
    await send('POST', '/users', { body: { users: { ann: { role: 'admin' } } } });
    assertRefused(await send('POST', '/permissions', { token, body: { ...sent, id: 'x' } }), 403, 17);
    assertRefused(await send('PUT', '/permissions/x', { token, body: sent }), 403, 17);
    assertRefused(await send('DELETE', '/permissions/x', { token }), 403, 17);
  });
});
