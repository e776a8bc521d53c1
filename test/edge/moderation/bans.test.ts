/**
 * Bans over HTTP, with the bodies that the published clients for Go (v1 and v2) and PHP send: zero values, empty texts and nulls
 * included. MD1, MD2, MD11–MD13 and MD17.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { assertRefused, fakeServices, type HttpWorld, httpWorld, NOW_MS, type Sent, userToken } from '../../support/http/fake-backend.ts';
import { ok, payload, refused, users, worldWith } from '../../support/http/moderation-kit.ts';

describe('bans', () => {
  it('MD1 v1: ban and unban with the bodies of the Go client', async () => {
    const world = await worldWith();
    const body = { target_user_id: 'ann', user_id: 'bob', reason: 'spammer', timeout: 60, shadow: false, id: '', type: '' };
    const answer = await ok(world, 'POST', '/moderation/ban', { body });
    assert.deepEqual(Object.keys(answer.body), ['duration']);
    assert.match(answer.headers['x-rosterd-position'] ?? '', /^test:\d+$/);
    const ann = await users(world, 'v1', 'ann');
    assert.deepEqual([ann.banned, ann.shadow_banned, ann.ban_expires], [true, false, '2026-03-04T06:06:07.002000Z']);
    await ok(world, 'DELETE', '/moderation/ban', { query: { target_user_id: 'ann' } });
    const freed = await users(world, 'v1', 'ann');
    assert.deepEqual([freed.banned, 'ban_expires' in freed], [false, false]);
    // Not banned any more: nothing to do, and no error.
    await ok(world, 'DELETE', '/moderation/ban', { query: { target_user_id: 'ann', shadow: '' } });
  });

  it('MD1 v2: ban and unban with the bodies of the Go client', async () => {
    const world = await worldWith();
    const body = { target_user_id: 'ann', banned_by_id: 'bob', reason: 'spammer', timeout: 60 };
    await ok(world, 'POST', '/api/v2/moderation/ban', { body });
    const ann = await users(world, 'v2', 'ann');
    assert.deepEqual([ann.banned, ann.shadow_banned, ann.ban_expires], [true, false, 1_772_604_367_002_000_000]);
    const sent = { query: { target_user_id: 'ann' }, body: { unbanned_by_id: 'bob' } };
    await ok(world, 'POST', '/api/v2/moderation/unban', sent, 200);
    assert.equal((await users(world, 'v2', 'ann')).banned, false);
    await ok(world, 'POST', '/api/v2/moderation/ban', { body: { target_user_id: 'ann', banned_by: { id: 'mod' }, shadow: true } });
    const shadowed = await users(world, 'v2', 'ann');
    assert.deepEqual([shadowed.banned, shadowed.shadow_banned], [false, true]);
    const own = await world.send('GET', '/api/v2/users', { ...payload({ filter_conditions: { id: 'ann' } }), token: userToken('ann') });
    assert.deepEqual([own.body.users[0].banned, own.body.users[0].shadow_banned], [false, false]);
  });

  it('MD1 PHP: options beside the target, booleans as numbers in the query', async () => {
    const world = await worldWith();
    await ok(world, 'POST', '/moderation/ban', { body: { user_id: 'bob', target_user_id: 'ann', shadow: true } });
    assert.equal((await users(world, 'v1', 'ann')).shadow_banned, true);
    await ok(world, 'DELETE', '/moderation/ban', { query: { target_user_id: 'ann', shadow: '1' } });
    assert.equal((await users(world, 'v1', 'ann')).shadow_banned, false);
  });

  it('MD2 a channel in v1 is type and id, in v2 a cid; both name the same ban', async () => {
    const world = await worldWith();
    const v1 = { target_user_id: 'ann', user_id: 'mod', type: 'messaging', id: 'fun', shadow: false, ban_from_future_channels: true };
    await ok(world, 'POST', '/moderation/ban', { body: v1 });
    const cid = 'messaging:fun';
    await ok(world, 'POST', '/api/v2/moderation/ban', { body: { target_user_id: 'ann', banned_by_id: 'bob', channel_cid: cid } });
    assert.equal((await users(world, 'v1', 'ann')).banned, false);
    const { body } = await ok(world, 'GET', '/query_banned_users', payload({ filter_conditions: { channel_cid: cid } }));
    assert.equal(body.bans.length, 1);
    assert.deepEqual(body.bans[0].channel, { cid, type: 'messaging', id: 'fun' });
    assert.equal(body.bans[0].banned_by.id, 'bob');
    const future = await ok(world, 'GET', '/api/v2/chat/query_future_channel_bans', payload({ user_id: 'mod' }));
    assert.deepEqual(
      future.body.bans.map(({ user }: { user: { id: string } }) => user.id),
      ['ann'],
    );
    const query = { target_user_id: 'ann', type: 'messaging', id: 'fun', remove_future_channels_ban: 'true', created_by: 'mod' };
    await ok(world, 'DELETE', '/moderation/ban', { query });
    assert.deepEqual((await ok(world, 'GET', '/query_banned_users')).body.bans, []);
    assert.deepEqual((await ok(world, 'GET', '/query_future_channel_bans')).body.bans, []);
  });

  it('MD17 wrong bans are refused naming the field, in both dialects', async () => {
    const world = await worldWith();
    const wrong: readonly [string, Record<string, unknown>, number, number, string][] = [
      ['/moderation/ban', {}, 400, 4, 'target_user_id'],
      ['/moderation/ban', { target_user_id: '' }, 400, 4, 'target_user_id'],
      ['/moderation/ban', { target_user_id: 'a b' }, 400, 4, 'target_user_id'],
      ['/moderation/ban', { target_user_id: 'ghost' }, 404, 16, 'target_user_id'],
      ['/moderation/ban', { target_user_id: 'ann', user_id: 'ghost' }, 404, 16, 'user_id'],
      ['/api/v2/moderation/ban', { target_user_id: 'ann', banned_by_id: 'ghost' }, 404, 16, 'banned_by_id'],
      ['/moderation/ban', { target_user_id: 'ann', type: 'messaging' }, 400, 4, 'id'],
      ['/moderation/ban', { target_user_id: 'ann', id: 'fun' }, 400, 4, 'type'],
      ['/moderation/ban', { target_user_id: 'ann', ban_from_future_channels: true }, 400, 4, 'user_id'],
      ['/api/v2/moderation/ban', { target_user_id: 'ann', timeout: -1 }, 400, 4, 'timeout'],
      ['/api/v2/moderation/ban', { target_user_id: 'ann', timeout: 1.5 }, 400, 4, 'timeout'],
      ['/api/v2/moderation/ban', { target_user_id: 'ann', timeout: LIMITS.timeoutMinutes + 1 }, 400, 4, 'timeout'],
      ['/api/v2/moderation/ban', { target_user_id: 'ann', channel_cid: 'fun' }, 400, 4, 'channel_cid'],
      ['/api/v2/moderation/ban', { target_user_id: 'ann', delete_messages: 'all' }, 400, 4, 'delete_messages'],
      ['/api/v2/moderation/ban', { target_user_id: 'ann', banned_by: { id: '__proto__' } }, 400, 4, 'banned_by.id'],
      ['/api/v2/moderation/ban', { target_user_id: 'ann', reason: 'x'.repeat(LIMITS.reasonChars + 1) }, 400, 4, 'reason'],
    ];
    for (const [path, body, status, code, field] of wrong)
      assertRefused(await refused(world, 'POST', path, { body }), status, code, field, /^.*Ban failed/s);
    assertRefused(await refused(world, 'DELETE', '/moderation/ban', {}), 400, 4, 'target_user_id');
    assertRefused(await refused(world, 'DELETE', '/moderation/ban', { query: { target_user_id: 'ghost' } }), 404, 16, 'target_user_id');
    assertRefused(
      await refused(world, 'DELETE', '/moderation/ban', { query: { target_user_id: 'ann', shadow: 'maybe' } }),
      400,
      4,
      'shadow',
    );
    assertRefused(await refused(world, 'POST', '/api/v2/moderation/unban', { body: {} }), 400, 4, 'target_user_id');
  });

  it('MD13 clients ban only when their role may, and only in their own name', async () => {
    const world = await worldWith();
    const body = { target_user_id: 'ann' };
    const member = await refused(world, 'POST', '/moderation/ban', { body, token: userToken('bob') });
    assertRefused(member, 403, 17, undefined, /User 'bob' with role 'user' is not allowed to perform action BanUser/);
    const other = await refused(world, 'POST', '/api/v2/moderation/ban', {
      body: { ...body, banned_by_id: 'bob' },
      token: userToken('mod'),
    });
    assertRefused(other, 403, 17, 'banned_by_id');
    await ok(world, 'POST', '/api/v2/moderation/ban', { body, token: userToken('mod') });
    const list = await ok(world, 'GET', '/api/v2/chat/query_banned_users', {
      ...payload({ filter_conditions: {} }),
      token: userToken('mod'),
    });
    assert.deepEqual([list.body.bans[0].user.id, list.body.bans[0].banned_by.id], ['ann', 'mod']);
    assertRefused(await refused(world, 'GET', '/query_banned_users', { token: userToken('bob') }), 403, 17);
    await ok(world, 'DELETE', '/moderation/ban', { query: { target_user_id: 'ann' }, token: userToken('mod') });
    assertRefused(await refused(world, 'POST', '/moderation/ban', { body, token: null }), 401, 5);
  });
});

describe('lists of bans', () => {
  async function banned(): Promise<HttpWorld> {
    const world = await worldWith({ id: 'cem' }, { id: 'dan' });
    for (const [target, by, more] of [
      ['ann', 'mod', { reason: 'first' }],
      ['bob', 'cem', { timeout: 5 }],
      ['cem', 'mod', { channel_cid: 'm:a' }],
      ['cem', undefined, { channel_cid: 'm:b', shadow: true }],
    ] as const) {
      const body = { target_user_id: target, ...(by === undefined ? {} : { banned_by_id: by }), ...more };
      await ok(world, 'POST', '/api/v2/moderation/ban', { body });
    }
    return world;
  }

  async function found(world: HttpWorld, query: object): Promise<string[]> {
    const { body } = await ok(world, 'GET', '/query_banned_users', payload(query));
    return body.bans.map(({ user, channel }: { user: { id: string }; channel?: { cid: string } }) =>
      `${user.id} ${channel?.cid ?? ''}`.trim(),
    );
  }

  it('MD11 the newest first, with everything that is known of a ban', async () => {
    const world = await banned();
    assert.deepEqual(await found(world, { filter_conditions: [] }), ['cem m:b', 'cem m:a', 'bob', 'ann']);
    const { body } = await ok(world, 'GET', '/api/v2/chat/query_banned_users', payload({ filter_conditions: { user_id: 'bob' } }));
    const [ban] = body.bans;
    assert.equal(typeof ban.created_at, 'number');
    assert.equal(ban.expires, ban.created_at + 300 * 1e9);
    assert.deepEqual([ban.user.id, ban.user.banned, ban.banned_by.id, ban.shadow, 'reason' in ban], ['bob', true, 'cem', false, false]);
  });

  it('MD11 filters, order and pages', async () => {
    const world = await banned();
    assert.deepEqual(await found(world, { filter_conditions: { user_id: { $in: ['ann', 'cem', 'ghost'] } } }), [
      'cem m:b',
      'cem m:a',
      'ann',
    ]);
    assert.deepEqual(await found(world, { filter_conditions: { channel_cid: 'm:a' } }), ['cem m:a']);
    assert.deepEqual(await found(world, { filter_conditions: { channel_cid: null } }), ['bob', 'ann']);
    assert.deepEqual(await found(world, { filter_conditions: { banned_by_id: { $eq: 'mod' }, channel_cid: { $gt: 'a' } } }), ['cem m:a']);
    const { body } = await ok(world, 'GET', '/query_banned_users', payload({ filter_conditions: { user_id: 'bob' } }));
    const at = body.bans[0].created_at;
    assert.deepEqual(await found(world, { filter_conditions: { created_at: { $gt: at } } }), ['cem m:b', 'cem m:a']);
    assert.deepEqual(await found(world, { filter_conditions: { created_at: { $lte: at } } }), ['bob', 'ann']);
    const order = [
      { field: 'banned_by_id', direction: -1 },
      { field: 'created_at', direction: 1 },
    ];
    assert.deepEqual(await found(world, { filter_conditions: {}, sort: order }), ['ann', 'cem m:a', 'bob', 'cem m:b']);
    assert.deepEqual(await found(world, { filter_conditions: {}, limit: 2, offset: 1 }), ['cem m:a', 'bob']);
    assert.deepEqual(await found(world, { filter_conditions: {}, limit: 0, sort: [] }), ['cem m:b', 'cem m:a', 'bob', 'ann']);
  });

  it('MD11 a reason is filtered by and sorted by; null is no reason', async () => {
    const world = httpWorld();
    await ok(world, 'POST', '/users', { body: { users: ['ann', 'bob', 'cem'].map((id) => ({ id })) } });
    for (const [id, reason] of [
      ['ann', 'spam'],
      ['bob', 'abuse'],
      ['cem', ''],
    ] as const) {
      await ok(world, 'POST', '/moderation/ban', { body: { target_user_id: id, user_id: 'ann', reason } });
    }
    const by = (reason: unknown) => found(world, { filter_conditions: { reason } });
    assert.deepEqual(await by('spam'), ['ann']);
    assert.deepEqual(await by({ $in: ['spam', 'abuse', 'other'] }), ['bob', 'ann']);
    assert.deepEqual(await by({ $gt: 'b' }), ['ann']);
    assert.deepEqual(await by(null), ['cem']);
    assert.deepEqual(await found(world, { filter_conditions: {}, sort: [{ field: 'reason', direction: 1 }] }), ['bob', 'ann', 'cem']);
    for (const base of ['/query_banned_users', '/api/v2/chat/query_banned_users']) {
      const refused = await world.send('GET', base, payload({ filter_conditions: { reason: 5 } }));
      assert.deepEqual([refused.status, refused.body.errors[0].path], [400, 'filter_conditions.reason']);
    }
  });

  it('MD11 many bans: pages hold each of them once, whatever the order of banning', async () => {
    const ids = Array.from({ length: 400 }, (_, i) => `u${(i * 7) % 400}`);
    const world = await worldWith();
    for (let i = 0; i < ids.length; i += 100) {
      const some = Object.fromEntries(ids.slice(i, i + 100).map((id) => [id, { id }]));
      await ok(world, 'POST', '/users', { body: { users: some } });
    }
    for (const target of ids) await world.backend.submit({ kind: 'ban', actor: { kind: 'server' }, target }, 'live');
    const seen: string[] = [];
    for (let offset = 0; offset < 400; offset += 100) {
      seen.push(...(await found(world, { filter_conditions: {}, sort: [{ field: 'user_id' }], limit: 100, offset })));
    }
    assert.deepEqual(seen, [...ids].sort());
  });

  it('MD11 bans that are over are left out when that is asked for, also before they were taken out', async () => {
    const world = httpWorld({ services: { ...fakeServices(), nowMs: () => NOW_MS + 10 * 60_000 } });
    await ok(world, 'POST', '/users', { body: { users: { ann: {}, bob: {} } } });
    await ok(world, 'POST', '/moderation/ban', { body: { target_user_id: 'ann', timeout: 5 } });
    await ok(world, 'POST', '/moderation/ban', {
      body: { target_user_id: 'bob', timeout: 50, type: 'm', id: 'a', user_id: 'ann', ban_from_future_channels: true },
    });
    assert.deepEqual(await found(world, { filter_conditions: {} }), ['bob m:a', 'ann']);
    assert.deepEqual(await found(world, { filter_conditions: {}, exclude_expired_bans: true }), ['bob m:a']);
    const path = '/api/v2/chat/query_future_channel_bans';
    assert.equal((await ok(world, 'GET', path, payload({ exclude_expired_bans: true }))).body.bans.length, 1);
  });

  it('MD12 bans from future channels: of whoever made them, on whom, and how many', async () => {
    const world = await worldWith({ id: 'cem' });
    for (const [target, by] of [
      ['ann', 'mod'],
      ['bob', 'mod'],
      ['ann', 'cem'],
    ] as const) {
      const body = { target_user_id: target, user_id: by, type: 'm', id: 'a', ban_from_future_channels: true };
      await ok(world, 'POST', '/moderation/ban', { body });
    }
    const list = async (query: object, sent: Sent = {}) => {
      const { body } = await ok(world, 'GET', '/query_future_channel_bans', { ...payload(query), ...sent });
      return {
        bans: body.bans.map((ban: { user: { id: string }; banned_by: { id: string } }) => `${ban.banned_by.id} ${ban.user.id}`),
        total: body.total,
      };
    };
    assert.deepEqual(await list({}), { bans: ['cem ann', 'mod bob', 'mod ann'], total: undefined });
    assert.deepEqual(await list({ user_id: 'mod', limit: 1, include_total: true }), { bans: ['mod bob'], total: 2 });
    assert.deepEqual(await list({ target_user_id: 'ann', user_id: 'mod' }), { bans: ['mod ann'], total: undefined });
    assert.deepEqual(await list({}, { token: userToken('cem') }), { bans: ['cem ann'], total: undefined });
    const other = await refused(world, 'GET', '/query_future_channel_bans', { ...payload({ user_id: 'mod' }), token: userToken('cem') });
    assertRefused(other, 403, 17, 'user_id');
  });

  it('MD13 where teams are walls, a moderator lists the bans of its own teams', async () => {
    const world = await worldWith(
      { id: 'red', teams: ['red'] },
      { id: 'blue', teams: ['blue'] },
      { id: 'chief', role: 'moderator', teams: ['red'] },
    );
    for (const target of ['red', 'blue', 'ann']) await ok(world, 'POST', '/moderation/ban', { body: { target_user_id: target } });
    await world.backend.submit({ kind: 'settings', set: { multi_tenant_enabled: true } }, 'live');
    const { body } = await ok(world, 'GET', '/query_banned_users', { token: userToken('chief') });
    assert.deepEqual(
      body.bans.map(({ user }: { user: { id: string } }) => user.id),
      ['red'],
    );
    assert.equal((await ok(world, 'GET', '/query_banned_users')).body.bans.length, 3);
    const sent = { body: { target_user_id: 'blue' }, token: userToken('chief') };
    assertRefused(await refused(world, 'POST', '/moderation/ban', sent), 404, 16, 'target_user_id');
  });

  it('MD17 wrong lists are refused with everything that is wrong', async () => {
    const world = await worldWith();
    const wrong = {
      filter_conditions: { user_id: 5, colour: 'x', created_at: { $gt: 'soon', $like: 1 }, banned_by_id: { $in: 'mod' } },
      sort: [{ field: 'name' }],
    };
    const received = await refused(world, 'GET', '/api/v2/chat/query_banned_users', payload(wrong));
    assertRefused(received, 400, 4, 'filter_conditions.user_id');
    assert.deepEqual(
      received.body.errors.map(({ path }: { path: string }) => path),
      [
        'filter_conditions.user_id',
        'filter_conditions.colour',
        'filter_conditions.created_at.$gt',
        'filter_conditions.created_at.$like',
        'filter_conditions.banned_by_id.$in',
        'sort[0].field',
      ],
    );
    for (const [bad, field] of [
      [{ limit: 101 }, 'limit'],
      [{ offset: 1001 }, 'offset'],
      [{ offset: -1 }, 'offset'],
      [{ exclude_expired_bans: 'yes' }, 'exclude_expired_bans'],
      [{ sort: [{ field: 'user_id', direction: 2 }] }, 'sort[0].direction'],
      [{ filter_conditions: { user_id: { $in: Array.from({ length: 101 }, () => 'x') } } }, 'filter_conditions.user_id.$in'],
      [{ filter_conditions: [1] }, 'filter_conditions'],
      [{ filter_conditions: { user_id: {} } }, 'filter_conditions.user_id'],
    ] as const) {
      assertRefused(await refused(world, 'GET', '/query_banned_users', payload(bad)), 400, 4, field);
    }
    assertRefused(await refused(world, 'GET', '/query_banned_users', { query: { payload: '{' } }), 400, 4, 'payload');
    assertRefused(await refused(world, 'GET', '/query_future_channel_bans', payload({ include_total: 1 })), 400, 4, 'include_total');
  });
});
