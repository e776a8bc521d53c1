/** The feeds dialect over HTTP, on a directory in memory: exact statuses and bodies, who may do what, what is refused: FD13–FD24. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decide } from '../../../daemon/core/decide.ts';
import { Draft } from '../../../daemon/core/directory/draft.ts';
import { DEFAULT_POLICY } from '../../../daemon/core/policy.ts';
import { type HttpWorld, httpWorld, type Received, SERVER_TOKEN, type Send, signed, userToken } from '../../support/http/fake-backend.ts';

const ROOT = '/api/v1.0';

/** A refusal of the feeds dialect: its code in body and status, its form, and a field it names. */
function refusedAs({ status, body, text }: Received, wanted: number, code: number, exception: string, field?: string): void {
  assert.deepEqual([status, body.code, body.exception], [wanted, code, exception], text);
  assert.equal(body.status_code, wanted);
  assert.match(body.duration, /^\d+\.\d\dms$/);
  assert.ok(body.detail.length > 0);
  const keys = [
    'code',
    'detail',
    'duration',
    'exception',
    'status_code',
    ...(body.exception_fields === undefined ? [] : ['exception_fields']),
  ];
  assert.deepEqual(Object.keys(body).sort(), keys.sort());
  for (const messages of Object.values(body.exception_fields ?? {})) assert.ok(Array.isArray(messages) && messages.length > 0);
  if (field !== undefined) assert.ok(Object.hasOwn(body.exception_fields ?? {}, field), `${field} is not among ${text}`);
}

const create = (send: Send, id: string, data: unknown = {}, token = SERVER_TOKEN) =>
  send('POST', `${ROOT}/user/`, { body: { id, data }, token });

const USER_KEYS = ['id', 'data', 'created_at', 'updated_at', 'duration'];

