/** CN5–CN7 and CN11: requests that hold only for a revision. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { worldOf } from '../../support/http/conditions-kit.ts';
import { assertRefused, type HttpWorld, type Received, type Sent } from '../../support/http/fake-backend.ts';

const revOf = ({ backend }: HttpWorld, id: string): number => backend.directory.user(id)?.rev ?? 0;

type Write = (world: HttpWorld, headers: Readonly<Record<string, string>>) => Promise<Received>;

/** Every request about one user that looks at the headers. */
const WRITES: Readonly<Record<string, Write>> = {
  'POST /users': ({ send }, headers) => send('POST', '/users', { headers, body: { users: { ann: { name: 'New' } } } }),
  'PATCH /users': ({ send }, headers) =>
    send('PATCH', '/api/v2/users', { headers, body: { users: [{ id: 'ann', set: { name: 'New' } }] } }),
  deactivate: ({ send }, headers) => send('POST', '/users/ann/deactivate', { headers, body: {} }),
  'DELETE /users/:id': ({ send }, headers) => send('DELETE', '/users/ann', { headers }),
  'bulk deactivate of one': ({ send }, headers) => send('POST', '/users/deactivate', { headers, body: { user_ids: ['ann'] } }),
};

describe('if_rev', () => {
  for (const prefix of ['', '/api/v2']) {
    it(`CN5 POST and PATCH ${prefix}/users refuse users of another revision with 412, each by its path`, async () => {
      const world = await worldOf('ann', 'bob');
      const seq = world.backend.position.seq;
      const if_rev = { ann: 7, bob: 2, cem: 3, dan: 0 };
      const users = { ann: { name: 'A' }, bob: { name: 'B' }, cem: { name: 'C' }, dan: { name: 'D' } };
      const refused = await world.send('POST', `${prefix}/users`, { body: { users, if_rev } });
      assertRefused(refused, 412, 4, 'users[ann]', /the user ann has revision 1, not 7/);
      assert.deepEqual(refused.body.errors, [
        { path: 'users[ann]', code: 4, message: 'the user ann has revision 1, not 7' },
        { path: 'users[cem]', code: 4, message: 'the user cem does not exist' },
      ]);
      const patches = [{ id: 'ann', set: { name: 'A' } }];
      assertRefused(await world.send('PATCH', `${prefix}/users`, { body: { users: patches, if_rev: { ann: 0 } } }), 412, 4, 'users[ann]');
      assert.equal(world.backend.position.seq, seq);
      const fine = await world.send('PATCH', `${prefix}/users`, { body: { users: patches, if_rev: { ann: 1 } } });
      assert.deepEqual([fine.status, fine.body.updated], [200, ['ann']]);
      const list = [{ id: 'ann', name: 'L' }];
      assert.equal((await world.send('POST', `${prefix}/users`, { body: { users: list, if_rev: { ann: 3 } } })).status, 200);
    });
  }

  it('CN5 what is no revision, and who is not in the request, is named together with what else is wrong', async () => {
    const world = await worldOf('ann');
    const body = { users: { ann: { name: 7 } }, if_rev: { ann: 1.5, bob: 1, cem: '2' } };
    const refused = await world.send('POST', '/users', { body });
    assertRefused(refused, 400, 4, 'if_rev[bob]', /is not among the users of the request/);
    const paths = refused.body.errors.map(({ path }: { path: string }) => path);
    assert.deepEqual(paths.sort(), ['if_rev[ann]', 'if_rev[bob]', 'if_rev[cem]', 'users[ann].name']);
    for (const if_rev of [7, 'x', [1], { ann: -1 }, { ann: true }]) {
      assert.equal((await world.send('POST', '/users', { body: { users: { ann: { name: 'A' } }, if_rev } })).status, 400);
      for (const verb of ['delete', 'deactivate', 'reactivate']) {
        const received = await world.send('POST', `/users/${verb}`, { body: { user_ids: ['ann'], if_rev } });
        assert.equal(received.status, 400, received.text);
        assert.ok(Object.keys(received.body.exception_fields).some((path) => path.startsWith('if_rev')));
      }
    }
    assertRefused(await world.send('POST', '/users/delete', { body: { user_ids: ['ann'], if_rev: { bob: 1 } } }), 400, 4, 'if_rev[bob]');
    for (const if_rev of [null, '', []]) {
      assert.equal((await world.send('POST', '/users', { body: { users: { ann: { name: 'ann' } }, if_rev } })).status, 200);
    }
    assert.equal((await world.send('POST', '/users/deactivate', { body: { user_ids: ['ann'], if_rev: [] } })).status, 201);
  });

  it('CN6 bulk operations say it in the result of each user', async () => {
    const world = await worldOf('ann', 'bob');
    const run = async (verb: string): Promise<unknown> => {
      const { body } = await world.send('POST', `/users/${verb}`, { body: { user_ids: ['ann', 'bob'], if_rev: { ann: 1, bob: 9 } } });
      return (await world.send('GET', `/tasks/${body.task_id}`)).body.result;
    };
    const bob = { status: 'error', error: 'the user bob has revision 2, not 9' };
    assert.deepEqual(await run('deactivate'), { ann: { status: 'ok' }, bob });
    assert.deepEqual(await run('deactivate'), { ann: { status: 'ok' }, bob }, 'it can be repeated');
    assert.deepEqual(await run('delete'), {
      ann: { status: 'error', error: `the user ann has revision ${revOf(world, 'ann')}, not 1` },
      bob,
    });
  });
});

