import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, type Send, userToken } from '../../support/http/fake-backend.ts';

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/;

const V2_USER = [
  'id role language banned shadow_banned invisible online created_at updated_at teams blocked_user_ids custom',
  'devices mutes channel_mutes total_unread_count unread_count unread_channels unread_threads',
].flatMap((line) => line.split(' '));

async function create(send: Send, ...ids: string[]): Promise<void> {
  const { status } = await send('POST', '/users', { body: { users: Object.fromEntries(ids.map((id) => [id, { id, name: id }])) } });
  assert.equal(status, 201);
}

describe('upsert', () => {
  it('HT1 v1: creates with 201, flat custom data, RFC 3339 dates, duration, position', async () => {
    const { send } = httpWorld();
    const { status, body, headers } = await send('POST', '/users', { body: { users: { ann: { id: 'ann', name: 'Ann', color: 'blue' } } } });
    assert.equal(status, 201);
    assert.equal(body.users.ann.color, 'blue');
    assert.match(body.users.ann.created_at, RFC3339);
    assert.match(body.users.ann.updated_at, RFC3339);
    assert.deepEqual([body.users.ann.teams, body.users.ann.banned, body.users.ann.online], [[], false, false]);
    assert.deepEqual([body.created, body.updated, body.unchanged], [['ann'], [], []]);
    assert.match(body.duration, /^\d+\.\d\dms$/);
    assert.equal(headers['x-rosterd-position'], 'test:1');
    assert.match(headers['content-type'] ?? '', /^application\/json/);
  });

  it('HT2 v2: every always-field, dates as integer nanoseconds, custom nested, the membership task', async () => {
    const { send } = httpWorld();
    const { status, body, text } = await send('POST', '/api/v2/users', {
      body: { users: { ann: { id: 'ann', custom: { color: 'blue' } } } },
    });
    assert.equal(status, 201);
    for (const field of V2_USER) assert.ok(field in body.users.ann, field);
    assert.deepEqual(body.users.ann.custom, { color: 'blue' });
    assert.match(text, /"created_at":17726007670\d{8},/);
    assert.match(text, /"updated_at":17726007670\d{8},/);
    assert.equal(body.membership_deletion_task_id, '');
  });

  it('HT3 says which users were created, updated and left as they were; 200 when none is new', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', 'bob');
    const { status, body, headers } = await send('POST', '/users', { body: { users: { ann: { name: 'Ann' }, bob: { name: 'bob' } } } });
    assert.equal(status, 200);
    assert.deepEqual([body.created, body.updated, body.unchanged], [[], ['ann'], ['bob']]);
    assert.equal(headers['x-rosterd-position'], 'test:3');
  });

  it('HT4 a list of users is taken as well, in both dialects', async () => {
    const { send } = httpWorld();
    assert.equal((await send('POST', '/users', { body: { users: [{ id: 'ann' }] } })).status, 201);
    assert.equal((await send('POST', '/api/v2/users', { body: { users: [{ id: 'bob' }] } })).status, 201);
  });

  it('HT5 a user that was fetched can be sent back: read-only keys change nothing', async () => {
    const { send } = httpWorld();
    for (const path of ['/users', '/api/v2/users']) {
      await send('POST', path, { body: { users: { ann: { name: 'Ann', color: 'blue' } } } });
      const { body } = await send('GET', path, { query: { payload: '{"filter_conditions":{"id":"ann"}}' } });
      const again = await send('POST', path, { body: { users: { ann: body.users[0] } } });
      assert.deepEqual(again.body.unchanged, ['ann'], again.text);
    }
  });

  it('HT5 with Prefer: return=minimal the users are left out of the answer, not of the directory', async () => {
    const { send, backend } = httpWorld();
    for (const method of ['POST', 'PATCH'] as const) {
      const users = method === 'POST' ? { ann: { name: 'Ann' } } : [{ id: 'ann', set: { name: 'Anna' } }];
      const { body } = await send(method, '/users', { headers: { prefer: 'return=minimal' }, body: { users } });
      assert.deepEqual(body.users, {});
      assert.deepEqual([...body.created, ...body.updated], ['ann']);
    }
    assert.equal(backend.directory.user('ann')?.name, 'Anna');
  });

  it('HT6 a client writes itself in the live lane, not its role and not others', async () => {
    const { send, backend } = httpWorld();
    const token = userToken('ann');
    assert.equal((await send('POST', '/users', { token, body: { users: { ann: { name: 'Ann' } } } })).status, 201);
    assert.deepEqual(backend.commands.at(-1)?.lane, 'live');
    assertRefused(
      await send('POST', '/users', { token, body: { users: { ann: { role: 'admin' } } } }),
      403,
      17,
      'users[ann].role',
      /UpdateUserRole/,
    );
    assertRefused(await send('PATCH', '/users', { token, body: { users: [{ id: 'bob', set: { a: 1 } }] } }), 404, 16);
    await create(send, 'bob', 'cem');
    assertRefused(await send('POST', '/users', { token, body: { users: { bob: {} } } }), 403, 17, 'users[bob].id');
    await send('POST', '/users', { body: { users: { x: {}, y: {} } } });
    assert.deepEqual(backend.commands.at(-1)?.lane, 'bulk');
  });
});

