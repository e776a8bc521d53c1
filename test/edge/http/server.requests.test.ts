/** HT44, HT46 and HT47: health, unexpected exceptions and the log of requests. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, httpWorld, type Send, userToken } from '../../support/http/fake-backend.ts';

async function create(send: Send, ...ids: string[]): Promise<void> {
  const { status } = await send('POST', '/users', { body: { users: Object.fromEntries(ids.map((id) => [id, { id, name: id }])) } });
  assert.equal(status, 201);
}

test('HT44 health needs no token; not ready is 503 there and code -1 elsewhere', async () => {
  const { send, backend } = httpWorld();
  for (const path of ['/healthz', '/readyz']) {
    const { status, body } = await send('GET', path, { token: null });
    assert.deepEqual([status, body], [200, { status: 'ok' }]);
  }
  backend.ready = false;
  assert.equal((await send('GET', '/healthz', { token: null })).status, 200);
  assert.equal((await send('GET', '/readyz', { token: null })).status, 503);
  assertRefused(await send('GET', '/users'), 503, -1);
});

test('CK3 readyz shows how far the wall clock is behind the log, and nothing while it is not', async () => {
  const { send, backend } = httpWorld();
  const ready = async () => (await send('GET', '/readyz', { token: null })).body;
  assert.deepEqual(await ready(), { status: 'ok' });
  backend.clockGap.ms = 86_400_000;
  assert.deepEqual(await ready(), { status: 'ok', clock_behind_log_ms: 86_400_000 });
});

test('HT46 an unexpected exception is 500, code -1, logged with the request id; the next request is served', async () => {
  const { send, backend, logs } = httpWorld();
  backend.failure = new TypeError('boom');
  const refused = await send('POST', '/users', { body: { users: { ann: {} } } });
  assertRefused(refused, 500, -1, undefined, /internal error/);
  assert.doesNotMatch(refused.text, /boom/);
  const line = logs.find(({ text }) => text === 'unexpected error');
  assert.equal(line?.level, 'error');
  assert.equal(line?.details.id, refused.headers['x-request-id']);
  backend.failure = undefined;
  await create(send, 'ann');
});

test('HT47 the log has one line per request at the level of its error, and never token, query or body', async () => {
  const { send, logs } = httpWorld();
  const token = userToken('secretive');
  await send('GET', '/users', { token, query: { payload: '{"filter_conditions":{"name":"private words"}}' } });
  await send('POST', '/users', { token: 'forged', body: { users: { ann: { name: 'private words' } } } });
  await send('POST', '/users/private-words/deactivate', { body: {} });
  assert.deepEqual(
    logs.map(({ level, text }) => [level, text]),
    [
      ['info', 'request'],
      ['warn', 'request'],
      ['info', 'request'],
    ],
  );
  const { method, route, operation, status, caller, error } = logs[0]?.details ?? {};
  assert.deepEqual([method, route, operation, status, caller, error], ['GET', '/users', 'QueryUsers', 404, 'user', 'not_found']);
  assert.doesNotMatch(JSON.stringify(logs), /private.words|forged|secretive|payload|api_key/);
});
