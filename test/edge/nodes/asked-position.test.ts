/** ND1, ND2, ND6, ND7, ND9: requests to a node that is behind, or whose storage is away. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { StoredUser } from '../../../protocol/users/user.ts';
import { assertRefused, type FakeBackend, type HttpWorld, httpWorld, userToken } from '../../support/http/fake-backend.ts';

const PATH = 'x-rosterd-position';
const QUERY = { payload: JSON.stringify({ filter_conditions: { id: { $in: ['ann'] } } }) };

/** What another node stores arrives here now. */
function arrive(backend: FakeBackend, change: Partial<StoredUser> = {}): void {
  const before = backend.directory.user('ann');
  const user = { id: 'ann', rev: backend.directory.seq + 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1, ...before };
  const facts = [{ t: 'user', event: before === undefined ? 'created' : 'updated', user: { ...user, ...change } }] as const;
  backend.directory.apply({ id: `other-${backend.directory.seq}`, time: backend.now, first: backend.directory.seq + 1, facts });
}

const read = ({ send }: HttpWorld, position: string, token?: string, path = '/users') =>
  send('GET', path, { headers: { [PATH]: position }, query: QUERY, ...(token === undefined ? {} : { token }) });

test('ND1 a read that names a position is answered once it is applied here, with what came by then', async () => {
  for (const path of ['/users', '/api/v2/users']) {
    const world = httpWorld();
    world.backend.arrival = async () => {
      arrive(world.backend);
      return 'applied';
    };
    const { status, body } = await read(world, 'test:1', undefined, path);
    assert.deepEqual([status, body.users.length], [200, 1]);
    world.backend.arrival = () => assert.fail('it is here');
    for (const known of ['test:1', 'test:0']) assert.equal((await read(world, known)).status, 200);
  }
});

test('ND1 a node that does not come there answers 503 with Retry-After, and does nothing', async () => {
  const world = httpWorld();
  world.backend.arrival = () => Promise.reject(new RosterError('unavailable', 'this node has not come to the position 1 yet'));
  const late = await read(world, 'test:1');
  assertRefused(late, 503, -1, undefined, /has not come to the position 1 yet/);
  assert.equal(late.headers['retry-after'], '5');
  const write = await world.send('POST', '/users', { headers: { [PATH]: 'test:1' }, body: { users: { ann: { id: 'ann' } } } });
  assertRefused(write, 503, -1);
  assert.deepEqual(world.backend.commands, []);
});

test('ND1 nobody waits without a token, or where none is needed', async () => {
  const world = httpWorld();
  world.backend.arrival = () => assert.fail('it waits');
  assertRefused(await read(world, 'test:1', 'nonsense'), 401, 43);
  const other = await world.send('GET', '/users', { headers: { [PATH]: 'test:1' }, query: { ...QUERY, api_key: 'other' } });
  assertRefused(other, 401, 2);
  assert.equal((await world.send('GET', '/openapi.json', { token: null, headers: { [PATH]: 'test:1' } })).status, 200);
});

test('ND1 the caller, too, is judged by what is known at that position', async () => {
  const world = httpWorld({ rateLimits: { mode: 'off' } });
  arrive(world.backend, { deactivated_at: 5 });
  const token = userToken('ann');
  assertRefused(await read(world, 'test:1', token), 403, 17);
  world.backend.arrival = async () => {
    const { deactivated_at: _, ...user } = world.backend.directory.user('ann') ?? assert.fail();
    const facts = [{ t: 'user', event: 'reactivated', user }] as const;
    world.backend.directory.apply({ id: 'back', time: world.backend.now, first: 2, facts });
    return 'applied';
  };
  assert.equal((await read(world, 'test:2', token)).status, 200, 'reactivated through another node');
  world.backend.arrival = async () => {
    arrive(world.backend, { deactivated_at: 6 });
    return 'applied';
  };
  assertRefused(await read(world, 'test:3', token), 403, 17);
});

