/** Feeds: activities over HTTP (FD22, FD23). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../../daemon/core/decide.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { DEFAULT_POLICY } from '../../support/default-policy.ts';
import { httpWorld, SERVER_TOKEN, type Send, userToken } from '../../support/http/fake-backend.ts';
import { ROOT, refusedAs } from '../../support/http/feeds-kit.ts';

describe('activities', () => {
  const good = { actor: 'SU:ann', verb: 'post', object: 'p:1' };

  const add = (send: Send, feed: string, body: object, token = SERVER_TOKEN) => send('POST', `${ROOT}/feed/${feed}/`, { body, token });

  const get = async (send: Send, path: string, query: Record<string, string> = {}) =>
    (await send('GET', `${ROOT}/${path}/`, { query })).body;

  const objects = async (send: Send, path: string, query: Record<string, string> = {}): Promise<string[]> =>
    (await get(send, path, query)).results.map(({ object }: { object: string }) => object);

  it('FD22 an activity is answered in the published form with 201, and is read back the same', async () => {
    const { send } = httpWorld();
    const sent = { ...good, foreign_id: 't:1', time: '2024-05-06T07:08:09.123456', mood: 'fine', to: ['all:one'] };
    const added = await add(send, 'user/ann', sent);
    assert.equal(added.status, 201);
    const { id, duration, ...rest } = added.body;
    assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-1[0-9a-f]{3}-/);
    assert.match(duration, /ms$/);
    assert.deepEqual(rest, { ...sent, target: '', origin: null });
    const page = await get(send, 'feed/user/ann');
    assert.deepEqual({ ...page, duration: '' }, { results: [{ id, ...rest }], next: '', duration: '' });
    assert.deepEqual((await get(send, 'feed/all/one')).results, [{ id, ...rest }]);
    assert.deepEqual((await get(send, 'feed/user/nobody')).results, []);
  });

  it('FD22 many are added at once, in order, or none of them', async () => {
    const { send, backend } = httpWorld();
    const activities = [1, 2, 3].map((n) => ({ ...good, object: `p:${n}` }));
    const added = await add(send, 'user/ann', { activities });
    assert.equal(added.status, 201);
    assert.deepEqual(
      added.body.activities.map(({ object }: { object: string }) => object),
      ['p:1', 'p:2', 'p:3'],
    );
    await add(send, 'user/ann', { ...good, object: 'p:4' });
    assert.deepEqual(await objects(send, 'feed/user/ann'), ['p:4', 'p:3', 'p:2', 'p:1']);
    const { seq } = backend.directory;
    refusedAs(await add(send, 'user/ann', { activities: [good, { verb: 'post' }] }), 400, 4, 'InputException', 'activities[1].actor');
    refusedAs(await add(send, 'user/ann', { activities: [] }), 400, 4, 'InputException', 'activities');
    refusedAs(await add(send, 'user/ann', { activities: Array(101).fill(good) }), 400, 4, 'InputException', 'activities');
    refusedAs(await add(send, 'bad-slug/ann', good), 400, 4, 'InputException', 'feed.slug');
    refusedAs(await add(send, 'user/a%40b', good), 400, 4, 'InputException', 'feed.id');
    assert.equal(backend.directory.seq, seq);
  });

  it('FD22 the same foreign id and time is the same activity: it is replaced, and is in the feeds of both', async () => {
    const { send } = httpWorld();
    const post = { ...good, foreign_id: 't:1', time: '2024-05-06T07:08:09' };
    const first = await add(send, 'user/ann', { ...post, mood: 'bad' });
    const second = await add(send, 'all/one', { ...post, object: 'p:2' });
    assert.equal(second.body.id, first.body.id);
    for (const feed of ['user/ann', 'all/one']) {
      const { results } = await get(send, `feed/${feed}`);
      assert.deepEqual(
        results.map(({ object, mood }: { object: string; mood?: string }) => [object, mood]),
        [['p:2', undefined]],
      );
    }
    const third = await add(send, 'third/one', { ...post, time: '2024-05-06T09:08:09+0200' });
    assert.equal(third.body.id, first.body.id, 'one instant, however it is written');
    const numbered = await add(send, 'fourth/one', {
      activities: [
        { ...post, foreign_id: 7 },
        { ...post, foreign_id: '7', object: 'p:3' },
      ],
    });
    assert.deepEqual([numbered.body.activities[0].id, numbered.body.activities[0].foreign_id], [numbered.body.activities[1].id, '7']);
    assert.deepEqual(await objects(send, 'feed/fourth/one'), ['p:3']);
    await add(send, 'user/ann', { ...post, time: '2024-05-06T07:08:10' });
    await add(send, 'user/ann', { ...post, foreign_id: 't:2' });
    assert.equal((await get(send, 'feed/user/ann')).results.length, 3);
  });

  it('FD22 a client replaces activities of its own only', async () => {
    const { send } = httpWorld();
    const post = { verb: 'post', foreign_id: 't:1', time: '2024-05-06T07:08:09' };
    await add(send, 'user/ann', { ...post, object: 'hers' }, userToken('ann'));
    refusedAs(
      await add(send, 'user/bob', { ...post, object: 'his' }, userToken('bob')),
      403,
      17,
      'NotAllowedException',
      'activities[0].foreign_id',
    );
    assert.deepEqual(await objects(send, 'feed/user/ann'), ['hers']);
    assert.equal((await add(send, 'user/ann', { ...post, object: 'new' }, userToken('ann'))).status, 201);
    assert.deepEqual(await objects(send, 'feed/user/ann'), ['new']);
  });

  it('FD23 pages: by offset, by id in all four ways, and by following `next`', async () => {
    const { send } = httpWorld();
    const activities = Array.from({ length: 60 }, (_, n) => ({ ...good, object: `p:${n}` }));
    const { body } = await add(send, 'user/ann', { activities });
    const id = (n: number): string => body.activities[n].id;
    assert.equal((await objects(send, 'feed/user/ann')).length, 25);
    assert.deepEqual(await objects(send, 'feed/user/ann', { limit: '2', offset: '3' }), ['p:56', 'p:55']);
    assert.deepEqual(await objects(send, 'feed/user/ann', { limit: '2', id_lt: id(10) }), ['p:9', 'p:8']);
    assert.deepEqual(await objects(send, 'feed/user/ann', { limit: '2', id_lte: id(10) }), ['p:10', 'p:9']);
    assert.deepEqual(await objects(send, 'feed/user/ann', { id_gt: id(57) }), ['p:59', 'p:58']);
    assert.deepEqual(await objects(send, 'feed/user/ann', { id_gte: id(57), id_lt: id(59) }), ['p:58', 'p:57']);
    const seen: string[] = [];
    let path = `${ROOT}/enrich/feed/user/ann/?limit=25`;
    for (let pages = 0; path !== ''; pages++) {
      assert.ok(pages < 4);
      const url = new URL(path, 'http://x');
      const page = (await send('GET', url.pathname, { query: Object.fromEntries(url.searchParams) })).body;
      seen.push(...page.results.map(({ object }: { object: string }) => object));
      path = page.next;
    }
    assert.deepEqual(seen, activities.map(({ object }) => object).reverse());
    // The place of an activity is known from its id, also when it is gone.
    await send('DELETE', `${ROOT}/feed/user/ann/${id(10)}/`);
    assert.deepEqual(await objects(send, 'feed/user/ann', { limit: '1', id_lte: id(10) }), ['p:9']);
    refusedAs(await send('GET', `${ROOT}/feed/user/ann/`, { query: { limit: '101' } }), 400, 4, 'InputException', 'limit');
  });

  it('FD23 activities by id, and by foreign id and time, in the order asked for', async () => {
    const { send } = httpWorld();
    const time = '2024-05-06T07:08:09.123456';
    const first = await add(send, 'user/ann', { ...good, foreign_id: 'f', time });
    const second = await add(send, 'user/ann', { ...good, object: 'p:2' });
    assert.deepEqual(await objects(send, 'activities', { ids: `${second.body.id},${first.body.id},nothing` }), ['p:2', 'p:1']);
    assert.deepEqual(await objects(send, 'activities', { foreign_ids: 'f,g', timestamps: `${time}Z,${time}` }), ['p:1']);
    assert.deepEqual(await objects(send, 'activities', { foreign_ids: 'f', timestamps: '2024-05-06T07:08:09.123457' }), []);
    refusedAs(await send('GET', `${ROOT}/activities/`), 400, 4, 'InputException', 'ids');
  });

  it('FD23 removing: by id, by foreign id, from a target only there, from the origin everywhere; what is not there is no error', async () => {
    const { send } = httpWorld();
    const { body } = await add(send, 'user/ann', { ...good, to: ['all:one', 'all:two'] });
    const remove = (feed: string, name: string, query = {}) => send('DELETE', `${ROOT}/feed/${feed}/${name}/`, { query });
    const removed = await remove('all/one', body.id);
    assert.equal(removed.status, 200);
    assert.deepEqual({ ...removed.body, duration: '' }, { removed: body.id, duration: '' });
    assert.deepEqual([await objects(send, 'feed/all/one'), await objects(send, 'feed/all/two')], [[], ['p:1']]);
    assert.equal((await remove('user/nobody', body.id)).status, 200);
    assert.deepEqual(await objects(send, 'feed/user/ann'), ['p:1']);
    await remove('user/ann', body.id);
    assert.deepEqual([await objects(send, 'feed/user/ann'), await objects(send, 'feed/all/two')], [[], []]);
    assert.equal((await remove('user/ann', body.id)).status, 200);
    for (let n = 0; n < 3; n++) await add(send, 'user/ann', { activities: Array(100).fill({ ...good, foreign_id: 'many' }) });
    await add(send, 'user/ann', { ...good, foreign_id: 'other', object: 'p:2' });
    await add(send, 'user/bob', { ...good, foreign_id: 'many', object: 'p:3' });
    assert.equal((await remove('user/ann', 'many', { foreign_id: '1' })).body.removed, 'many');
    assert.deepEqual([await objects(send, 'feed/user/ann'), await objects(send, 'feed/user/bob')], [['p:2'], ['p:3']]);
  });
});

it('FD22 within one batch, a later activity of the same foreign id and time sees the earlier', () => {
  const { backend } = httpWorld();
  const draft = new Draft(backend.directory);
  const activity = (feed: string) => ({ id: 'i', feeds: [feed], origin: feed, foreign_id: 'f', time: 1, data: { actor: 'a' } });
  const command = { kind: 'activity-add' as const, activities: [activity('user:ann'), activity('all:one')] };
  const { docs } = decide(draft, command, 1, DEFAULT_POLICY);
  assert.deepEqual(docs?.[1]?.doc, { ...activity('user:ann'), feeds: ['user:ann', 'all:one'] });
});
