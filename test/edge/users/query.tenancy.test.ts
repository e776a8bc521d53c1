/** What clients may see and change: teams as labels and as walls, hidden roles, grants (TN1–TN8). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, type HttpWorld, httpWorld, userToken } from '../../support/http/fake-backend.ts';

const USERS = {
  red: { teams: ['r'] },
  red2: { teams: ['r', 'b'] },
  blue: { teams: ['b'] },
  free: {},
  free2: { role: 'admin' },
};

async function tenants(app: object): Promise<HttpWorld> {
  const world = httpWorld();
  const created = await world.send('POST', '/users', { body: { users: USERS } });
  assert.equal(created.status, 201, created.text);
  const patched = await world.send('PATCH', '/app', { body: app });
  assert.equal(patched.status, 200, patched.text);
  return world;
}

/** The ids that a caller finds; without a name, a server. */
async function found({ send }: HttpWorld, caller?: string, filter?: object, base = ''): Promise<string[]> {
  const token = caller === undefined ? {} : { token: userToken(caller) };
  const payload = JSON.stringify({ filter_conditions: filter ?? {} });
  const { status, body, text } = await send('GET', `${base}/users`, { ...token, query: { payload } });
  assert.equal(status, 200, text);
  return body.users.map(({ id }: { id: string }) => id).sort();
}

const EVERYONE = Object.keys(USERS).sort();

