/** Roles over HTTP: RO20–RO24. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BUILT_IN_ROLES } from '../../../protocol/users/user.ts';
import { assertRefused, httpWorld, userToken } from '../../support/http/fake-backend.ts';

describe('roles', () => {
  it('RO20 create, list, delete in both dialects: one list, times in the form of the dialect', async () => {
    const { send } = httpWorld();
    const v2 = await send('POST', '/api/v2/roles', { body: { name: 'captain' } });
    assert.equal(v2.status, 201);
    const { created_at, updated_at, ...rest } = v2.body.role;
    assert.deepEqual(rest, { name: 'captain', custom: true, scopes: ['.app'] });
    assert.ok(Number.isInteger(created_at) && created_at === updated_at);
    const v1 = await send('POST', '/roles', { body: { name: 'pilot' } });
    assert.match(v1.body.role.created_at, /^2026-03-04T05:06:07\.\d{6}Z$/);
    assert.deepEqual(v1.body.role.scoped, v1.body.role.scopes);
    for (const path of ['/roles', '/api/v2/roles']) {
      const { status, body } = await send('GET', path);
      assert.equal(status, 200);
      const custom = new Map(body.roles.map((role: { name: string; custom: boolean }) => [role.name, role.custom]));
      const expected = [...[...BUILT_IN_ROLES].map((name) => [name, false]), ['captain', true], ['pilot', true]];
      assert.deepEqual(custom, new Map(expected.sort((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1)) as [string, boolean][]));
    }
    assert.equal((await send('DELETE', '/api/v2/roles/pilot')).status, 200);
    assert.equal((await send('DELETE', '/roles/captain')).status, 200);
    const { body } = await send('GET', '/roles');
    assert.equal(body.roles.length, BUILT_IN_ROLES.size);
  });

  it('RO21 search', async () => {
    const { send } = httpWorld();
    for (const name of ['Captain', 'cook']) await send('POST', '/roles', { body: { name } });
    for (const path of ['/roles/search', '/api/v2/roles/search']) {
      const query = { query: 'c', limit: '2', role_type: 'user', include_global_roles: 'true', name_gt: '' };
      const { body } = await send('GET', path, { query });
      assert.deepEqual(
        body.roles.map(({ name }: { name: string }) => name),
        ['Captain', 'cook'],
      );
      assertRefused(await send('GET', path, { query: { limit: '101' } }), 400, 4, 'limit', /SearchRoles failed/);
      assertRefused(await send('GET', path, { query: { role_type: 'x' } }), 400, 4, 'role_type');
    }
  });

  it('RO22 refusals: there already, built in, in use, unknown, not a name, and nothing is applied', async () => {
    const { send, backend } = httpWorld();
    await send('POST', '/roles', { body: { name: 'captain' } });
    await send('POST', '/users', { body: { users: { ann: { role: 'captain' } } } });
    const { seq } = backend.position;
    for (const prefix of ['', '/api/v2']) {
      assertRefused(await send('POST', `${prefix}/roles`, { body: { name: 'captain' } }), 400, 4, 'name', /exists already/);
      assertRefused(await send('POST', `${prefix}/roles`, { body: { name: 'admin' } }), 400, 4, 'name');
      assertRefused(await send('POST', `${prefix}/roles`, { body: { name: 'a b' } }), 400, 4, 'name');
      assertRefused(await send('POST', `${prefix}/roles`, { body: {} }), 400, 4, 'name', /is required/);
      assertRefused(await send('DELETE', `${prefix}/roles/admin`), 400, 4, 'name', /built in/);
      assertRefused(await send('DELETE', `${prefix}/roles/captain`), 400, 4, 'name', /1 user has it/);
      assertRefused(await send('DELETE', `${prefix}/roles/nobody`), 404, 16);
      assertRefused(await send('DELETE', `${prefix}/roles/__proto__`), 404, 16);
    }
    assert.equal(backend.position.seq, seq);
  });

  it('RO23 a client neither reads nor writes roles and permissions', async () => {
    const { send } = httpWorld();
    await send('POST', '/users', { body: { users: { ann: { role: 'admin' } } } });
    const token = userToken('ann');
    for (const [method, path] of [
      ['GET', '/roles'],
      ['POST', '/roles'],
      ['GET', '/roles/search'],
      ['DELETE', '/roles/captain'],
      ['GET', '/permissions'],
      ['GET', '/permissions/ban-user'],
    ] as const) {
      for (const prefix of ['', '/api/v2']) assertRefused(await send(method, `${prefix}${path}`, { token }), 403, 17, undefined, /'admin'/);
    }
  });
});
