/** Feeds: following over HTTP (FD25). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type HttpWorld, httpWorld } from '../../support/http/fake-backend.ts';
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
});
