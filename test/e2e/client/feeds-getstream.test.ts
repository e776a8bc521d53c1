/**
 * The published JavaScript client for feeds, unmodified (npm `getstream`, BSD-3), against a real daemon: FD26. Every call on users
 * and everything that enrichment needs, as an application's server and as its clients make them.
 */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { connect, StreamApiError, type StreamClient } from 'getstream';
import { API_KEY, API_SECRET, userToken, World } from '../../support/world.ts';

const APP_ID = '1';

interface Clients {
  readonly world: World;
  readonly server: StreamClient;
  /** A client with the token of a user. */
  client(id: string): StreamClient;
}

async function start(t: TestContext): Promise<Clients> {
  const world = await World.start(t);
  const options = { urlOverride: { api: `${world.daemon.url}/api/` }, location: 'us-east', browser: false };
  return {
    world,
    server: connect(API_KEY, API_SECRET, APP_ID, options),
    client: (id) => connect(API_KEY, userToken(id), APP_ID, options),
  };
}

/** The body of the error that the client throws; anything else fails the test. */
async function refusedWith(act: Promise<unknown>, status: number, code: number): Promise<Record<string, unknown>> {
  try {
    await act;
  } catch (error) {
    if (!(error instanceof StreamApiError)) throw error;
    const body: Record<string, unknown> = Object(error.error);
    assert.deepEqual([error.response.status, body.code, body.status_code], [status, code, status], error.message);
    assert.ok(typeof body.exception === 'string' && body.exception !== '');
    return body;
  }
  return assert.fail('nothing was refused');
}

const missing = (id: string) => ({ id, error: 'ReferenceNotFound', reference: `SU:${id}`, reference_type: 'user' });