describe('one user', () => {
  it('FD13 create answers 201 and exactly the published keys; get answers the same with 200', async () => {
    const { send } = httpWorld();
    const created = await create(send, 'john-doe', { name: 'John', image: 'i.png', age: 7 });
    assert.equal(created.status, 201);
    assert.deepEqual(Object.keys(created.body), USER_KEYS);
    assert.deepEqual(created.body.data, { name: 'John', image: 'i.png', age: 7 });
    assert.match(created.body.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.equal(created.body.created_at, created.body.updated_at);
    const got = await send('GET', `${ROOT}/user/john-doe/`);
    assert.equal(got.status, 200);
    assert.deepEqual({ ...got.body, duration: '' }, { ...created.body, duration: '' });
    assert.equal(created.headers['x-rosterd-position'], 'test:1');
  });

  it('FD13 the slash at the end is optional, and slashes collapse', async () => {
    const { send } = httpWorld();
    assert.equal((await send('POST', '/api/v1.0/user', { body: { id: 'ann' } })).status, 201);
    for (const path of ['/api/v1.0/user/ann', '//api//v1.0///user/ann//']) assert.equal((await send('GET', path)).status, 200, path);
  });

  it('FD14 create of a user that exists is 409 with code 22 and changes nothing', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann', { n: 1 });
    refusedAs(await create(send, 'ann', { n: 2 }), 409, 22, 'ConflictException');
    for (const no of ['false', 'False', '', '0']) {
      const again = await send('POST', `${ROOT}/user/`, { body: { id: 'ann' }, query: { get_or_create: no } });
      refusedAs(again, 409, 22, 'ConflictException');
    }
    assert.deepEqual(backend.directory.user('ann')?.custom, { n: 1 });
  });

  it('FD14 get_or_create answers 201 and the user as it is, whatever data was sent', async () => {
    const { send, backend } = httpWorld();
    const first = await send('POST', `${ROOT}/user/`, { body: { id: 'ann', data: { n: 1 } }, query: { get_or_create: 'True' } });
    const { seq } = backend.directory;
    for (const yes of ['true', 'True', '1']) {
      const again = await send('POST', `${ROOT}/user/`, { body: { id: 'ann', data: { n: 2 } }, query: { get_or_create: yes } });
      assert.equal(again.status, 201);
      assert.deepEqual({ ...again.body, duration: '' }, { ...first.body, duration: '' });
    }
    assert.equal(backend.directory.seq, seq);
    refusedAs(
      await send('POST', `${ROOT}/user/`, { body: { id: 'ann' }, query: { get_or_create: 'maybe' } }),
      400,
      4,
      'InputException',
      'get_or_create',
    );
  });

  it('FD15 update replaces data with 201, moves updated_at, and leaves created_at', async () => {
    const { send } = httpWorld();
    const before = await create(send, 'ann', { name: 'Ann', gone: 1 });
    const after = await send('PUT', `${ROOT}/user/ann/`, { body: { data: { image: 'i' } } });
    assert.equal(after.status, 201);
    assert.deepEqual(Object.keys(after.body), USER_KEYS);
    assert.deepEqual(after.body.data, { image: 'i' });
    assert.equal(after.body.created_at, before.body.created_at);
    assert.ok(after.body.updated_at > before.body.updated_at);
    assert.deepEqual((await send('PUT', `${ROOT}/user/ann/`, { body: {} })).body.data, {});
  });

  it('FD15 an update that changes nothing is no change, here as in the other dialects', async () => {
    const { send, backend } = httpWorld();
    const before = await create(send, 'ann', { name: 'Ann', list: [1, { a: 2 }] });
    const { seq } = backend.directory;
    const same = await send('PUT', `${ROOT}/user/ann/`, { body: { data: { list: [1, { a: 2 }], name: 'Ann' } } });
    assert.equal(same.status, 201);
    assert.equal(same.body.updated_at, before.body.updated_at);
    assert.equal(backend.directory.seq, seq);
  });

  it('FD15 what is no user, and what is no data, is refused', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', { n: 1 });
    refusedAs(await send('PUT', `${ROOT}/user/nobody/`, { body: { data: {} } }), 404, 16, 'DoesNotExistException');
    refusedAs(await send('PUT', `${ROOT}/user/ann/`, { body: { data: 'some string' } }), 400, 4, 'InputException', 'data');
    refusedAs(await send('GET', `${ROOT}/user/nobody/`), 404, 16, 'DoesNotExistException');
    refusedAs(await send('DELETE', `${ROOT}/user/nobody/`), 404, 16, 'DoesNotExistException');
    for (const id of ['a%40b', 'a.b', 'a%20b', '__proto__'])
      refusedAs(await send('GET', `${ROOT}/user/${id}/`), 400, 4, 'InputException', 'id');
    refusedAs(await create(send, 'a@b'), 400, 4, 'InputException', 'id');
    refusedAs(await create(send, 'big', { t: 'x'.repeat(10_240) }), 413, 18, 'PayloadTooBigException', 'data');
    assert.deepEqual((await send('GET', `${ROOT}/user/ann/`)).body.data, { n: 1 });
  });

  it('FD16 delete answers 200 with a duration; then the id is free here and burned in the chat dialects', async () => {
    const { send, backend } = httpWorld();
    const old = await create(send, 'ann', { name: 'Ann' });
    const deleted = await send('DELETE', `${ROOT}/user/ann/`);
    assert.equal(deleted.status, 200);
    assert.deepEqual(Object.keys(deleted.body), ['duration']);
    refusedAs(await send('GET', `${ROOT}/user/ann/`), 404, 16, 'DoesNotExistException');
    refusedAs(await send('DELETE', `${ROOT}/user/ann/`), 404, 16, 'DoesNotExistException');
    refusedAs(await send('PUT', `${ROOT}/user/ann/`, { body: { data: {} } }), 404, 16, 'DoesNotExistException');
    assert.equal((await send('POST', '/users', { body: { users: { ann: { id: 'ann' } } } })).status, 404);
    assert.deepEqual(Object.keys(backend.directory.record('ann') ?? {}).sort(), ['gone_at', 'id']);
    const anew = await send('POST', `${ROOT}/user/`, { body: { id: 'ann', data: { n: 2 } }, query: { get_or_create: 'true' } });
    assert.deepEqual(anew.body.data, { n: 2 });
    assert.ok(anew.body.created_at > old.body.created_at);
    assert.equal((await send('POST', '/users', { body: { users: { ann: { id: 'ann', name: 'A' } } } })).status, 200);
  });

  it('FD16 a user that chat marked as deleted does not exist here, and its id is free', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', { secret: 1 });
    assert.equal((await send('DELETE', '/users/ann')).status, 200);
    refusedAs(await send('GET', `${ROOT}/user/ann/`), 404, 16, 'DoesNotExistException');
    refusedAs(await send('DELETE', `${ROOT}/user/ann/`), 404, 16, 'DoesNotExistException');
    assert.deepEqual((await create(send, 'ann')).body.data, {});
  });

  it('FD17 one record in three dialects: feeds writes name, image and custom data, and nothing else of it', async () => {
    const { send, backend } = httpWorld();
    const user = { id: 'ann', name: 'Ann', role: 'admin', teams: ['red'], language: 'de', invisible: true, color: 'blue' };
    await send('POST', '/users', { body: { users: { ann: user } } });
    assert.deepEqual((await send('GET', `${ROOT}/user/ann/`)).body.data, { name: 'Ann', color: 'blue' });
    await send('PUT', `${ROOT}/user/ann/`, { body: { data: { name: 'Anna', role: 'user', teams: ['blue'], invisible: false } } });
    const record = backend.directory.user('ann');
    assert.deepEqual([record?.role, record?.teams, record?.language, record?.invisible], ['admin', ['red'], 'de', true]);
    assert.deepEqual(record?.custom, { role: 'user', teams: ['blue'], invisible: false });
    const { users } = (await send('GET', '/users', { query: { payload: '{"filter_conditions":{"id":"ann"}}' } })).body;
    assert.deepEqual([users[0].name, users[0].role, users[0].teams], ['Anna', 'admin', ['red']]);
  });
});

