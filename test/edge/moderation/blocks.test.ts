/** Blocks over HTTP: MD7, MD13, MD17. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, userToken } from '../../support/http/fake-backend.ts';
import { ok, payload, refused, users, worldWith } from '../../support/http/moderation-kit.ts';

describe('blocks', () => {
  it('MD7 block, list and unblock, the same in both dialects', async () => {
    for (const [prefix, dialect] of [
      ['', 'v1'],
      ['/api/v2', 'v2'],
    ] as const) {
      const world = await worldWith();
      const body = { blocked_user_id: 'bob', user_id: 'ann' };
      const block = await ok(world, 'POST', `${prefix}/users/block`, { body });
      assert.deepEqual([block.body.blocked_by_user_id, block.body.blocked_user_id], ['ann', 'bob']);
      assert.equal(typeof block.body.created_at, dialect === 'v1' ? 'string' : 'number');
      const again = await ok(world, 'POST', `${prefix}/users/block`, { body });
      assert.equal(again.body.created_at, block.body.created_at);
      const list = await ok(world, 'GET', `${prefix}/users/block`, { query: { user_id: 'ann' } });
      const [only, ...rest] = list.body.blocks;
      assert.deepEqual(rest, []);
      assert.deepEqual(
        [only.user_id, only.blocked_user_id, only.user.id, only.blocked_user.id, only.created_at],
        ['ann', 'bob', 'ann', 'bob', block.body.created_at],
      );
      assert.deepEqual((await users(world, dialect, 'ann')).blocked_user_ids, ['bob']);
      assert.deepEqual((await users(world, dialect, 'bob')).blocked_user_ids, []);
      const others = await ok(world, 'GET', `${prefix}/users`, {
        ...payload({ filter_conditions: { id: 'ann' } }),
        token: userToken('bob'),
      });
      assert.deepEqual(others.body.users[0].blocked_user_ids, []);
      await ok(world, 'POST', `${prefix}/users/unblock`, { body }, 200);
      await ok(world, 'POST', `${prefix}/users/unblock`, { body }, 200);
      assert.deepEqual((await ok(world, 'GET', `${prefix}/users/block`, { query: { user_id: 'ann' } })).body.blocks, []);
    }
  });

  it('MD13 a client blocks for itself and sees its own blocks', async () => {
    const world = await worldWith();
    const token = userToken('ann');
    await ok(world, 'POST', '/users/block', { body: { blocked_user_id: 'bob' }, token });
    assert.equal((await ok(world, 'GET', '/users/block', { token })).body.blocks.length, 1);
    assertRefused(await refused(world, 'GET', '/users/block', { query: { user_id: 'bob' }, token }), 403, 17, 'user_id');
    const other = await refused(world, 'POST', '/users/unblock', { body: { blocked_user_id: 'ann', user_id: 'bob' }, token });
    assertRefused(other, 403, 17, 'user_id');
  });

  it('MD17 wrong blocks are refused naming the field', async () => {
    const world = await worldWith();
    for (const prefix of ['', '/api/v2']) {
      for (const [body, status, code, field] of [
        [{ user_id: 'ann' }, 400, 4, 'blocked_user_id'],
        [{ blocked_user_id: 'bob' }, 400, 4, 'user_id'],
        [{ blocked_user_id: 'ghost', user_id: 'ann' }, 404, 16, 'blocked_user_id'],
        [{ blocked_user_id: 'bob', user_id: 'ghost' }, 404, 16, 'user_id'],
        [{ blocked_user_id: 'ann', user_id: 'ann' }, 400, 4, 'blocked_user_id'],
        [{ blocked_user_id: 7, user_id: 'ann' }, 400, 4, 'blocked_user_id'],
      ] as const) {
        assertRefused(await refused(world, 'POST', `${prefix}/users/block`, { body }), status, code, field);
      }
      assertRefused(await refused(world, 'GET', `${prefix}/users/block`, {}), 400, 4, 'user_id');
      assertRefused(await refused(world, 'GET', `${prefix}/users/block`, { query: { user_id: 'ghost' } }), 404, 16);
    }
  });
});
