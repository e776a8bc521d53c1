/** Feeds: users over HTTP, on a directory in memory: FD13–FD18. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HARD_OPTIONS } from '../../../protocol/users/delete-options.ts';
import { httpWorld, type Received } from '../../support/http/fake-backend.ts';
import { create, ROOT, refusedAs } from '../../support/http/feeds-kit.ts';

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
      if (++calls === 1) await submit({ kind: 'delete', ids: ['ann'], mode: 'hard', options: HARD_OPTIONS }, 'live');
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
