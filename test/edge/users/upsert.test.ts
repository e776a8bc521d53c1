/** Upserts over HTTP (HT1–HT6). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { assertRefused, httpWorld, userToken } from '../../support/http/fake-backend.ts';
import { create, RFC3339, V2_USER } from '../../support/http/some-users.ts';
import { TurnCount } from '../../support/turn-count.ts';

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

  it('BU3 a batch of the widest users lets others have turns while it is read, decoded and rendered, and is stored as one', async () => {
    const { send, backend } = httpWorld();
    const custom = Object.fromEntries(Array.from({ length: 900 }, (_, key) => [`k${key}`, 1]));
    const users = Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`wide-${at}`, { custom }]));
    const loop = new TurnCount();
    await send('GET', '/users/nobody');
    const few = loop.turns;
    const { status, body } = await send('POST', '/users', { body: { users } });
    loop.stop();
    assert.deepEqual([status, body.created.length, backend.position.seq], [201, 100, 100]);
    assert.ok(loop.turns - few > few + 3, `${few} turns for nothing, ${loop.turns - few} for the batch`);
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
    assertRefused(await send('PATCH', '/users', { token, body: { users: [{ id: 'bob', set: { a: 1 } }] } }), 403, 17, 'users[bob].id');
    await create(send, 'bob', 'cem');
    assertRefused(await send('POST', '/users', { token, body: { users: { bob: {} } } }), 403, 17, 'users[bob].id');
    await send('POST', '/users', { body: { users: { x: {}, y: {} } } });
    assert.deepEqual(backend.commands.at(-1)?.lane, 'bulk');
  });
});