describe('If-Match and If-None-Match', () => {
  for (const [name, write] of Object.entries(WRITES)) {
    it(`CN5 ${name} looks at them`, async () => {
      const isTask = name.startsWith('bulk');
      for (const [header, value] of [
        ['if-match', '"7"'],
        ['if-none-match', '*'],
      ] as const) {
        const world = await worldOf('ann');
        const refused = await write(world, { [header]: value });
        if (isTask) assert.equal(refused.status, 201);
        else assertRefused(refused, 412, 4, 'users[ann]');
        assert.equal(revOf(world, 'ann'), 1, 'nothing happened');
      }
      for (const value of ['"1"', '1', 'W/"1"', ' "1" ', '*']) {
        const world = await worldOf('ann');
        const { status, headers, text } = await write(world, { 'if-match': value });
        assert.ok(status < 300, `${value}: ${text}`);
        assert.notEqual(revOf(world, 'ann'), 1);
        if (!isTask) assert.equal(headers.etag, '"2"');
      }
      for (const headers of [
        { 'if-match': 'abc' },
        { 'if-match': '' },
        { 'if-match': '"1", "2"' },
        { 'if-match': '"-1"' },
        { 'if-none-match': '"1"' },
        { 'if-none-match': '' },
        { 'if-match': '"1"', 'if-none-match': '*' },
      ]) {
        const world = await worldOf('ann');
        const refused = await write(world, headers);
        assert.equal(refused.status, 400, `${JSON.stringify(headers)} ${refused.text}`);
        assert.match(Object.keys(refused.body.exception_fields).join(), /^if-(none-)?match$/);
        assert.equal(revOf(world, 'ann'), 1);
      }
    });
  }

  it('CN5 with several users, or beside if_rev, they are an error that names if_rev', async () => {
    const { send } = await worldOf('ann', 'bob');
    const headers = { 'if-match': '"1"' };
    const many: readonly ['POST' | 'PATCH', string, object][] = [
      ['POST', '/users', { users: { ann: {}, bob: {} } }],
      ['POST', '/users', { users: { ann: { name: 7 }, bob: {} } }],
      ['PATCH', '/users', { users: [{ id: 'ann' }, { id: 'bob' }] }],
      ['POST', '/users/deactivate', { user_ids: ['ann', 'bob'] }],
      ['POST', '/users', { users: { ann: {} }, if_rev: { ann: 1 } }],
    ];
    for (const [method, path, body] of many) assertRefused(await send(method, path, { headers, body }), 400, 4, 'if_rev');
  });

  it('CN5 where nobody looks at them they are refused; a reader may send them', async () => {
    const { send } = await worldOf('ann');
    for (const [header, value] of [
      ['if-match', '"1"'],
      ['if-none-match', '*'],
    ] as const) {
      const headers = { [header]: value };
      assertRefused(await send('POST', '/moderation/ban', { headers, body: { target_user_id: 'ann' } }), 400, 4, header);
      assert.equal((await send('GET', '/users', { headers })).status, 200);
    }
  });

  it('CN5 If-None-Match: * creates a user once', async () => {
    const world = await worldOf('ann');
    const create = (name: string): Promise<Received> =>
      world.send('POST', '/users', { headers: { 'if-none-match': '*' }, body: { users: { bob: { name } } } });
    assert.equal((await create('Bob')).status, 201);
    assertRefused(await create('Other'), 412, 4, 'users[bob]', /the user bob exists already \(revision 2\)/);
    assert.equal((await create('Bob')).status, 200, 'the same again');
  });
});

