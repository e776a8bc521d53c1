/** Users that moderation names, as a client sees them: PV3 those that are gone or behind walls, PV4 the fields of others. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type HttpWorld, type Received, SERVER_TOKEN, type Sent, userToken } from '../../support/http/fake-backend.ts';
import { ok, payload, worldWith } from '../../support/http/moderation-kit.ts';

const ANN = userToken('ann');
const MOD = userToken('mod');

/** Users of team red, and one of team blue, who was red when the others dealt with it. */
async function walled(): Promise<HttpWorld> {
  const red = { teams: ['red'] };
  const world = await worldWith(
    { id: 'ann', ...red },
    { id: 'bob', ...red },
    { id: 'mod', role: 'moderator', ...red },
    { id: 'zed', ...red },
    { id: 'gone', ...red },
  );
  await ok(world, 'PATCH', '/app', { body: { multi_tenant_enabled: true } });
  return world;
}

async function hide({ send }: HttpWorld): Promise<void> {
  await send('PATCH', '/users', { body: { users: [{ id: 'zed', set: { teams: ['blue'] } }] } });
  await send('DELETE', '/users/gone');
}

describe('users that are gone for a client', () => {
  it('PV3 are refused in the same words, whether they were deleted, are behind walls, or never were', async () => {
    const world = await walled();
    await hide(world);
    const requests: readonly (readonly [string, string, (id: string) => object])[] = [
      ['/moderation/ban', MOD, (id) => ({ target_user_id: id })],
      ['/moderation/mute', ANN, (id) => ({ target_id: id })],
      ['/moderation/flag', ANN, (id) => ({ target_user_id: id })],
      ['/moderation/unflag', ANN, (id) => ({ target_user_id: id })],
      ['/users/block', ANN, (id) => ({ blocked_user_id: id })],
      ['/users/unblock', ANN, (id) => ({ blocked_user_id: id })],
    ];
    for (const [path, token, body] of requests) {
      const texts = new Set<string>();
      for (const id of ['zed', 'gone', 'nobody']) {
        const { status, text } = await world.send('POST', path, { token, body: body(id) });
        texts.add(`${status} ${text.replaceAll(id, '<id>').replace(/"duration":"[^"]*"/, '')}`);
      }
      assert.equal(texts.size, 1, [...texts].join('\n'));
      assert.match([...texts][0] ?? '', /^404 .*does not exist/);
    }
  });

  it('PV3 are in none of its lists, and servers see those that live', async () => {
    const world = await walled();
    const both = ['zed', 'gone'];
    await ok(world, 'POST', '/moderation/mute', { token: ANN, body: { target_ids: [...both, 'bob'] } });
    for (const id of both) await ok(world, 'POST', '/users/block', { token: ANN, body: { blocked_user_id: id } });
    await ok(world, 'POST', '/moderation/ban', { body: { target_user_id: 'bob', user_id: 'zed' } });
    await ok(world, 'POST', '/moderation/ban', {
      token: MOD,
      body: { target_user_id: 'zed', type: 'messaging', id: 'one', ban_from_future_channels: true },
    });
    await hide(world);
    const seen = async (token: string, sent: Sent = {}) => {
      const get = (path: string, more: Sent = {}) => ok(world, 'GET', path, { token, ...more });
      const named = token === SERVER_TOKEN ? { query: { user_id: 'ann' } } : {};
      const ids = (users: readonly { readonly id: string }[]) => users.map(({ id }) => id).sort();
      const own = (await get('/users', payload({ filter_conditions: { id: 'ann' } }))).body.users[0];
      const bans = token === ANN ? [] : (await get('/query_banned_users', sent)).body.bans;
      const future = token === ANN ? [] : (await get('/query_future_channel_bans')).body.bans;
      return {
        blocks:
          token === MOD
            ? []
            : (await get('/users/block', named)).body.blocks.map((block: { blocked_user_id: string }) => block.blocked_user_id),
        blocked: own.blocked_user_ids,
        mutes: ids(own.mutes.map(({ target }: { target: { id: string } }) => target)),
        bans: bans.map((ban: { user: { id: string }; banned_by?: { id: string } }) => [ban.user.id, ban.banned_by?.id]).sort(),
        future: ids(future.map(({ user }: { user: { id: string } }) => user)),
      };
    };
    assert.deepEqual(await seen(ANN), { blocks: [], blocked: [], mutes: ['bob'], bans: [], future: [] });
    assert.deepEqual(await seen(MOD), { blocks: [], blocked: [], mutes: [], bans: [['bob', undefined]], future: [] });
    assert.deepEqual(await seen(SERVER_TOKEN), {
      blocks: ['zed'],
      blocked: ['zed'],
      mutes: ['bob', 'zed'],
      bans: [
        ['bob', 'zed'],
        ['zed', 'mod'],
      ],
      future: ['zed'],
    });
  });

  it('PV3 are not shown by a request that is sent again', async () => {
    const texts = new Set<string>();
    for (const fate of ['hidden', 'deleted', 'wiped']) {
      const world = await walled();
      const flag = () =>
        world.send('POST', '/moderation/flag', { token: ANN, body: { target_user_id: 'zed' }, headers: { 'idempotency-key': 'k' } });
      assert.equal((await flag()).status, 201);
      if (fate === 'hidden') await hide(world);
      else await world.send('DELETE', '/users/zed', { query: { hard_delete: String(fate === 'wiped') } });
      const { status, text } = await flag();
      texts.add(`${status} ${text.replace(/"duration":"[^"]*"/, '')}`);
    }
    assert.equal(texts.size, 1, [...texts].join('\n'));
    assert.match([...texts][0] ?? '', /^404 /);
  });

  it('PV5 whoever may ban sees shadow bans of others, and never one of its own', async () => {
    const world = await walled();
    for (const id of ['bob', 'mod']) await ok(world, 'POST', '/moderation/ban', { body: { target_user_id: id, shadow: true } });
    const { body } = await ok(world, 'GET', '/query_banned_users', { token: MOD });
    assert.deepEqual(
      body.bans.map(({ user, shadow }: { user: { id: string }; shadow: boolean }) => [user.id, shadow]),
      [['bob', true]],
    );
  });
});

