/** Where the directory is, and which users it has at one position: UL1, UL3, UL4. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, httpWorld, userToken as tokenOf } from '../../support/http/fake-backend.ts';

const linesOf = (text: string): Readonly<Record<string, unknown>>[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

test('UL3 the position says where the directory is and how many users it has, and that it is rosterd', async () => {
  const { send, backend } = httpWorld();
  await send('POST', '/users', { body: { users: { ann: {}, bob: {} } } });
  await send('DELETE', '/users/bob');
  for (const prefix of ['', '/api/v2']) {
    const { status, body, headers } = await send('GET', `${prefix}/sync/position`);
    const { duration: _, ...position } = body;
    assert.deepEqual([status, position], [200, { epoch: 'test', seq: 3, users: 1 }]);
    assert.equal(headers['x-rosterd-position'], 'test:3');
  }
  assert.equal(backend.position.seq, 3);
});

test('UL1 the list has every living user with its revision, once, between its first and its last line', async () => {
  const { send } = httpWorld();
  await send('POST', '/users', {
    body: { users: { ann: { teams: ['red'] }, bob: {}, cem: { teams: ['red', 'blue'] }, dan: {}, eve: {} } },
  });
  await send('DELETE', '/users/dan');
  await send('DELETE', '/users/eve', { query: { hard_delete: 'true' } });
  await send('POST', '/users/bob/deactivate', { body: {} });
  const all = await send('GET', '/sync/users');
  assert.equal(all.headers['content-type'], 'application/x-ndjson');
  assert.equal(all.headers['x-rosterd-position'], 'test:8');
  assert.deepEqual(linesOf(all.text), [
    { epoch: 'test', seq: 8, count: 3 },
    { id: 'ann', rev: 1 },
    { id: 'bob', rev: 8, deactivated: true },
    { id: 'cem', rev: 3 },
    { end: true, count: 3 },
  ]);
  const red = await send('GET', '/api/v2/sync/users', { query: { team: 'red' } });
  assert.deepEqual(linesOf(red.text), [
    { epoch: 'test', seq: 8, count: 2 },
    { id: 'ann', rev: 1 },
    { id: 'cem', rev: 3 },
    { end: true, count: 2 },
  ]);
  const none = await send('GET', '/sync/users', { query: { team: 'green' } });
  assert.deepEqual(linesOf(none.text), [
    { epoch: 'test', seq: 8, count: 0 },
    { end: true, count: 0 },
  ]);
});

test('UL4 only a server may ask', async () => {
  const { send } = httpWorld();
  await send('POST', '/users', { body: { users: { ann: {} } } });
  for (const path of ['/sync/position', '/sync/users']) {
    assertRefused(await send('GET', path, { token: tokenOf('ann') }), 403, 17);
    assertRefused(await send('GET', path, { token: null }), 401, 5);
  }
  assertRefused(await send('GET', '/sync/users', { query: { team: 'x'.repeat(300) } }), 400, 4, 'team');
});
