/** Partial updates over HTTP (HT10, HT11). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld } from '../../support/http/fake-backend.ts';
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