describe('partial update', () => {
  it('HT10 set and unset, flat keys in both dialects', async () => {
    const { send } = httpWorld();
    await create(send, 'ann');
    const body = { users: [{ id: 'ann', set: { 'new-field': 'value', role: 'admin' }, unset: ['name'] }] };
    const v2 = await send('PATCH', '/api/v2/users', { body });
    assert.equal(v2.status, 200);
    assert.deepEqual(v2.body.users.ann.custom, { 'new-field': 'value' });
    assert.equal(v2.body.users.ann.role, 'admin');
    assert.equal('name' in v2.body.users.ann, false);
    assert.equal(v2.body.membership_deletion_task_id, '');
    const v1 = await send('PATCH', '/users', { body });
    assert.deepEqual(v1.body.unchanged, ['ann']);
    assert.equal(v1.body.users.ann['new-field'], 'value');
  });

  it('HT11 of an unknown user: 404, naming it', async () => {
    const { send } = httpWorld();
    assertRefused(await send('PATCH', '/users', { body: { users: [{ id: 'nobody', set: { a: 1 } }] } }), 404, 16, 'users[nobody]');
  });
});

describe('query', () => {
  it('HT20 filter, both dialects, PHP’s empty lists, no payload at all', async () => {
    const { send } = httpWorld();
    await create(send, 'ann', 'bob');
    const payload = JSON.stringify({ filter_conditions: { id: { $in: ['ann'] } }, sort: [{ field: 'id', direction: 1 }], limit: 5 });
    const v1 = await send('GET', '/users', { query: { payload } });
    assert.deepEqual(
      v1.body.users.map((user: { id: string }) => user.id),
      ['ann'],
    );
    assert.match(v1.body.users[0].created_at, RFC3339);
    const v2 = await send('GET', '/api/v2/users', { query: { payload } });
    for (const field of V2_USER) assert.ok(field in v2.body.users[0], field);
    assert.equal((await send('GET', '/users', { query: { payload: '{"filter_conditions":[],"sort":[]}' } })).body.users.length, 2);
    assert.equal((await send('GET', '/users', { query: { payload: '[]' } })).body.users.length, 2);
    assert.equal((await send('GET', '/users/')).body.users.length, 2);
  });

  it('HT21 multi-tenant: a client sees its own teams only, one without teams those without, a server everyone', async () => {
    const { send } = httpWorld();
    await send('PATCH', '/app', { body: { multi_tenant_enabled: true } });
    await send('POST', '/users', {
      body: { users: { red: { teams: ['r'] }, red2: { teams: ['r', 'b'] }, blue: { teams: ['b'] }, free: {} } },
    });
    const ids = async (token?: string) => {
      const { body } = await send('GET', '/users', { ...(token === undefined ? {} : { token }) });
      return body.users.map((user: { id: string }) => user.id).sort();
    };
    assert.deepEqual(await ids(userToken('red')), ['red', 'red2']);
    assert.deepEqual(await ids(userToken('free')), ['free']);
    assert.equal((await ids()).length, 4);
    assertRefused(await send('GET', '/users', { token: userToken('nobody') }), 404, 16);
    assertRefused(await send('GET', '/users', { token: userToken('!anon') }), 403, 17);
  });

  it('HT22 who is online is shown', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann');
    backend.onlineIds.add('ann');
    assert.equal((await send('GET', '/users')).body.users[0].online, true);
  });
});