describe('getstream', () => {
  it('FD26 user(id).create, get, update, delete', async (t) => {
    const { server } = await start(t);
    const data = { name: 'John Doe', occupation: 'Software Engineer', gender: 'male' };
    const john = server.user('john-doe');
    const created = await john.create(data);
    assert.deepEqual(Object.keys(created.full ?? {}).sort(), ['created_at', 'data', 'id', 'updated_at']);
    assert.deepEqual(created.data, data);
    await refusedWith(server.user('john-doe').create({ name: 'Other' }), 409, 22);
    const got = await server.user('john-doe').get();
    assert.deepEqual(got.full, created.full);
    const updated = await john.update({ name: 'Jane Doe', occupation: 'Software Engineer', gender: 'female' });
    assert.deepEqual(updated.data, { name: 'Jane Doe', occupation: 'Software Engineer', gender: 'female' });
    assert.equal(updated.full?.created_at, created.full?.created_at);
    assert.notEqual(updated.full?.updated_at, got.full?.updated_at);
    assert.deepEqual((await server.user('john-doe').get()).data, updated.data);
    assert.deepEqual(Object.keys(await john.delete()), ['duration']);
    await refusedWith(server.user('john-doe').get(), 404, 16);
    await refusedWith(server.user('john-doe').delete(), 404, 16);
    await refusedWith(server.user('john-doe').update({ name: 'x' }), 404, 16);
  });

  it('FD26 user(id).getOrCreate gives the user that there is, and makes the one that there is not', async (t) => {
    const { server } = await start(t);
    const first = await server.user('john-doe').getOrCreate({ name: 'John' });
    const again = await server.user('john-doe').getOrCreate({ name: 'Somebody else' });
    assert.deepEqual(again.full, first.full);
    await server.user('john-doe').delete();
    const anew = await server.user('john-doe').getOrCreate({ name: 'A new John' });
    assert.deepEqual(anew.data, { name: 'A new John' });
  });

  it('FD26 setUser is get-or-create of the user of the token', async (t) => {
    const { client, server, world } = await start(t);
    const ann = client('ann');
    assert.deepEqual((await ann.setUser({ name: 'Ann', id: 'ann' })).data, { name: 'Ann' });
    assert.deepEqual((await client('ann').setUser({ name: 'Other' })).data, { name: 'Ann' });
    assert.deepEqual((await server.user('ann').get()).data, { name: 'Ann' });
    assert.equal(world.daemon.roster.directory.user('ann')?.role, 'user');
  });

  it('FD26 a client creates, changes and deletes itself only', async (t) => {
    const { client, server } = await start(t);
    await server.user('bob').create({ n: 1 });
    const ann = client('ann');
    await ann.user('ann').create({ n: 1 });
    assert.deepEqual((await ann.user('ann').update({ n: 2 })).data, { n: 2 });
    assert.deepEqual((await ann.user('bob').get()).data, { n: 1 });
    await refusedWith(ann.user('cem').create({}), 403, 17);
    await refusedWith(ann.user('bob').getOrCreate({}), 403, 17);
    await refusedWith(ann.user('bob').update({ n: 2 }), 403, 17);
    await refusedWith(ann.user('bob').delete(), 403, 17);
    await ann.user('ann').delete();
    await refusedWith(server.user('ann').get(), 404, 16);
  });

  it('FD26 a wrong key, a wrong secret and wrong data are told as published', async (t) => {
    const { server, world } = await start(t);
    const options = { urlOverride: { api: `${world.daemon.url}/api/` } };
    await refusedWith(connect('no-such-key', API_SECRET, APP_ID, options).user('ann').get(), 401, 2);
    await refusedWith(connect(API_KEY, 'another secret', APP_ID, options).user('ann').get(), 403, 17);
    await refusedWith(connect('no-such-key', API_SECRET, APP_ID, options).collections.get('food', 'burger'), 401, 2);
    await refusedWith(server.user('with space').create({}), 400, 4);
    await server.user('ann').create({});
    // The type of the client forbids it, its JavaScript does not.
    const text: unknown = 'some string';
    const fields = await refusedWith(server.user('ann').update(text as Record<string, unknown>), 400, 4);
    assert.deepEqual(Object.keys(Object(fields.exception_fields)), ['data']);
    await refusedWith(server.user('big').create({ text: 'x'.repeat(10_240) }), 413, 18);
    await refusedWith(server.collections.add('food', 'burger', { rating: 1 }), 404, 16);
    await refusedWith(server.reactions.add('like', '54a60c1e-4ee3-494b-a1e3-50c06acb5ed4', {}, { userId: 'ann' }), 404, 16);
  });

  it('FD26 addUsers, getUsers, deleteUsers', async (t) => {
    const { server, world } = await start(t);
    await server.user('ann').create({ old: 1 });
    const users = [
      { id: 'ann', data: { new: 1 } },
      { id: 'bob', data: { name: 'Bob' } },
    ];
    const send = { url: 'users/', token: server.getOrCreateToken() };
    const kept = await server.post<{ created_users: { id: string; data: unknown }[] }>({ ...send, body: { users, override: false } });
    assert.deepEqual(
      kept.created_users.map(({ id, data }) => [id, data]),
      [
        ['ann', { old: 1 }],
        ['bob', { name: 'Bob' }],
      ],
    );
    await server.post({ ...send, body: { users, override: true } });
    assert.ok(server.getUsers !== undefined && server.deleteUsers !== undefined);
    const found = await server.getUsers(['ann', 'bob', 'nobody']);
    assert.deepEqual(
      found.users.map(({ id, data }) => [id, data]),
      [
        ['ann', { new: 1 }],
        ['bob', { name: 'Bob' }],
      ],
    );
    assert.deepEqual(Object(await server.deleteUsers(['ann', 'bob', 'nobody'])).deleted_user_ids, ['ann', 'bob', 'nobody']);
    assert.equal(world.daemon.roster.directory.size, 0);
  });

  it('FD26 an activity is read back with its user, and after the user was deleted with the missing reference', async (t) => {
    const { client, server } = await start(t);
    const ann = client('ann');
    const user = await ann.setUser({ name: 'Ann' });
    const added = await ann.feed('user', 'ann').addActivity({ actor: user, verb: 'eat', object: 'burger', by: server.user('bob') });
    assert.equal(added.actor, 'SU:ann');
    const feed = ann.feed('user', 'ann');
    const [found] = (await feed.get({ enrich: true })).results;
    assert.deepEqual(Object(found).actor, user.full);
    assert.deepEqual(Object(found).by, missing('bob'));
    assert.equal(Object((await feed.get({ enrich: false })).results[0]).actor, 'SU:ann');
    const named = await ann.getActivities({ ids: [added.id], enrich: true });
    assert.deepEqual(Object(named.results[0]).actor, user.full);
    const [detail] = (await feed.getActivityDetail(added.id, {})).results;
    assert.equal(Object(detail).id, added.id);
    await server.user('ann').delete();
    const [orphan] = (await server.feed('user', 'ann').get({ enrich: true })).results;
    assert.deepEqual(Object(orphan).actor, missing('ann'));
  });

  it('FD26 the actor of a client is itself; posing as somebody else, or writing elsewhere, is refused', async (t) => {
    const { client } = await start(t);
    const ann = client('ann');
    const silent: { verb: string; object: string; actor?: string } = { verb: 'eat', object: 'burger' };
    assert.equal((await ann.feed('user', 'ann').addActivity(silent as typeof silent & { actor: string })).actor, 'SU:ann');
    await refusedWith(ann.feed('user', 'ann').addActivity({ actor: 'SU:bob', verb: 'eat', object: 'burger' }), 403, 17);
    await refusedWith(ann.feed('user', 'bob').addActivity({ actor: 'SU:ann', verb: 'eat', object: 'burger' }), 403, 17);
  });

  it('FD26 addActivities, pages, foreign ids, removeActivity', async (t) => {
    const { server } = await start(t);
    const feed = server.feed('user', 'ann');
    const activity = { actor: 'SU:ann', verb: 'post' };
    await feed.addActivities(
      [1, 2, 3].map((n) => ({ ...activity, object: `p:${n}`, foreign_id: `post:${n}`, time: `2024-05-06T07:08:0${n}.5` })),
    );
    const objects = async (options = {}) => (await feed.get(options)).results.map((found) => Object(found).object);
    assert.deepEqual(await objects(), ['p:3', 'p:2', 'p:1']);
    assert.deepEqual(await objects({ limit: 1, offset: 1 }), ['p:2']);
    const named = await server.getActivities({ foreignIDTimes: [{ foreign_id: 'post:2', time: '2024-05-06T07:08:02.5' }] });
    assert.deepEqual(
      named.results.map((found) => [Object(found).object, Object(found).time]),
      [['p:2', '2024-05-06T07:08:02.500000']],
    );
    assert.deepEqual(await objects({ id_lt: named.results[0]?.id }), ['p:1']);
    assert.equal((await feed.removeActivity({ foreign_id: 'post:2' })).removed, 'post:2');
    assert.deepEqual(await objects(), ['p:3', 'p:1']);
    const [newest] = (await feed.get({ limit: 1 })).results;
    await feed.removeActivity(newest?.id ?? '');
    assert.deepEqual(await objects(), ['p:1']);
  });

  it('FD26 follow, unfollow and profile', async (t) => {
    const { client, server } = await start(t);
    for (const id of ['ann', 'bob']) await server.user(id).create({});
    await client('ann').feed('timeline', 'ann').follow('user', 'bob');
    const counts = async (id: string) => {
      const { full } = await client('ann').user(id).profile();
      return [full?.followers_count, full?.following_count];
    };
    assert.deepEqual(
      [await counts('ann'), await counts('bob')],
      [
        [0, 1],
        [1, 0],
      ],
    );
    await client('bob').feed('user', 'bob').addActivity({ actor: 'SU:bob', verb: 'post', object: 'p:1' });
    const timeline = async () =>
      (await client('ann').feed('timeline', 'ann').get()).results.map((found) => [Object(found).object, Object(found).origin]);
    assert.deepEqual(await timeline(), [['p:1', 'user:bob']]);
    await client('ann').feed('timeline', 'ann').unfollow('user', 'bob', { keepHistory: true });
    assert.deepEqual(await timeline(), [['p:1', 'user:bob']]);
    await client('ann').feed('timeline', 'ann').unfollow('user', 'bob');
    assert.deepEqual(await timeline(), []);
    assert.deepEqual(
      [await counts('ann'), await counts('bob')],
      [
        [0, 0],
        [0, 0],
      ],
    );
  });

  it('FD26 a server flags a user', async (t) => {
    const { server } = await start(t);
    for (const id of ['ann', 'bob']) await server.user(id).create({});
    const flag = await server.user('ann').flag({ reason: 'spam', user_id: 'bob' });
    assert.deepEqual([flag.target_user_id, flag.flagged_by, flag.reason], ['ann', 'bob', 'spam']);
    await refusedWith(server.flagUser('nobody'), 404, 16);
  });

  it('FD27 users, activities and follows are there after a restart', async (t) => {
    const { server, world } = await start(t);
    await server.user('ann').create({ name: 'Ann', n: [1] });
    await server.user('gone').create({});
    await server.user('gone').delete();
    const added = await server
      .feed('user', 'ann')
      .addActivity({ actor: 'SU:ann', verb: 'post', object: 'p:1', foreign_id: 'f', to: ['all:one'] });
    await server.feed('timeline', 'ann').follow('user', 'ann');
    const before = (await server.user('ann').get()).full;
    await world.stop();
    const next = await World.start(t, { data: world.data });
    const again = connect(API_KEY, API_SECRET, APP_ID, { urlOverride: { api: `${next.daemon.url}/api/` } });
    assert.deepEqual((await again.user('ann').get()).full, before);
    await refusedWith(again.user('gone').get(), 404, 16);
    const [found] = (await again.feed('all', 'one').get({ enrich: true })).results;
    assert.deepEqual([Object(found).id, Object(found).actor], [added.id, before]);
    assert.equal((await again.user('ann').profile()).full?.followers_count, 1);
    await again.feed('user', 'ann').removeActivity({ foreign_id: 'f' });
    assert.deepEqual((await again.feed('all', 'one').get()).results, []);
  });
});