describe('many users', () => {
  const ids = (received: Received, list: string): string[] => received.body[list].map(({ id }: { id: string }) => id);

  it('FD18 those that are new are created, those that exist are kept, or replaced with override', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', { old: 1 });
    const many = (body: object) => send('POST', `${ROOT}/users/`, { body });
    const users = [
      { id: 'ann', data: { new: 1 } },
      { id: 'bob', data: [] },
    ];
    const kept = await many({ users });
    assert.equal(kept.status, 201);
    assert.deepEqual(Object.keys(kept.body), ['created_users', 'duration']);
    assert.deepEqual(ids(kept, 'created_users'), ['ann', 'bob']);
    assert.deepEqual(kept.body.created_users[0].data, { old: 1 });
    assert.deepEqual(Object.keys(kept.body.created_users[1]), ['id', 'data', 'created_at', 'updated_at']);
    assert.deepEqual((await many({ users, override_existing: true })).body.created_users[0].data, { new: 1 });
    assert.deepEqual((await many({ users: [{ id: 'ann' }], override: true })).body.created_users[0].data, {});
  });

  it('FD18 they are read by id, without those that do not exist, and deleted, with every id repeated', async () => {
    const { send, backend } = httpWorld();
    for (const id of ['ann', 'bob', 'cem']) await create(send, id);
    const found = await send('GET', `${ROOT}/users/`, { query: { ids: 'cem,nobody,ann' } });
    assert.equal(found.status, 200);
    assert.deepEqual(ids(found, 'users'), ['cem', 'ann']);
    const gone = await send('DELETE', `${ROOT}/users/`, { query: { ids: 'ann,nobody,bob' } });
    assert.equal(gone.status, 200);
    assert.deepEqual(gone.body.deleted_user_ids, ['ann', 'nobody', 'bob']);
    assert.deepEqual(
      [...backend.directory.users()].map(({ id }) => id),
      ['cem'],
    );
    assert.deepEqual((await send('DELETE', `${ROOT}/users/`, { query: { ids: 'ann' } })).body.deleted_user_ids, ['ann']);
  });

  it('FD18 a user that somebody else deletes at the same moment is deleted all the same', async () => {
    const { send, backend } = httpWorld();
    for (const id of ['ann', 'bob']) await create(send, id);
    const submit = backend.submit.bind(backend);
    let calls = 0;
    backend.submit = async (command, lane) => {
      if (++calls === 1) await submit({ kind: 'delete', ids: ['ann'], mode: 'hard', options: {} }, 'live');
      return submit(command, lane);
    };
    assert.equal((await send('DELETE', `${ROOT}/users/`, { query: { ids: 'ann,bob' } })).status, 200);
    assert.equal(calls, 1);
    assert.equal(backend.directory.size, 0);
  });

  it('FD18 one bad user refuses all', async () => {
    const { send, backend } = httpWorld();
    const many = (users: unknown) => send('POST', `${ROOT}/users/`, { body: { users } });
    refusedAs(await many([{ id: 'ann' }, { id: 'a b' }]), 400, 4, 'InputException', 'users[1].id');
    refusedAs(await many([{ id: 'ann' }, { id: 'bob', data: 7 }]), 400, 4, 'InputException', 'users[1].data');
    refusedAs(
      await many([{ id: 'ann' }, { id: 'bob', data: { t: 'x'.repeat(10_240) } }]),
      413,
      18,
      'PayloadTooBigException',
      'users[bob].data',
    );
    refusedAs(await many([]), 400, 4, 'InputException', 'users');
    refusedAs(await many(Array.from({ length: 101 }, (_, n) => ({ id: `u${n}` }))), 400, 4, 'InputException', 'users');
    for (const method of ['GET', 'DELETE'] as const) {
      refusedAs(await send(method, `${ROOT}/users/`, { query: { ids: '' } }), 400, 4, 'InputException', 'ids');
      refusedAs(await send(method, `${ROOT}/users/`, { query: { ids: 'a@b' } }), 400, 4, 'InputException', 'ids');
      const much = Array.from({ length: 101 }, (_, n) => `u${n}`).join(',');
      refusedAs(await send(method, `${ROOT}/users/`, { query: { ids: much } }), 400, 4, 'InputException', 'ids');
    }
    assert.equal(backend.directory.size, 0);
  });
});

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
    refusedAs(await create(send, 'ann', {}, token), 404, 16, 'DoesNotExistException');
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
});

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
    assert.deepEqual((await get(send, 'feed/all/one')).results, [{ id, ...rest, origin: 'user:ann' }]);
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

  it('FD24 enrichment puts users in the place of references, with the keys of the user endpoint in its order', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', { color: 'red', name: 'Ann' });
    const sent = { ...good, object: 'SU:bob', target: 'SO:food:burger', by: ['SU:ann', 'x'], deep: { who: 'SU:ann' }, note: 'SUnshine' };
    await add(send, 'user/ann', { ...sent, foreign_id: 'SU:ann', time: '2024-05-06T07:08:09' });
    const [found] = (await get(send, 'enrich/feed/user/ann')).results;
    const { duration: _, ...ann } = (await send('GET', `${ROOT}/user/ann/`)).body;
    for (const value of [found.actor, found.by[0], found.deep.who]) assert.equal(JSON.stringify(value), JSON.stringify(ann));
    const missing = { error: 'ReferenceNotFound' };
    assert.deepEqual(found.object, { id: 'bob', ...missing, reference: 'SU:bob', reference_type: 'user' });
    assert.deepEqual(found.target, { id: 'burger', collection: 'food', ...missing, reference: 'SO:food:burger', reference_type: 'object' });
    assert.deepEqual([found.by[1], found.note, found.foreign_id], ['x', 'SUnshine', 'SU:ann']);
    const [plain] = (await get(send, 'feed/user/ann')).results;
    assert.deepEqual([plain.actor, plain.object, plain.by], ['SU:ann', 'SU:bob', ['SU:ann', 'x']]);
    const [named] = (await get(send, 'enrich/activities', { ids: found.id })).results;
    assert.deepEqual(named, found);
  });

  it('FD24 users are read as they are at that moment: changed, deleted, back again', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', { n: 1 });
    await add(send, 'user/ann', good);
    const actor = async () => (await get(send, 'enrich/feed/user/ann')).results[0].actor;
    await send('PUT', `${ROOT}/user/ann/`, { body: { data: { n: 2 } } });
    assert.deepEqual((await actor()).data, { n: 2 });
    await send('DELETE', `${ROOT}/user/ann/`);
    assert.equal((await actor()).error, 'ReferenceNotFound');
    await create(send, 'ann', { n: 3 });
    assert.deepEqual((await actor()).data, { n: 3 });
  });

  it('FD24 a reference to an activity is that activity, with nothing replaced inside it', async () => {
    const { send } = httpWorld();
    await create(send, 'ann');
    const { body } = await add(send, 'user/ann', good);
    await add(send, 'user/bob', { ...good, object: `SA:${body.id}`, target: 'SA:nothing' });
    const [found] = (await get(send, 'enrich/feed/user/bob')).results;
    assert.deepEqual([found.object.id, found.object.actor, found.object.origin], [body.id, 'SU:ann', null]);
    assert.equal(found.target.reference_type, 'activity');
  });
});

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

it('FD22 within one batch, a later activity of the same foreign id and time sees the earlier', () => {
  const { backend } = httpWorld();
  const draft = new Draft(backend.directory);
  const activity = (feed: string) => ({ id: 'i', feeds: [feed], origin: feed, foreign_id: 'f', time: 1, data: { actor: 'a' } });
  const command = { kind: 'activity-add' as const, activities: [activity('user:ann'), activity('all:one')] };
  const { docs } = decide(draft, command, 1, DEFAULT_POLICY);
  assert.deepEqual(docs?.[1]?.doc, { ...activity('user:ann'), feeds: ['user:ann', 'all:one'] });
});