test('ND1 who waits is counted once', async () => {
  const world = httpWorld({ rateLimits: { mode: 'all', overrides: { QueryUsers: 600 } } });
  world.backend.arrival = async () => {
    arrive(world.backend);
    return 'applied';
  };
  const left = async (position: string): Promise<number> => Number((await read(world, position)).headers['x-ratelimit-remaining']);
  assert.deepEqual([await left('test:0'), await left('test:1'), await left('test:1')], [599, 598, 597]);
});

test('ND2 a position in another form, of another history or beyond the end is refused with its field', async () => {
  const world = httpWorld();
  arrive(world.backend);
  for (const bad of [
    '',
    'x',
    'test',
    'test:',
    ':1',
    'test:-1',
    'test:1.5',
    'test:1e3',
    'test:0x1',
    'test:99999999999999999',
    `${'e'.repeat(65)}:1`,
  ]) {
    assertRefused(await read(world, bad), 400, 4, PATH, /must be <epoch>:<seq>/);
  }
  assertRefused(await read(world, 'other:1'), 400, 4, PATH, /of another history than the one that is served now, test/);
  assertRefused(await read(world, 'test:2'), 400, 4, PATH, /beyond the end of the log/);
  assertRefused(await world.send('POST', '/users', { headers: { [PATH]: 'other:1' }, body: { users: { b: { id: 'b' } } } }), 400, 4, PATH);
  assert.deepEqual(world.backend.commands, []);
  const feeds = await world.send('GET', '/api/v1.0/user/ann', { headers: { [PATH]: 'other:1' } });
  assert.deepEqual([feeds.status, Object.keys(feeds.body.exception_fields)], [400, [PATH]]);
});

test('ND6 while the storage is away, answers that rest on what the node knows say how old that may be', async () => {
  const world = httpWorld();
  arrive(world.backend);
  assert.equal((await read(world, 'test:1')).headers['x-rosterd-stale'], undefined);
  world.condition.staleMs = 1_234;
  for (const path of ['/users', '/api/v2/users', '/app', '/api/v1.0/user/ann']) {
    const { status, headers } = await world.send('GET', path, { query: QUERY });
    assert.deepEqual([status, headers['x-rosterd-stale']], [200, '1234'], path);
  }
  const write = await world.send('POST', '/users', { body: { users: { ann: { id: 'ann', name: 'Ann' } } } });
  assert.deepEqual([write.status, write.headers['x-rosterd-stale']], [200, undefined], 'what was stored is not old');
});

test('ND7 a write that cannot be stored is refused with Retry-After, and reads are answered', async () => {
  const world = httpWorld();
  world.condition.staleMs = 10;
  world.backend.failure = new RosterError('unavailable', 'the directory cannot store changes at the moment (away); nothing was stored');
  const write = await world.send('POST', '/users', { body: { users: { ann: { id: 'ann' } } } });
  assertRefused(write, 503, -1, undefined, /nothing was stored/);
  assert.equal(write.headers['retry-after'], '5');
  assert.equal((await world.send('GET', '/users', { query: QUERY })).status, 200);
});

test('ND9 while what it knows is too old, a node refuses every request, and serves again afterwards', async () => {
  const world = httpWorld();
  world.condition.isTooStale = true;
  for (const [method, path, body] of [
    ['GET', '/users', undefined],
    ['GET', '/api/v2/app', undefined],
    ['POST', '/users', { users: { ann: { id: 'ann' } } }],
  ] as const) {
    const answer = await world.send(method, path, { query: QUERY, ...(body === undefined ? {} : { body }) });
    assertRefused(answer, 503, -1, undefined, /too old: its storage is away/);
    assert.equal(answer.headers['retry-after'], '5');
  }
  assert.equal((await world.send('GET', '/healthz')).status, 200);
  world.condition.isTooStale = false;
  assert.equal((await world.send('GET', '/users', { query: QUERY })).status, 200);
});
