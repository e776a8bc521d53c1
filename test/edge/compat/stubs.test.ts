/** Stand-ins for channels: SB1–SB4. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ROUTES } from '../../../daemon/edge/routes.ts';
import { assertRefused, fakeServices, type HttpWorld, httpWorld, userToken } from '../../support/http/fake-backend.ts';

const stubWorld = (): HttpWorld => httpWorld({ services: { ...fakeServices(), compatStubs: true } });

const REQUESTS = [
  ['GET', '/channeltypes'],
  ['POST', '/channels/messaging/general/query'],
  ['POST', '/channels/messaging/query'],
  ['DELETE', '/channels/messaging/general'],
] as const;
const PREFIXES = ['', '/api/v2/chat'] as const;

it('SB1 without the setting there are none: the same 404 as for any path that does not exist', async () => {
  const world = httpWorld();
  for (const prefix of PREFIXES) {
    for (const [method, path] of REQUESTS) {
      const received = await world.send(method, `${prefix}${path}`);
      assertRefused(received, 404, 16, undefined, /there is no such endpoint/);
      assert.equal(received.headers.allow, undefined);
      assert.equal(received.headers['x-rosterd-stub'], undefined);
    }
  }
});

it('SB2 with it, each answer says that it is a stand-in, and nothing is stored', async () => {
  const world = stubWorld();
  const before = world.backend.position.seq;
  for (const prefix of PREFIXES) {
    for (const [method, path] of REQUESTS) {
      const received = await world.send(method, `${prefix}${path}`, method === 'POST' ? { body: {} } : {});
      assert.ok(received.status < 300, received.text);
      assert.equal(received.headers['x-rosterd-stub'], '1');
    }
  }
  assert.equal(world.backend.position.seq, before);
  assert.equal(world.backend.commands.length, 0);
});

it('SB3 a channel has the shape that clients read, in the times of the dialect', async () => {
  const world = stubWorld();
  const v1 = (await world.send('POST', '/channels/messaging/!members-a1b2/query', { body: { data: [], state: true } })).body;
  assert.deepEqual(
    [v1.channel.id, v1.channel.type, v1.channel.cid, v1.members, v1.messages],
    ['!members-a1b2', 'messaging', 'messaging:!members-a1b2', [], []],
  );
  assert.match(v1.channel.created_at, /^2026-03-04T05:06:07\.\d+Z$/);
  const v2 = (await world.send('POST', '/api/v2/chat/channels/messaging/x/query', { body: { data: null } })).body;
  assert.equal(v2.channel.created_at, 1_772_600_767_000_000_000);
  assert.deepEqual(v2.channel.custom, {});
  assert.deepEqual((await world.send('GET', '/channeltypes')).body.channel_types, {});
});

it('SB5 a channel shows who created it, and one that is created without an id has one', async () => {
  const world = stubWorld();
  await world.send('POST', '/users', { body: { users: { ann: { id: 'ann', name: 'Ann', colour: 'red' } } } });
  for (const prefix of PREFIXES) {
    for (const data of [{ created_by_id: 'ann' }, { created_by: { id: 'ann', name: 'Other' }, created_by_id: '', members: ['bob'] }]) {
      for (const path of ['/channels/messaging/general/query', '/channels/messaging/query']) {
        const { status, body } = await world.send('POST', `${prefix}${path}`, { body: { data } });
        assert.equal(status, 201);
        assert.deepEqual([body.channel.created_by.id, body.channel.created_by.name], ['ann', 'Ann']);
        assert.equal(body.channel.cid, `messaging:${body.channel.id}`);
        assert.match(body.channel.id, path.includes('general') ? /^general$/ : /^[\w!-]{1,64}$/);
      }
    }
    const query = `${prefix}/channels/messaging/query`;
    const own = await world.send('POST', query, { token: userToken('ann'), body: { data: { created_by_id: 'bob' } } });
    assert.equal(own.body.channel.created_by.id, 'ann');
    const [one, two] = [
      await world.send('POST', query, { body: {} }),
      await world.send('POST', query, { body: { data: { created_by_id: 'nobody' } } }),
    ];
    assert.notEqual(one.body.channel.id, two.body.channel.id);
    assert.deepEqual([one.body.channel.created_by, two.body.channel.created_by], [undefined, undefined]);
    assertRefused(await world.send('POST', query, { body: { data: { created_by_id: 5 } } }), 400, 4, 'data.created_by_id');
  }
});

it('SB4 names that cannot be those of a channel are refused; the usual tokens are needed', async () => {
  const world = stubWorld();
  assertRefused(await world.send('DELETE', '/channels/mes%20saging/general'), 400, 4, 'type');
  assertRefused(await world.send('POST', '/channels/messaging/a%3Ab/query', { body: {} }), 400, 4, 'id');
  assertRefused(await world.send('POST', `/channels/messaging/${'x'.repeat(65)}/query`, { body: {} }), 400, 4, 'id');
  assertRefused(await world.send('DELETE', '/channels/messaging/general', { token: userToken('ann') }), 403, 17);
  const asClient = await world.send('POST', '/channels/messaging/general/query', { token: userToken('ann'), body: {} });
  assert.equal(asClient.status, 201);
});

it('SB4 nothing more than these four is stood in for', () => {
  const stubs = ROUTES.filter(({ isStub }) => isStub === true).map(({ method, path }) => `${method} ${path}`);
  assert.deepEqual(stubs.sort(), [
    'DELETE /api/v2/chat/channels/:type/:id',
    'DELETE /channels/:type/:id',
    'GET /api/v2/chat/channeltypes',
    'GET /channeltypes',
    'POST /api/v2/chat/channels/:type/:id/query',
    'POST /api/v2/chat/channels/:type/query',
    'POST /channels/:type/:id/query',
    'POST /channels/:type/query',
  ]);
});
