/** Feeds: who may do what (FD19–FD21, FD28). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { httpWorld, type Received, SERVER_TOKEN, signed, userToken } from '../../support/http/fake-backend.ts';
import { create, ROOT, refusedAs } from '../../support/http/feeds-kit.ts';

describe('who may do what', () => {
  const scoped = (resource: string, action: string, feedId?: string) =>
    signed({ resource, action, ...(feedId === undefined ? {} : { feed_id: feedId }) });
  const status = async (act: Promise<Received>): Promise<number> => {
    const received = await act;
    if (received.status === 403) refusedAs(received, 403, 17, 'NotAllowedException');
    return received.status;
  };

  it('FD19 an unknown key is 401 with code 2, a bad signature 403 with code 17, also where there is no endpoint', async () => {
    const { send } = httpWorld();
    for (const path of [`${ROOT}/user/ann/`, `${ROOT}/collections/food/`, '/api/v1.0', '//api/v1.0//nothing']) {
      refusedAs(await send('GET', path, { query: { api_key: 'other' } }), 401, 2, 'ApiKeyException');
      const forged = signed({ resource: '*', action: '*' }, { secret: 'another' });
      for (const token of [forged, 'nonsense', null]) refusedAs(await send('GET', path, { token }), 403, 17, 'NotAllowedException');
      for (const claims of [{ exp: 1 }, { nbf: 9e9 }, { iat: 9e9 }]) {
        refusedAs(await send('GET', path, { token: signed({ resource: '*', ...claims }) }), 403, 17, 'NotAllowedException');
      }
    }
  });

  it('FD19 what is not here is 404 with code 16, saying so', async () => {
    const { send } = httpWorld();
    for (const [method, path] of [
      ['POST', '/collections/food/'],
      ['GET', '/reaction/some-id/'],
      ['POST', '/reaction/'],
      ['POST', '/activities/'],
      ['GET', '/personalization/x/'],
      ['POST', '/feed/add_to_many/x/y/z'],
    ] as const) {
      const received = await send(method, `${ROOT}${path}`);
      refusedAs(received, 404, 16, 'DoesNotExistException');
      assert.match(received.body.detail, /not supported/);
    }
    assert.equal((await send('PATCH', `${ROOT}/user/ann/`)).headers.allow, 'GET, PUT, DELETE');
  });

  it('FD34 a caller that was deleted is 403 with code 17, whatever it calls; a deleted object is 404', async () => {
    const { send } = httpWorld();
    for (const id of ['ann', 'bob']) await create(send, id);
    await send('DELETE', `${ROOT}/user/ann/`);
    const token = userToken('ann');
    for (const [method, path] of [
      ['GET', 'user/bob/'],
      ['GET', 'user/ann/'],
      ['POST', 'user/'],
      ['GET', 'feed/user/bob/'],
      ['GET', 'collections/food/'],
    ] as const) {
      refusedAs(
        await send(method, `${ROOT}/${path}`, { token, ...(method === 'POST' ? { body: { id: 'ann' } } : {}) }),
        403,
        17,
        'NotAllowedException',
      );
    }
    refusedAs(await send('GET', `${ROOT}/user/ann/`), 404, 16, 'DoesNotExistException');
    refusedAs(await send('GET', `${ROOT}/user/ann/`, { token: userToken('bob') }), 404, 16, 'DoesNotExistException');
  });

  it('FD20 a scoped token is good for its resource, action and feed', async () => {
    const { send } = httpWorld();
    await create(send, 'ann');
    const get = (token: string) => status(send('GET', `${ROOT}/user/ann/`, { token }));
    for (const token of [
      scoped('users', 'read'),
      scoped('*', '*', '*'),
      scoped('feed,users', 'write,read', '*'),
      signed({ resource: 'users', action: '*', user_id: '*' }),
    ]) {
      assert.equal(await get(token), 200);
    }
    for (const token of [scoped('users', 'write'), scoped('feed', '*'), scoped('users', 'delete', '*')])
      assert.equal(await get(token), 403);
    const put = (token: string) => status(send('PUT', `${ROOT}/user/ann/`, { body: { data: { n: 1 } }, token }));
    assert.deepEqual([await put(scoped('users', 'write')), await put(scoped('users', 'read'))], [201, 403]);
    const remove = (token: string) => status(send('DELETE', `${ROOT}/user/ann/`, { token }));
    assert.deepEqual([await remove(scoped('users', 'write')), await remove(scoped('users', 'delete'))], [403, 200]);
  });

  it('FD20 a token for one feed opens that feed and nothing that belongs to none', async () => {
    const { send } = httpWorld();
    await create(send, 'ann');
    const feed = (path: string, token: string) => status(send('GET', `${ROOT}/${path}`, { token }));
    const own = scoped('*', '*', 'userann');
    assert.deepEqual([await feed('feed/user/ann/', own), await feed('enrich/feed/user/ann/', own)], [200, 200]);
    assert.equal(await feed('feed/user/bob/', own), 403);
    assert.equal(await status(send('DELETE', `${ROOT}/user/ann/`, { token: own })), 403);
    assert.equal(await feed('user/ann/', own), 403);
    assert.equal(await feed('activities/', own), 403);
    const readOnly = scoped('*', 'read', 'userann');
    assert.equal(await feed('feed/user/ann/', readOnly), 200);
    const post = (token: string) => status(send('POST', `${ROOT}/feed/user/ann/`, { token, body: { actor: 'a', verb: 'v', object: 'o' } }));
    assert.deepEqual([await post(readOnly), await post(own), await post(scoped('feed', 'write', 'userann'))], [403, 201, 201]);
    const follow = (token: string) => status(send('POST', `${ROOT}/feed/user/ann/follows/`, { token, body: { target: 'user:bob' } }));
    assert.deepEqual([await follow(scoped('feed', 'write', 'userann')), await follow(scoped('follower', 'write', 'userann'))], [403, 201]);
  });

  it('FD20 a feeds token is good for nothing in the chat dialects', async () => {
    const { send } = httpWorld();
    assert.equal((await send('GET', '/app', { token: scoped('*', '*', '*') })).status, 403);
    assert.equal(
      (await send('POST', '/api/v2/users', { token: signed({ resource: '*', user_id: 'ann' }), body: { users: { ann: { id: 'ann' } } } }))
        .status,
      403,
    );
  });

  it('FD21 a client creates, changes and deletes itself, and reads everybody', async () => {
    const { send } = httpWorld();
    await create(send, 'bob', { n: 1 });
    const token = userToken('ann');
    assert.equal((await create(send, 'ann', { n: 1 }, token)).status, 201);
    assert.equal((await send('PUT', `${ROOT}/user/ann/`, { body: { data: { n: 2 } }, token })).status, 201);
    assert.equal((await send('GET', `${ROOT}/user/bob/`, { token })).status, 200);
    assert.equal((await send('GET', `${ROOT}/users/`, { query: { ids: 'ann,bob' }, token })).body.users.length, 2);
    assert.equal(await status(create(send, 'cem', {}, token)), 403);
    assert.equal(await status(send('POST', `${ROOT}/user/`, { body: { id: 'bob' }, query: { get_or_create: 'true' }, token })), 403);
    assert.equal(await status(send('PUT', `${ROOT}/user/bob/`, { body: { data: {} }, token })), 403);
    assert.equal(await status(send('PUT', `${ROOT}/user/nobody/`, { body: { data: {} }, token })), 403);
    assert.equal(await status(send('DELETE', `${ROOT}/user/bob/`, { token })), 403);
    assert.equal(await status(send('POST', `${ROOT}/users/`, { body: { users: [{ id: 'ann' }] }, token })), 403);
    assert.equal(await status(send('DELETE', `${ROOT}/users/`, { query: { ids: 'ann' }, token })), 403);
    assert.equal((await send('DELETE', `${ROOT}/user/ann/`, { token })).status, 200);
  });

  it('FD21 a token does not bring back the user that was deleted under it; a server does', async () => {
    const { send } = httpWorld();
    const token = userToken('ann');
    await create(send, 'ann', {}, token);
    await send('DELETE', `${ROOT}/user/ann/`);
    refusedAs(await create(send, 'ann', {}, token), 403, 17, 'NotAllowedException');
    assert.equal((await create(send, 'ann')).status, 201);
    assert.equal((await send('GET', `${ROOT}/user/ann/`, { token })).status, 200);
  });

  it('FD21 a role in data is no role, and a deactivated or anonymous caller does nothing', async () => {
    const { send, backend } = httpWorld();
    const token = userToken('ann');
    await create(send, 'ann', { role: 'admin' }, token);
    assert.equal(backend.directory.user('ann')?.role, 'user');
    assert.equal(await status(create(send, 'x', {}, userToken('!anon'))), 403);
    assert.equal(await status(send('GET', `${ROOT}/user/ann/`, { token: userToken('!anon') })), 403);
    await send('POST', '/users/ann/deactivate', { body: {} });
    assert.equal(await status(send('GET', `${ROOT}/user/ann/`, { token })), 403);
  });

  it('FD28 where teams are walls, a client knows of nothing behind them', async () => {
    const { send } = httpWorld();
    assert.equal((await send('PATCH', '/app', { body: { multi_tenant_enabled: true } })).status, 200);
    const users = [
      { id: 'ann', teams: ['red'] },
      { id: 'amy', teams: ['red'] },
      { id: 'bob', teams: ['blue'] },
    ];
    await send('POST', '/users', { body: { users } });
    const ids: string[] = [];
    for (const id of ['amy', 'bob']) {
      const body = { actor: `SU:${id}`, verb: 'v', object: 'SU:bob', foreign_id: id, time: '2024-05-06T07:08:09' };
      ids.push((await send('POST', `${ROOT}/feed/user/${id}/`, { body })).body.id);
    }
    await send('POST', `${ROOT}/feed/all/one/`, { body: { actor: 'SU:bob', verb: 'v', object: `SA:${ids[1]}` } });
    const seen = async (token: string) => {
      const get = async (path: string, query = {}) => (await send('GET', `${ROOT}/${path}/`, { token, query })).body;
      const [page] = (await get('enrich/feed/all/one')).results;
      return {
        users: (await get('users', { ids: 'amy,bob' })).users.map(({ id }: { id: string }) => id),
        bob: (await get('user/bob')).id,
        feeds: [(await get('feed/user/amy')).results.length, (await get('feed/user/bob')).results.length],
        activities: (await get('activities', { ids: ids.join(',') })).results.length,
        missing: [page.actor.error !== undefined, page.object.error !== undefined],
      };
    };
    const everything = { users: ['amy', 'bob'], bob: 'bob', feeds: [1, 1], activities: 2, missing: [false, false] };
    assert.deepEqual(await seen(SERVER_TOKEN), everything);
    const part = { users: ['amy'], bob: undefined, feeds: [1, 0], activities: 1, missing: [true, true] };
    assert.deepEqual(await seen(userToken('ann')), part);
    assert.deepEqual((await seen(userToken('not-there-yet'))).users, []);
    refusedAs(await send('GET', `${ROOT}/user/bob/`, { token: userToken('ann') }), 404, 16, 'DoesNotExistException');
  });

  it('FD21 a client writes its own feeds as itself, and reads all', async () => {
    const { send } = httpWorld();
    const token = userToken('ann');
    const post = (feed: string, body: object) =>
      status(send('POST', `${ROOT}/feed/${feed}/`, { token, body: { verb: 'v', object: 'o', ...body } }));
    assert.equal(await post('user/ann', {}), 201);
    assert.equal(await post('timeline/ann', { actor: 'SU:ann', to: ['notification:ann'] }), 201);
    assert.equal(await post('user/bob', {}), 403);
    assert.equal(await post('user/ann', { actor: 'SU:bob' }), 403);
    assert.equal(await post('user/ann', { to: ['notification:bob'] }), 403);
    assert.equal(await status(send('GET', `${ROOT}/enrich/feed/user/bob/`, { token })), 200);
    assert.equal(await status(send('DELETE', `${ROOT}/feed/user/bob/x/`, { token })), 403);
    assert.equal(await status(send('POST', `${ROOT}/feed/timeline/ann/follows/`, { token, body: { target: 'user:bob' } })), 201);
    assert.equal(await status(send('POST', `${ROOT}/feed/timeline/bob/follows/`, { token, body: { target: 'user:ann' } })), 403);
    assert.equal(await status(send('DELETE', `${ROOT}/feed/timeline/bob/follows/user:ann/`, { token })), 403);
  });

  it('FD29 a client deletes itself only if its role may change its own user', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann');
    assert.equal((await send('PATCH', '/app', { body: { grants: { user: ['search-user'] } } })).status, 200);
    const { seq } = backend.directory;
    const remove = () => send('DELETE', `${ROOT}/user/ann/`, { token: userToken('ann') });
    refusedAs(await remove(), 403, 17, 'NotAllowedException');
    assert.equal(backend.directory.seq, seq);
    await send('PATCH', '/app', { body: { grants: { user: ['update-user-owner'] } } });
    assert.equal((await remove()).status, 200);
    assert.equal(backend.directory.user('ann'), undefined);
  });

  it('MD18 bans of a user that deletes itself, and reports about it, stay with the id; those of one that a server deletes do not', async () => {
    for (const shadow of [false, true]) {
      const { send, backend } = httpWorld();
      await create(send, 'ann', { secret: 1 });
      await create(send, 'bob');
      await send('POST', '/moderation/ban', { body: { target_user_id: 'ann', shadow, reason: 'r' } });
      await send('POST', '/moderation/flag', { body: { target_user_id: 'ann', user_id: 'bob' } });
      const { bans, flags } = backend.directory.user('ann') ?? {};
      const token = userToken('ann');
      for (let again = 0; again < 2; again++) {
        assert.equal((await send('DELETE', `${ROOT}/user/ann/`, { token })).status, 200);
        assert.doesNotMatch(JSON.stringify(backend.directory.record('ann')), /secret/);
        assert.equal((await create(send, 'ann', { fresh: 1 })).status, 201);
        const back = backend.directory.user('ann');
        assert.deepEqual([back?.bans, back?.flags, back?.custom], [bans, flags, { fresh: 1 }]);
        assert.equal((await send('GET', '/query_banned_users')).body.bans.length, 1);
      }
      await send('DELETE', `${ROOT}/user/ann/`);
      await create(send, 'ann');
      assert.deepEqual([backend.directory.user('ann')?.bans, backend.directory.user('ann')?.flags], [undefined, undefined]);
    }
  });

  it('PV3 follows from and to feeds behind walls do not count, and no more do empty feeds of nobody', async () => {
    const { send } = httpWorld();
    await send('PATCH', '/app', { body: { multi_tenant_enabled: true } });
    const users = { ann: { teams: ['red'] }, amy: { teams: ['red'] }, bob: { teams: ['blue'] }, gone: { teams: ['red'] } };
    await send('POST', '/users', { body: { users } });
    for (const id of ['ann', 'bob', 'gone']) await send('POST', `${ROOT}/feed/timeline/${id}/follows/`, { body: { target: 'user:amy' } });
    for (const id of ['ann', 'bob', 'all', 'nobody'])
      await send('POST', `${ROOT}/feed/timeline/amy/follows/`, { body: { target: `user:${id}` } });
    await send('POST', `${ROOT}/feed/user/all/`, { body: { actor: 'a', verb: 'v', object: 'o' } });
    await send('DELETE', '/users/gone');
    const counts = async (token: string) => {
      const { body } = await send('GET', `${ROOT}/user/amy/`, { token, query: { with_follow_counts: 'true' } });
      return [body.followers_count, body.following_count];
    };
    assert.deepEqual(await counts(SERVER_TOKEN), [3, 4]);
    assert.deepEqual(await counts(userToken('ann')), [1, 2]);
  });
});
