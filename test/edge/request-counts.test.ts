/** MX4: requests in plain numbers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestCounts } from '../../daemon/edge/request-counts.ts';
import { httpWorld } from '../support/http/fake-backend.ts';

test('MX4 every answer is counted once, with its operation, dialect and status, also where no endpoint is found', async () => {
  const counts = new RequestCounts();
  const { send } = httpWorld({ counts });
  await send('POST', '/api/v2/users', { body: { users: { ann: { id: 'ann' } } } });
  await send('POST', '/users', { body: { users: {} } });
  await send('GET', '/users', { token: 'wrong' });
  await send('GET', '/no/such/path/ann');
  await send('GET', '/healthz');
  const found = [...counts.operations].flatMap(([operation, { codes, durations }]) => {
    const shown = [...codes].map(([dialect, each]) => [dialect, Object.fromEntries(each)]);
    return [[operation, Object.fromEntries(shown), durations.count]];
  });
  assert.deepEqual(found, [
    ['UpdateUsers', { v2: { 200: 0, 201: 1, 500: 0, 503: 0 }, v1: { 200: 0, 400: 1, 500: 0, 503: 0 } }, 2],
    ['QueryUsers', { v1: { 200: 0, 401: 1, 500: 0, 503: 0 } }, 1],
    ['Request', { v1: { 200: 0, 404: 1, 500: 0, 503: 0 } }, 1],
    ['Health', { v1: { 200: 1, 500: 0, 503: 0 } }, 1],
  ]);
});
