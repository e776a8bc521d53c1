/** CP2, CP6: keys with dots and spaces, and the key without a name, by every way in and for everything that names them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { userToken, World } from '../../support/world.ts';

const KEYS = { 'first.name': 'Ann', 'home town': 'Delft', '': 'x' };

const found = async (world: World, payload: Record<string, unknown>): Promise<string[]> => {
  const { status, body } = await world.http('GET', `/users?payload=${encodeURIComponent(JSON.stringify(payload))}`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.users.map(({ id }: { id: string }) => id);
};
const customOf = async (world: World, id: string): Promise<unknown> =>
  (await world.http('GET', `/api/v2/users?payload=${encodeURIComponent(JSON.stringify({ filter_conditions: { id } }))}`)).body.users[0]
    .custom;

test('CP2 whichever way a key came in, it can be found, set and removed by HTTP', async (t) => {
  const world = await World.start(t);
  await world.http('POST', '/users', { users: { v1: { id: 'v1', ...KEYS } } });
  await world.upsert({ id: 'v2', custom: KEYS });
  await world.chat('live', KEYS);
  const guest = (await world.http('POST', '/guest', { user: { id: 'g', ...KEYS } })).body.user.id;
  const ids = ['v1', 'v2', 'live', guest].sort();
  const sort = [{ field: 'first.name', direction: -1 }, { field: 'id' }];
  for (const [key, value] of Object.entries(KEYS)) {
    for (const name of [key, `custom.${key}`])
      assert.deepEqual(await found(world, { filter_conditions: { [name]: value }, sort }), ids, name);
  }
  for (const [index, id] of ids.entries()) {
    const path = index % 2 === 0 ? '/users' : '/api/v2/users';
    const set = { 'first.name': `Bea ${index}`, 'home town': 'Gouda' };
    const patched = await world.http('PATCH', path, { users: [{ id, set, unset: [''] }] });
    assert.deepEqual([patched.status, patched.body.updated], [200, [id]], JSON.stringify(patched.body));
    assert.deepEqual(await customOf(world, id), set);
  }
  await world.upsert({ id: 'nested', first: { name: 'Bea 9' } }, { id: 'without' });
  assert.deepEqual(await found(world, { filter_conditions: {}, sort }), ['nested', ...ids.toReversed(), 'without']);
  assert.deepEqual((await world.http('PATCH', '/users', { users: [{ id: 'without', set: { 'home town': 'x' } }] })).status, 400);
});

test('CP2 CP6 live updates, subscriptions, the history and dry runs mean the same key', async (t) => {
  const world = await World.start(t);
  const client = await world.chat('ann', KEYS);
  const server = await world.subscriber({ subs: [{ sub: 's', filter: { 'first.name': 'Bea' } }] });
  const { user } = await client.request({ op: 'update', set: { 'first.name': 'Bea' }, unset: ['home town'] });
  assert.deepEqual(user.custom, { 'first.name': 'Bea', '': 'x' });
  const entered = await server.until(({ match }) => match !== undefined);
  assert.deepEqual([entered.match, entered.user.custom], ['enter', user.custom]);
  await client.request({ op: 'update', unset: ['custom.first.name'] });
  assert.equal((await server.until(({ match }) => match === 'leave')).user.id, 'ann');
  const { body } = await world.http('GET', '/users/ann/history');
  assert.deepEqual(
    body.history.map(({ fields }: { fields?: string[] }) => fields),
    [['custom.first.name'], ['custom.first.name', 'custom.home town'], undefined],
  );
  const dry = await world.http('PATCH', '/users?dry_run=true', { users: [{ id: 'ann', set: { '': 'y' } }] });
  assert.deepEqual(dry.body.changes, { ann: { 'custom.': ['x', 'y'] } });
  const own = await world.http('PATCH', '/users', { users: [{ id: 'ann', unset: [''] }] }, userToken('ann'));
  assert.equal(own.status, 200, JSON.stringify(own.body));
  assert.deepEqual(await customOf(world, 'ann'), {});
});