describe('lifecycle', () => {
  it('HT30 deactivate and reactivate one, both dialects; a second time is refused', async () => {
    for (const base of ['', '/api/v2']) {
      const { send } = httpWorld();
      await create(send, 'ann');
      const off = await send('POST', `${base}/users/ann/deactivate`, { body: { created_by_id: '', mark_messages_deleted: true } });
      assert.equal(off.status, 200);
      if (base === '') assert.match(off.body.user.deactivated_at, RFC3339);
      else assert.match(off.text, /"deactivated_at":\d{19}\b/);
      assertRefused(await send('POST', `${base}/users/ann/deactivate`, { body: {} }), 400, 4);
      assertRefused(await send('GET', `${base}/users`, { token: userToken('ann') }), 403, 17, undefined, /the user ann was deactivated/);
      const on = await send('POST', `${base}/users/ann/reactivate`, { body: { name: 'Ann again' } });
      assert.equal(on.body.user.name, 'Ann again');
      assert.equal('deactivated_at' in on.body.user, false);
      assertRefused(await send('POST', `${base}/users/ann/reactivate`), 400, 4);
      assertRefused(await send('POST', `${base}/users/nobody/deactivate`, { body: {} }), 404, 16);
    }
  });

  it('HT31 delete one is v1 only: soft, or hard with a switch of Go or PHP', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann', 'bob', 'cem');
    const query = { mark_messages_deleted: 'true', hard_delete: '', delete_conversation_channels: '' };
    const { body } = await send('DELETE', '/users/ann', { query });
    assert.match(body.user.deleted_at, RFC3339);
    assert.deepEqual(backend.commands.at(-1)?.command, {
      kind: 'delete',
      ids: ['ann'],
      mode: 'soft',
      options: { mark_messages_deleted: true },
    });
    await send('DELETE', '/users/bob', { query: { hard_delete: '1' } });
    assert.equal(backend.directory.record('bob')?.id, 'bob');
    assert.equal(backend.directory.user('bob'), undefined);
    assertRefused(await send('DELETE', '/users/ann'), 404, 16, undefined, /was deleted/);
    assertRefused(await send('DELETE', '/api/v2/users/cem'), 404, 16);
    assertRefused(await send('DELETE', '/users/cem', { query: { hard_delete: 'perhaps' } }), 400, 4, 'hard_delete');
    assert.notEqual(backend.directory.user('cem'), undefined);
  });

  it('HT32 many: a task with the result of each user, dates in the dialect, unknown users reported alone', async () => {
    for (const base of ['', '/api/v2']) {
      const { send } = httpWorld();
      await create(send, 'ann', 'bob');
      for (const [path, failed] of [
        ['deactivate', undefined],
        ['reactivate', undefined],
        ['delete', 'nobody'],
      ] as const) {
        const user_ids = ['ann', 'bob', ...(failed === undefined ? [] : [failed])];
        const { status, body } = await send('POST', `${base}/users/${path}`, { body: { user_ids, user: '' } });
        assert.equal(status, 201);
        const task = await send('GET', `${base}/tasks/${body.task_id}`);
        assert.equal(task.status, 200);
        assert.equal(task.body.status, 'completed');
        assert.equal(task.body.task_id, body.task_id);
        assert.deepEqual(task.body.result.ann, { status: 'ok' });
        if (failed !== undefined)
          assert.deepEqual(task.body.result[failed], { status: 'error', error: `the user ${failed} does not exist` });
        if (base === '') assert.match(task.body.created_at, RFC3339);
        else assert.match(task.text, /"created_at":\d{19},"updated_at":\d{19}\b/);
      }
      assertRefused(await send('GET', `${base}/tasks/nothing`), 404, 16);
    }
  });

  it('HT33 clients may not: delete, deactivate, reactivate, settings, tasks', async () => {
    const { send, backend } = httpWorld();
    await create(send, 'ann');
    const done = backend.commands.length;
    const token = userToken('ann');
    const calls = [
      ['DELETE', '/users/ann'],
      ['POST', '/users/ann/deactivate'],
      ['POST', '/api/v2/users/ann/reactivate'],
      ['POST', '/users/delete'],
      ['POST', '/api/v2/users/deactivate'],
      ['POST', '/users/reactivate'],
      ['GET', '/app'],
      ['PATCH', '/api/v2/app'],
      ['GET', '/tasks/x'],
    ] as const;
    for (const [method, path] of calls) {
      assertRefused(
        await send(method, path, { token, ...(method === 'POST' ? { body: {} } : {}) }),
        403,
        17,
        undefined,
        /is not allowed to perform action/,
      );
    }
    assert.equal(backend.commands.length, done);
  });
});