const PRIVATE = ['teams_role', 'privacy_settings', 'bypass_moderation', 'revoke_tokens_issued_before'];

/** The private fields that a user somewhere in the answer is shown with, by the id of the user. */
function privateIn({ body }: Received, id: string): string[] {
  const found = new Set<string>();
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (!Array.isArray(value) && Object.hasOwn(value, 'id') && Object.entries(value).some(([key, own]) => key === 'id' && own === id)) {
      for (const field of PRIVATE) if (Object.hasOwn(value, field)) found.add(field);
    }
    for (const inner of Object.values(value)) walk(inner);
  };
  walk(body);
  return [...found].sort();
}

describe('the fields of others', () => {
  it('PV4 that a client cannot filter by are shown to servers and to the user itself, in every answer with a user', async () => {
    const whole = { teams: ['red'], teams_role: { red: 'admin' }, privacy_settings: { read_receipts: { enabled: false } } };
    for (const root of ['', '/api/v2']) {
      const world = await worldWith({ id: 'ann', ...whole }, { id: 'bob', ...whole }, { id: 'mod', role: 'moderator', ...whole });
      for (const id of ['ann', 'bob', 'mod']) {
        await ok(world, 'PATCH', '/users', { body: { users: [{ id, set: { revoke_tokens_issued_before: '2020-01-01T00:00:00Z' } }] } });
        await ok(world, 'POST', '/api/v2/moderation/bypass', { body: { target_user_id: id, enabled: true } }, 200);
      }
      const v1 = root === '';
      const since = Math.floor(Date.parse('2026-01-01T00:00:00Z') / 1000);
      const ann = userToken('ann', { iat: since });
      const mod = userToken('mod', { iat: since });
      const bans = v1 ? '/query_banned_users' : '/api/v2/chat/query_banned_users';
      const calls: readonly (readonly [string, Sent, string, Parameters<HttpWorld['send']>[0], string])[] = [
        ['ann', { token: ann, body: { target_ids: ['bob'] } }, `${root}/moderation/mute`, 'POST', 'bob'],
        ['mod', { token: mod, body: { target_user_id: 'bob' } }, `${root}/moderation/ban`, 'POST', 'bob'],
        ['ann', { token: ann, body: { blocked_user_id: 'bob' } }, `${root}/users/block`, 'POST', 'bob'],
        ['ann', { token: ann }, `${root}/users`, 'GET', 'bob'],
        ['ann', { token: ann }, `${root}/users/block`, 'GET', 'bob'],
        ['mod', { token: mod }, bans, 'GET', 'bob'],
        ['ann', { token: ann, body: { users: [{ id: 'ann', set: { a: 1 } }] } }, `${root}/users`, 'PATCH', 'bob'],
        ...(v1 ? ([['ann', { token: ann, body: { target_user_id: 'bob' } }, '/moderation/flag', 'POST', 'bob']] as const) : []),
      ];
      for (const [caller, sent, path, method, other] of calls) {
        const received = await world.send(method, path, sent);
        assert.ok(received.status < 300, received.text);
        assert.deepEqual(privateIn(received, other), [], `${method} ${path} shows ${caller} of ${other}: ${received.text}`);
        if (received.text.includes(`"id":"${caller}"`) && !path.includes('ban')) {
          assert.deepEqual(privateIn(received, caller), [...PRIVATE].sort(), `${method} ${path} shows ${caller} itself: ${received.text}`);
        }
      }
      const all = await world.send('GET', `${root}/users`);
      for (const id of ['ann', 'bob']) assert.deepEqual(privateIn(all, id), [...PRIVATE].sort(), all.text);
    }
  });
});

describe('a request that names two users as the one that acts', () => {
  it('PV2 is refused, whichever of them is the own user', async () => {
    const world = await worldWith({ id: 'ann' }, { id: 'bob' });
    const requests: readonly (readonly [path: string, body: object])[] = [
      ['/moderation/ban', { target_user_id: 'bob' }],
      ['/moderation/mute', { target_id: 'bob' }],
      ['/moderation/flag', { target_user_id: 'bob' }],
      ['/users/block', { blocked_user_id: 'bob' }],
      ['/devices', { id: 'd', push_provider: 'apn' }],
    ];
    for (const [path, body] of requests) {
      for (const token of [ANN, SERVER_TOKEN]) {
        const other = path === '/moderation/ban' ? { banned_by_id: 'bob' } : { user: { id: 'bob' } };
        const { status, text } = await world.send('POST', path, { token, body: { ...body, user_id: 'ann', ...other } });
        assert.equal(status, 400, `${path} ${text}`);
        assert.match(text, /must name the same user as user_id/);
      }
    }
    const future = payload({ user_id: 'ann', user: { id: 'bob' } });
    assert.equal((await world.send('GET', '/query_future_channel_bans', { token: MOD, ...future })).status, 400);
  });
});
