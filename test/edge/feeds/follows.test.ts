/** Feeds: following over HTTP (FD25, FD30–FD33). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type HttpWorld, httpWorld, SERVER_TOKEN, type Send, userToken } from '../../support/http/fake-backend.ts';
import { create, ROOT, refusedAs } from '../../support/http/feeds-kit.ts';

describe('following', () => {
  const profile = async ({ send }: HttpWorld, id: string) => {
    const { body } = await send('GET', `${ROOT}/user/${id}/`, { query: { with_follow_counts: 'true' } });
    return [body.followers_count, body.following_count];
  };

  it('FD25 follows are counted under both names of the endpoint, once each', async () => {
    const world = httpWorld();
    const { send, backend } = world;
    for (const id of ['ann', 'bob']) await create(send, id);
    const follow = (source: string, target: string, name = 'follows') =>
      send('POST', `${ROOT}/feed/${source}/${name}/`, { body: { target, target_token: 'x', activity_copy_limit: 5 } });
    const first = await follow('timeline/ann', 'user:bob');
    assert.equal(first.status, 201);
    assert.deepEqual(Object.keys(first.body), ['duration']);
    const { seq } = backend.directory;
    assert.equal((await follow('timeline/ann', 'user:bob', 'following')).status, 201);
    assert.equal(backend.directory.seq, seq);
    await follow('timeline/cem', 'user:bob', 'following');
    await follow('notification/ann', 'user:cem');
    assert.deepEqual(await profile(world, 'bob'), [2, 0]);
    assert.deepEqual(await profile(world, 'ann'), [0, 1]);
    for (const name of ['follows', 'following']) {
      const ended = await send('DELETE', `${ROOT}/feed/timeline/ann/${name}/user:bob/`);
      assert.deepEqual([ended.status, Object.keys(ended.body)], [200, ['duration']]);
    }
    assert.deepEqual(await profile(world, 'bob'), [1, 0]);
    assert.ok(!Object.hasOwn((await send('GET', `${ROOT}/user/bob/`)).body, 'followers_count'));
  });

  it('FD25 bad targets are refused', async () => {
    const { send } = httpWorld();
    const follow = (body: object) => send('POST', `${ROOT}/feed/timeline/ann/follows/`, { body });
    refusedAs(await follow({}), 400, 4, 'InputException', 'target');
    refusedAs(await follow({ target: 'bob' }), 400, 4, 'InputException', 'target');
    refusedAs(await follow({ target: 'timeline:ann' }), 400, 4, 'InputException', 'target');
    refusedAs(await send('DELETE', `${ROOT}/feed/timeline/ann/follows/bob/`), 400, 4, 'InputException', 'target');
  });

  const good = { actor: 'SU:ann', verb: 'post' };
  const post = (send: Send, feed: string, object: string, more: object = {}) =>
    send('POST', `${ROOT}/feed/${feed}/`, { body: { ...good, object, ...more } });
  const shown = async (send: Send, feed: string, query: Record<string, string> = {}, token = SERVER_TOKEN): Promise<string[]> => {
    const { status, body, text } = await send('GET', `${ROOT}/feed/${feed}/`, { query, token });
    assert.equal(status, 200, text);
    return body.results.map(({ object, origin }: { object: string; origin: string | null }) =>
      origin === null ? object : `${object} ${origin}`,
    );
  };
  const follow = async (send: Send, source: string, target: string, more: object = {}) =>
    assert.equal((await send('POST', `${ROOT}/feed/${source}/follows/`, { body: { target, ...more } })).status, 201);
  const unfollow = async (send: Send, source: string, target: string, query: Record<string, string> = {}) =>
    assert.equal((await send('DELETE', `${ROOT}/feed/${source}/follows/${target}/`, { query })).status, 200);

  it('FD30 a feed shows what the feeds have that it follows, in order with its own, each activity once, and no more than these have', async () => {
    const { send } = httpWorld();
    await post(send, 'user/bob', 'b1');
    await follow(send, 'timeline/ann', 'user:bob');
    await follow(send, 'timeline/ann', 'user:cem');
    await follow(send, 'user/bob', 'user:dan');
    await post(send, 'user/cem', 'c1');
    await post(send, 'timeline/ann', 'own');
    await post(send, 'user/bob', 'b2', { to: ['user:cem'] });
    await post(send, 'user/dan', 'd1');
    await post(send, 'user/cem', 'c2', { to: ['timeline:ann'] });
    assert.deepEqual(await shown(send, 'timeline/ann'), ['c2', 'b2 user:bob', 'own', 'c1 user:cem', 'b1 user:bob']);
    assert.deepEqual(await shown(send, 'user/bob'), ['d1 user:dan', 'b2', 'b1']);
    assert.deepEqual(await shown(send, 'timeline/ann', { limit: '2', offset: '1' }), ['b2 user:bob', 'own']);
    const { body } = await send('GET', `${ROOT}/enrich/feed/timeline/ann/`, { query: { limit: '2' } });
    const next = new URL(body.next, 'http://x');
    const rest = await send('GET', next.pathname, { query: { ...Object.fromEntries(next.searchParams), limit: '3' } });
    assert.deepEqual(
      rest.body.results.map(({ object }: { object: string }) => object),
      ['own', 'c1', 'b1'],
    );
    await send('DELETE', `${ROOT}/feed/user/bob/${rest.body.results[2].id}/`);
    assert.deepEqual(await shown(send, 'timeline/ann', { id_lt: rest.body.results[0].id }), ['c1 user:cem']);
  });

  it('FD31 of what a feed had before, its follower shows the newest `activity_copy_limit`, by default 100', async () => {
    const { send } = httpWorld();
    const activities = Array.from({ length: 100 }, (_, n) => ({ ...good, object: `old${n}` }));
    await post(send, 'user/bob', 'oldest');
    await send('POST', `${ROOT}/feed/user/bob/`, { body: { activities } });
    for (const [source, limit] of [
      ['one/ann', 2],
      ['none/ann', 0],
      ['all/ann', 1_000],
      ['default/ann', undefined],
      ['null/ann', null],
    ] as const) {
      await follow(send, source, 'user:bob', { activity_copy_limit: limit });
    }
    await post(send, 'user/bob', 'new');
    assert.deepEqual(await shown(send, 'one/ann'), ['new user:bob', 'old99 user:bob', 'old98 user:bob']);
    assert.deepEqual(await shown(send, 'none/ann'), ['new user:bob']);
    assert.deepEqual((await shown(send, 'all/ann', { offset: '100', limit: '100' })).length, 2);
    for (const source of ['default/ann', 'null/ann']) {
      assert.deepEqual(await shown(send, source, { offset: '100', limit: '100' }), ['old0 user:bob']);
    }
    for (const wrong of [-1, 1_001, 1.5, 'many']) {
      const { status, body } = await send('POST', `${ROOT}/feed/x/ann/follows/`, {
        body: { target: 'user:bob', activity_copy_limit: wrong },
      });
      assert.deepEqual([status, Object.keys(body.exception_fields)], [400, ['activity_copy_limit']], String(wrong));
    }
  });

  it('FD32 an unfollow takes out what came from the feed; with keep_history it stays, without what is added later', async () => {
    const world = httpWorld();
    const { send } = world;
    for (const id of ['ann', 'bob']) await create(send, id);
    await post(send, 'user/bob', 'b1');
    await follow(send, 'timeline/ann', 'user:bob');
    await unfollow(send, 'timeline/ann', 'user:bob');
    assert.deepEqual(await shown(send, 'timeline/ann'), []);
    await follow(send, 'timeline/ann', 'user:bob');
    for (const keep of ['1', 'true']) await unfollow(send, 'timeline/ann', 'user:bob', { keep_history: keep });
    await post(send, 'user/bob', 'b2', { time: '2026-03-05T00:00:00' });
    assert.deepEqual(await shown(send, 'timeline/ann'), ['b1 user:bob']);
    assert.deepEqual(
      [await profile(world, 'bob'), await profile(world, 'ann')],
      [
        [0, 0],
        [0, 0],
      ],
    );
    await follow(send, 'timeline/ann', 'user:bob', { activity_copy_limit: 0 });
    assert.deepEqual(await shown(send, 'timeline/ann'), ['b2 user:bob', 'b1 user:bob'], 'what was kept stays');
    await unfollow(send, 'timeline/ann', 'user:bob', { keep_history: '1' });
    await unfollow(send, 'timeline/ann', 'user:bob', { keep_history: '0' });
    assert.deepEqual(await shown(send, 'timeline/ann'), []);
    assert.equal((await send('DELETE', `${ROOT}/feed/timeline/ann/follows/user:bob/`, { query: { keep_history: 'so' } })).status, 400);
  });

  it('FD28 where teams are walls, a client sees in a timeline only what comes from feeds in its sight', async () => {
    const { send } = httpWorld();
    const teams = { ann: ['red'], bob: ['red'], eve: ['blue'] };
    const users = Object.entries(teams).map(([id, own]) => [id, { id, teams: own }]);
    await send('POST', '/users', { body: { users: Object.fromEntries(users) } });
    await send('PATCH', '/app', { body: { multi_tenant_enabled: true } });
    for (const id of ['bob', 'eve']) {
      await follow(send, 'timeline/ann', `user:${id}`);
      await post(send, `user/${id}`, `of ${id}`);
    }
    assert.deepEqual(await shown(send, 'timeline/ann', {}, userToken('ann')), ['of bob user:bob']);
    assert.deepEqual(await shown(send, 'timeline/ann'), ['of eve user:eve', 'of bob user:bob']);
  });
});
