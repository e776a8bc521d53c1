/** Partial updates over HTTP (HT10, HT11), and writes of a client that name somebody else (PV2). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, userToken } from '../../support/http/fake-backend.ts';
import { create } from '../../support/http/some-users.ts';

describe('partial update', () => {
  it('HT10 set and unset, flat keys in both dialects', async () => {
    const { send } = httpWorld();
    await create(send, 'ann');
    const body = { users: [{ id: 'ann', set: { 'new-field': 'value', role: 'admin' }, unset: ['name'] }] };
    const v2 = await send('PATCH', '/api/v2/users', { body });
    assert.equal(v2.status, 200);
    assert.deepEqual(v2.body.users.ann.custom, { 'new-field': 'value' });
    assert.equal(v2.body.users.ann.role, 'admin');
    assert.equal('name' in v2.body.users.ann, false);
    assert.equal(v2.body.membership_deletion_task_id, '');
    const v1 = await send('PATCH', '/users', { body });
    assert.deepEqual(v1.body.unchanged, ['ann']);
    assert.equal(v1.body.users.ann['new-field'], 'value');
  });

  it('HT11 of an unknown user: 404, naming it', async () => {
    const { send } = httpWorld();
    assertRefused(await send('PATCH', '/users', { body: { users: [{ id: 'nobody', set: { a: 1 } }] } }), 404, 16, 'users[nobody]');
  });
});

describe('a client that names somebody else', () => {
  it('PV2 is refused for that alone, whoever it names and whatever it sends', async () => {
    const { send } = httpWorld({ rateLimits: { mode: 'off' } });
    await send('PATCH', '/app', { body: { multi_tenant_enabled: true } });
    const users = {
      ann: { teams: ['red'] },
      bob: { teams: ['blue'], role: 'admin', email: 'b@x', bio: 'x'.repeat(4_000) },
      gone: {},
      wiped: {},
    };
    await send('POST', '/users', { body: { users } });
    await send('DELETE', '/users/gone');
    await send('DELETE', '/users/wiped', { query: { hard_delete: 'true' } });
    const token = userToken('ann');
    const answers = new Set<string>();
    const patches = [
      { set: { 'email.x': 1 } },
      { set: { 'zzz.x': 1 } },
      { set: { name: 'x' } },
      { set: { big: 'x'.repeat(3_900) } },
      { set: { big: 'x'.repeat(9_000) } },
      { set: { role: 'nonsense' } },
      { set: { 'a b': 1, a: { constructor: 1 } } },
      { set: 7, unset: 'name' },
      { set: { custom: null }, unset: ['email'] },
      {},
    ];
    for (const id of ['bob', 'gone', 'wiped', 'nobody']) {
      const says = (received: { readonly status: number; readonly text: string }): void => {
        assertRefused(received as Parameters<typeof assertRefused>[0], 403, 17, `users[${id}].id`);
        answers.add(
          received.text
            .replaceAll(id, '<id>')
            .replace(/"duration":"[^"]*"/, '')
            .replace('UsersPartial', 'Users'),
        );
      };
      for (const [index, patch] of patches.entries()) {
        says(await send('PATCH', '/users', { token, body: { users: [{ id, ...patch }] } }));
        says(await send('PATCH', '/users', { token, body: { users: [{ id, ...patch }], if_rev: { [id]: index } } }));
      }
      says(await send('PATCH', '/users', { token, headers: { 'if-match': '*' }, body: { users: [{ id, set: {} }] } }));
      for (const user of [{}, { name: 7 }, { role: 'nonsense' }, { bio: 'x'.repeat(9_000) }, { teams: 'red' }]) {
        for (const path of ['/users', '/api/v2/users']) {
          says(await send('POST', path, { token, body: { users: { [id]: user }, if_rev: { [id]: 0 } } }));
          says(
            await send('POST', path, {
              token,
              body: {
                users: [
                  { id, ...user },
                  { id: 'ann', name: 7 },
                ],
              },
            }),
          );
        }
      }
    }
    assert.equal(answers.size, 1, [...answers].join('\n'));
    assert.match([...answers].join(''), /User 'ann' with role 'user' is not allowed to perform action UpdateUser/);
  });
});