describe('settings', () => {
  for (const prefix of ['', '/api/v2']) {
    it(`CN11 PATCH ${prefix}/app changes nothing at another revision than the one that was read, and is as published without one`, async () => {
      const { send, backend } = await worldOf('ann');
      const read = async (path = '/app'): Promise<string> => (await send('GET', `${prefix}${path}`)).headers.etag ?? '';
      const patch = (name: string, headers: Readonly<Record<string, string>> = {}) =>
        send('PATCH', `${prefix}/app`, { headers, body: { name } });
      assert.equal(await read(), '"0"');
      assert.equal((await patch('One', { 'if-match': await read() })).status, 200);
      const seen = await read();
      assert.deepEqual([seen, await read('/settings')], [`"${backend.directory.appSeq}"`, seen]);
      assert.equal((await patch('Two')).status, 200, 'without a condition');
      assertRefused(await patch('Three', { 'if-match': seen }), 412, 4, 'if-match', /somebody changed them meanwhile/);
      assert.equal(backend.directory.app.name, 'Two');
      assert.equal((await patch('Two', { 'if-match': seen })).status, 200, 'it is so already');
      for (const tag of [await read(), '*']) assert.equal((await patch(`At ${tag.length}`, { 'if-match': tag })).status, 200);
      assertRefused(await patch('Four', { 'if-match': 'soon' }), 400, 4, 'if-match', /must be one revision/);
      assertRefused(await patch('Four', { 'if-none-match': '*' }), 400, 4, 'if-none-match', /not supported/);
    });
  }
});

describe('ETag', () => {
  it('CN7 answers about one user have its revision, answers about several none', async () => {
    const world = await worldOf('ann', 'bob');
    const { send } = world;
    const tag = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, sent: Sent = {}): Promise<string | undefined> =>
      (await send(method, path, sent)).headers.etag;
    assert.equal(await tag('POST', '/users', { body: { users: { ann: { name: 'A' } } } }), '"3"');
    assert.equal(await tag('POST', '/users', { body: { users: { ann: { name: 'A' } } } }), '"3"', 'unchanged');
    assert.equal(await tag('POST', '/users', { body: { users: { ann: {}, bob: {} } } }), undefined);
    assert.equal(await tag('GET', '/users/ann/export'), `"${revOf(world, 'ann')}"`);
    assert.equal(await tag('GET', '/users'), undefined);
    const again = await tag('POST', '/users/ann/deactivate', { body: {} });
    assert.equal(again, `"${revOf(world, 'ann')}"`);
    assert.equal((await send('POST', '/users/ann/reactivate', { headers: { 'if-match': again ?? '' }, body: {} })).status, 200);
  });
});
