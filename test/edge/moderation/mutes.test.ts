/** Mutes over HTTP: MD6, MD13, MD17. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, userToken } from '../../support/http/fake-backend.ts';
import { ok, refused, users, worldWith } from '../../support/http/moderation-kit.ts';

describe('mutes', () => {
  it('MD6 v1: one target answers mute and mutes, several only mutes', async () => {
    const world = await worldWith({ id: 'cem' });
    world.backend.onlineIds.add('bob');
    const { body } = await ok(world, 'POST', '/moderation/mute', { body: { target_id: 'bob', user_id: 'ann', timeout: 0 } });
    assert.deepEqual(
      [body.mute.user.id, body.mute.target.id, body.mute.target.online, 'expires' in body.mute],
      ['ann', 'bob', true, false],
    );
    assert.deepEqual(body.mutes, [body.mute]);
    assert.equal(body.own_user.id, 'ann');
    assert.equal(body.own_user.mutes[0].target.id, 'bob');
    assert.match(body.mute.created_at, /^2026-03-04T05:06:07\.\d{6}Z$/);
    const many = await ok(world, 'POST', '/moderation/mute', {
      body: { target_ids: ['bob', 'cem', 'ghost'], user_id: 'ann', timeout: 10 },
    });
    assert.deepEqual(
      many.body.mutes.map((mute: { target: { id: string }; expires: string }) => [mute.target.id, mute.expires.slice(0, 16)]),
      [
        ['bob', '2026-03-04T05:16'],
        ['cem', '2026-03-04T05:16'],
      ],
    );
    assert.deepEqual([many.body.non_existing_users, 'mute' in many.body], [['ghost'], false]);
    const shown = await users(world, 'v1', 'ann');
    assert.deepEqual([shown.mutes[0].target.id, shown.mutes.length], ['bob', 2]);
    const gone = await ok(world, 'POST', '/moderation/unmute', { body: { target_id: 'bob', user_id: 'ann' } }, 200);
    assert.deepEqual(Object.keys(gone.body), ['duration']);
    await ok(world, 'POST', '/moderation/unmute', { body: { target_ids: ['cem'], user_id: 'ann' } }, 200);
    assert.deepEqual((await users(world, 'v1', 'ann')).mutes, []);
  });

  it('MD6 v2: mutes with integer times, unmute', async () => {
    const world = await worldWith();
    const { body } = await ok(world, 'POST', '/api/v2/moderation/mute', { body: { target_ids: ['bob'], user_id: 'ann', timeout: 10 } });
    const [mute] = body.mutes;
    assert.deepEqual([mute.user.id, mute.target.id, mute.expires - mute.created_at, 'mute' in body], ['ann', 'bob', 600 * 1e9, false]);
    assert.deepEqual([body.own_user.mutes.length, body.own_user.channel_mutes], [1, []]);
    assert.equal((await users(world, 'v2', 'ann')).mutes[0].target.id, 'bob');
    const sent = { body: { target_ids: ['bob', 'ghost'], user: { id: 'ann' } } };
    const answer = await ok(world, 'POST', '/api/v2/moderation/unmute', sent, 200);
    assert.deepEqual(answer.body.non_existing_users, ['ghost']);
    assert.deepEqual((await users(world, 'v2', 'ann')).mutes, []);
  });

  it('MD6 muting nobody that exists is an error with rate headers', async () => {
    const world = await worldWith();
    for (const path of ['/moderation/mute', '/api/v2/moderation/mute', '/moderation/unmute', '/api/v2/moderation/unmute']) {
      const received = await refused(world, 'POST', path, { body: { target_ids: ['ghost', 'wraith'], user_id: 'ann' } });
      assertRefused(received, 404, 16, 'target_ids[ghost]', /the user ghost does not exist/);
      assert.equal(received.body.errors.length, 2);
      assert.ok(Number(received.headers['x-ratelimit-limit']) > 0);
    }
  });

  it('MD17 wrong mutes are refused naming the field', async () => {
    const world = await worldWith();
    const many = Array.from({ length: 101 }, (_, i) => `u${i}`);
    for (const [body, status, code, field] of [
      [{ user_id: 'ann' }, 400, 4, 'target_ids'],
      [{ user_id: 'ann', target_ids: [] }, 400, 4, 'target_ids'],
      [{ user_id: 'ann', target_ids: many }, 400, 4, 'target_ids'],
      [{ user_id: 'ann', target_ids: ['bob', 'a b'] }, 400, 4, 'target_ids[1]'],
      [{ user_id: 'ann', target_ids: ['bob', 7] }, 400, 4, 'target_ids[1]'],
      [{ user_id: 'ann', target_ids: ['ann'] }, 400, 4, 'target_ids[ann]'],
      [{ target_ids: ['bob'] }, 400, 4, 'user_id'],
      [{ user_id: 'ghost', target_ids: ['bob'] }, 404, 16, 'user_id'],
      [{ user_id: 'ann', target_ids: ['bob'], timeout: 'x' }, 400, 4, 'timeout'],
    ] as const) {
      for (const path of ['/moderation/mute', '/api/v2/moderation/mute']) {
        assertRefused(await refused(world, 'POST', path, { body }), status, code, field);
      }
    }
    for (const [target, status, code] of [
      ['a b', 400, 4],
      ['ghost', 404, 16],
      ['ann', 400, 4],
    ] as const) {
      const body = { target_id: target, user_id: 'ann' };
      assertRefused(await refused(world, 'POST', '/moderation/mute', { body }), status, code, 'target_id');
    }
  });

  it('MD13 a client mutes for itself', async () => {
    const world = await worldWith();
    const token = userToken('ann');
    assert.equal((await ok(world, 'POST', '/moderation/mute', { body: { target_id: 'bob' }, token })).body.mute.user.id, 'ann');
    await ok(world, 'POST', '/api/v2/moderation/unmute', { body: { target_ids: ['bob'], user_id: 'ann' }, token }, 200);
    const other = await refused(world, 'POST', '/moderation/mute', { body: { target_id: 'ann', user_id: 'bob' }, token });
    assertRefused(other, 403, 17, 'user_id');
    await world.backend.submit({ kind: 'settings', set: { grants: { user: ['search-user'] } } }, 'live');
    const ungranted = await refused(world, 'POST', '/moderation/mute', { body: { target_id: 'bob' }, token });
    assertRefused(ungranted, 403, 17, undefined, /perform action MuteUser/);
  });
});