describe('tenancy', () => {
  it('TN1 by default teams are labels: every client sees everyone, and can ask for any team', async () => {
    const world = await tenants({});
    for (const caller of ['red', 'free', undefined]) assert.deepEqual(await found(world, caller), EVERYONE);
    assert.deepEqual(await found(world, 'red', { teams: { $in: ['b'] } }), ['blue', 'red2']);
    assert.deepEqual(await found(world, 'red', { teams: null }), ['free', 'free2']);
  });

  it('TN2 multi-tenant: a client sees its own teams and nothing else, whatever it asks for; without a team only those without', async () => {
    const world = await tenants({ multi_tenant_enabled: true });
    for (const base of ['', '/api/v2']) {
      assert.deepEqual(await found(world, 'red', undefined, base), ['red', 'red2']);
      assert.deepEqual(await found(world, 'red2', undefined, base), ['blue', 'red', 'red2']);
      assert.deepEqual(await found(world, 'free', undefined, base), ['free', 'free2']);
      assert.deepEqual(await found(world, undefined, undefined, base), EVERYONE);
    }
    for (const filter of [
      { id: { $in: EVERYONE } },
      { teams: {} },
      { $or: [{ teams: 'b' }, { teams: null }, { teams: 'r' }] },
      { $nor: [{ id: 'x' }] },
    ]) {
      assert.deepEqual(
        (await found(world, 'red', filter)).filter((id) => !['red', 'red2'].includes(id)),
        [],
        JSON.stringify(filter),
      );
    }
    assert.deepEqual(await found(world, 'red', { teams: { $in: ['b'] } }), ['red2']);
    assert.deepEqual(await found(world, 'red', { teams: null }), []);
    assert.deepEqual(await found(world, 'red', { id: 'blue' }), []);
    assert.deepEqual(await found(world, 'free', { teams: {} }), []);
    assert.deepEqual(await found(world, undefined, { teams: null }), ['free', 'free2']);
    await world.send('PATCH', '/app', { body: { multi_tenant_enabled: false } });
    assert.deepEqual(await found(world, 'red'), EVERYONE);
  });

  it('TN3 roles that the application hides are found by servers only', async () => {
    const world = await tenants({ user_search_disallowed_roles: ['admin'] });
    assert.deepEqual(await found(world, 'red'), ['blue', 'free', 'red', 'red2']);
    assert.deepEqual(await found(world, 'red', { id: 'free2' }), []);
    assert.deepEqual(await found(world, 'free2', { role: 'admin' }), []);
    assert.deepEqual(await found(world, undefined, { role: 'admin' }), ['free2']);
  });

  it('TN4 to search needs search-user; where teams are walls, with the role that the caller has in the team', async () => {
    const world = await tenants({ grants: { user: [] } });
    assertRefused(
      await world.send('GET', '/users', { token: userToken('red') }),
      403,
      17,
      undefined,
      /'red' with role 'user' .* SearchUser/,
    );
    assert.deepEqual(await found(world, 'free2'), EVERYONE);
    await world.send('PATCH', '/users', { body: { users: [{ id: 'red2', set: { teams_role: { r: 'admin', b: 'user', x: 'admin' } } }] } });
    assertRefused(await world.send('GET', '/users', { token: userToken('red2') }), 403, 17);
    await world.send('PATCH', '/app', { body: { multi_tenant_enabled: true } });
    assert.deepEqual(await found(world, 'red2'), ['red', 'red2']);
    assertRefused(await world.send('GET', '/users', { token: userToken('blue') }), 403, 17);
    assertRefused(await world.send('GET', '/users', { token: userToken('free') }), 403, 17);
    assert.deepEqual(await found(world, 'free2'), ['free', 'free2']);
    await world.send('PATCH', '/app', { body: { disable_permissions_checks: true } });
    assert.deepEqual(await found(world, 'blue'), ['blue', 'red2']);
  });

  it('TN5 a client changes its teams only where update-user-teams is granted, and a role never', async () => {
    for (const [app, isAllowed] of [
      [{}, false],
      [{ grants: { user: ['update-user-owner', 'update-user-teams'] } }, true],
      [{ disable_permissions_checks: true }, true],
    ] as const) {
      const world = await tenants(app);
      const token = userToken('red');
      const set = (set: object) => world.send('PATCH', '/users', { token, body: { users: [{ id: 'red', set }] } });
      const moved = await set({ teams: ['b'] });
      if (isAllowed) assert.equal(moved.status, 200, moved.text);
      else assertRefused(moved, 403, 17, 'users[red].teams', /'red' with role 'user' is not allowed to perform action UpdateUserTeams/);
      assert.deepEqual(world.backend.directory.user('red')?.teams, isAllowed ? ['b'] : ['r']);
      assertRefused(await set({ role: 'admin' }), 403, 17, 'users[red].role', /UpdateUserRole/);
      assertRefused(await set({ teams_role: { r: 'admin' } }), 403, 17, 'users[red].teams_role', /UpdateUserRole/);
      assertRefused(await set({ revoke_tokens_issued_before: null, name: 'x', role: 'guest' }), 403, 17);
      const upsert = await world.send('POST', '/api/v2/users', { token, body: { users: { red: { role: 'admin', teams: ['r'] } } } });
      assertRefused(upsert, 403, 17);
      assert.equal(world.backend.directory.user('red')?.role, 'user');
      assert.equal(world.backend.directory.user('red')?.teams_role, undefined);
    }
  });

  it('TN6 a client changes itself only where update-user-owner is granted, with a connect too; nobody else at all', async () => {
    const { send, backend } = await tenants({ grants: { user: ['search-user'] } });
    const token = userToken('red');
    assertRefused(
      await send('PATCH', '/users', { token, body: { users: [{ id: 'red', set: { name: 'R' } }] } }),
      403,
      17,
      'users[red].id',
      /UpdateUser"/,
    );
    assertRefused(await send('POST', '/users', { token, body: { users: { red: { name: 'R' } } } }), 403, 17);
    const connect = (details: object) => backend.submit({ kind: 'connect', id: 'red', details: { custom: {}, ...details } }, 'live');
    await assert.rejects(connect({ name: 'R' }), { kind: 'not_allowed', message: /'red' with role 'user' .* UpdateUser$/ });
    assert.equal((await connect({ role: 'user' })).users[0]?.change, 'unchanged');
    assert.equal(backend.directory.user('red')?.name, undefined);
    await send('PATCH', '/app', { body: { grants: { user: null } } });
    assert.equal((await connect({ name: 'R' })).users[0]?.change, 'updated');
    assertRefused(
      await send('PATCH', '/users', { token, body: { users: [{ id: 'blue', set: { name: 'B' } }] } }),
      403,
      17,
      'users[blue].id',
    );
    await send('PATCH', '/app', { body: { disable_permissions_checks: true } });
    assertRefused(await send('POST', '/users', { token, body: { users: { blue: { name: 'B' } } } }), 403, 17, 'users[blue].id');
  });

  it('TN7 there are no guests where teams are walls', async () => {
    const { send } = await tenants({ multi_tenant_enabled: true });
    assertRefused(await send('POST', '/guest', { token: null, body: { user: { id: 'visitor' } } }), 403, 17);
  });

  it('TN8 a deactivated caller is refused everywhere, also when that happened after it was let in', async () => {
    const { send, backend } = await tenants({});
    await send('POST', '/users/red/deactivate', { body: {} });
    assertRefused(await send('GET', '/users', { token: userToken('red') }), 403, 17, undefined, /the user red was deactivated/);
    const red = { kind: 'user', id: 'red' } as const;
    const late = backend.submit({ kind: 'upsert', actor: red, users: [{ id: 'red', custom: { a: 1 } }], problems: [] }, 'live');
    await assert.rejects(late, { kind: 'not_allowed', message: 'the user red was deactivated' });
  });
});
