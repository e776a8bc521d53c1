/** Reports over HTTP: MD8, MD17. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { assertRefused, signed, userToken } from '../../support/http/fake-backend.ts';
import { ok, refused, users, worldWith } from '../../support/http/moderation-kit.ts';

describe('reports', () => {
  it('MD8 v1: flag and unflag answer the flag', async () => {
    const world = await worldWith();
    const { body } = await ok(world, 'POST', '/moderation/flag', { body: { target_user_id: 'ann', user_id: 'bob', reason: '' } });
    assert.deepEqual([body.flag.user.id, body.flag.target_user.id, body.flag.created_by_automod], ['bob', 'ann', false]);
    assert.match(body.flag.item_id, /^[0-9a-f-]{36}$/);
    const answer = await ok(world, 'POST', '/moderation/unflag', { body: { target_user_id: 'ann', user_id: 'bob' } }, 200);
    assert.deepEqual(answer.body.flag, body.flag);
    const again = await ok(world, 'POST', '/moderation/unflag', { body: { target_user_id: 'ann', user_id: 'bob' } }, 200);
    assert.deepEqual(Object.keys(again.body), ['duration']);
  });

  it('MD8 v2: flag answers the id of the item, which stays; the count and the bypass', async () => {
    const world = await worldWith();
    const flag = { entity_type: 'stream:user', entity_id: 'ann', entity_creator_id: '', reason: 'spam', user_id: 'bob', custom: null };
    const first = await ok(world, 'POST', '/api/v2/moderation/flag', { body: flag });
    const again = await ok(world, 'POST', '/api/v2/moderation/flag', { body: { ...flag, custom: { where: 'wall' } } });
    assert.equal(again.body.item_id, first.body.item_id);
    const other = await ok(world, 'POST', '/api/v2/moderation/flag', { body: { ...flag, user_id: 'mod', custom: [] } });
    assert.notEqual(other.body.item_id, first.body.item_id);
    const count = async (id: string) =>
      (await ok(world, 'POST', '/api/v2/moderation/flag_count', { body: { entity_creator_id: id } }, 200)).body.count;
    assert.deepEqual([await count('ann'), await count('bob')], [2, 0]);
    await ok(world, 'POST', '/api/v2/moderation/bypass', { body: { target_user_id: 'ann', enabled: true } }, 200);
    assert.equal((await users(world, 'v2', 'ann')).bypass_moderation, true);
    await ok(world, 'POST', '/api/v2/moderation/bypass', { body: { target_user_id: 'ann', enabled: false } }, 200);
    assert.equal('bypass_moderation' in (await users(world, 'v2', 'ann')), false);
  });

  it('MD8 only users can be reported', async () => {
    const world = await worldWith();
    const message = { entity_type: 'stream:chat:v1:message', entity_id: 'm1', custom: null };
    assertRefused(
      await refused(world, 'POST', '/api/v2/moderation/flag', { body: message }),
      400,
      4,
      'entity_type',
      /rosterd knows users only/,
    );
    const v1 = { target_message_id: 'm1', user_id: 'ann' };
    assertRefused(await refused(world, 'POST', '/moderation/flag', { body: v1 }), 400, 4, 'target_message_id', /rosterd knows users only/);
  });

  it('FD35 feeds: a server reports for anyone or nobody, a client for itself; refusals have the form of that dialect', async () => {
    const world = await worldWith();
    const path = '/api/v1.0/moderation/flag/';
    const flag = { entity_type: 'stream:user', entity_id: 'ann', reason: 'spam' };
    const { body } = await ok(world, 'POST', path, { body: { ...flag, user_id: 'bob' } });
    assert.deepEqual(Object.keys(body).sort(), ['created_at', 'duration', 'flag_id', 'flagged_by', 'reason', 'target_user_id']);
    assert.deepEqual([body.target_user_id, body.flagged_by, body.reason], ['ann', 'bob', 'spam']);
    const chat = await ok(world, 'POST', '/api/v2/moderation/flag', { body: { ...flag, user_id: 'bob' } });
    assert.equal(chat.body.item_id, body.flag_id, 'the same report');
    assert.equal('flagged_by' in (await ok(world, 'POST', path, { body: flag })).body, false);
    assert.equal((await ok(world, 'POST', path, { body: flag, token: userToken('mod') })).body.flagged_by, 'mod');
    const scoped = (resource: string) => signed({ resource, action: '*', feed_id: '*' });
    await ok(world, 'POST', path, { body: flag, token: scoped('moderation') });
    for (const [status, code, sent] of [
      [403, 17, { body: flag, token: scoped('users') }],
      [403, 17, { body: { ...flag, user_id: 'bob' }, token: userToken('mod') }],
      [404, 16, { body: { ...flag, entity_id: 'ghost' } }],
      [400, 4, { body: { ...flag, entity_type: 'stream:feeds:v2:activity' } }],
      [400, 4, { body: {} }],
    ] as const) {
      const refusal = await world.send('POST', path, sent);
      assert.deepEqual([refusal.status, refusal.body.code, typeof refusal.body.exception], [status, code, 'string'], refusal.text);
    }
  });

  it('MD17 wrong reports are refused naming the field', async () => {
    const world = await worldWith();
    const v2 = { entity_type: 'stream:user', entity_id: 'ann' };
    for (const [path, body, status, code, field] of [
      ['/moderation/flag', {}, 400, 4, 'target_user_id'],
      ['/moderation/flag', { target_user_id: 'ghost', user_id: 'ann' }, 404, 16, 'target_user_id'],
      ['/moderation/flag', { target_user_id: 'ann', user_id: 'ghost' }, 404, 16, 'user_id'],
      ['/moderation/unflag', { target_user_id: 'ghost', user_id: 'ann' }, 404, 16, 'target_user_id'],
      ['/api/v2/moderation/flag', { ...v2, entity_id: 'ghost' }, 404, 16, 'entity_id'],
      ['/api/v2/moderation/flag', { ...v2, entity_id: 'a b' }, 400, 4, 'entity_id'],
      ['/api/v2/moderation/flag', { ...v2, custom: { text: 'x'.repeat(LIMITS.flagCustomBytes) } }, 400, 4, 'custom'],
      ['/api/v2/moderation/flag', { ...v2, custom: { a: { constructor: 1 } } }, 400, 4, 'custom.a.constructor'],
      ['/api/v2/moderation/flag_count', { entity_creator_id: 'ghost' }, 404, 16, undefined],
      ['/api/v2/moderation/flag_count', {}, 400, 4, 'entity_creator_id'],
      ['/api/v2/moderation/bypass', { target_user_id: 'ghost', enabled: true }, 404, 16, 'target_user_id'],
      ['/api/v2/moderation/bypass', { target_user_id: 'ann' }, 400, 4, 'enabled'],
    ] as const) {
      assertRefused(await refused(world, 'POST', path, { body }), status, code, field);
    }
    for (const path of ['flag_count', 'bypass']) {
      assertRefused(await refused(world, 'POST', `/api/v2/moderation/${path}`, { body: {}, token: userToken('mod') }), 403, 17);
    }
  });
});
