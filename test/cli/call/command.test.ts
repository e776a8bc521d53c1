/** CO15: `rosterd call`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folder, run } from '../../support/cli-run.ts';
import { API_KEY, API_SECRET, World } from '../../support/world.ts';

const CREDENTIALS = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };

test('CO15 call sends one request as a server, and prints its answer; a refusal goes to stderr', async (t) => {
  const cwd = folder(t);
  const world = await World.start(t);
  await world.upsert({ id: 'ann', name: 'Ann' });
  const call = (...args: string[]) => run(cwd, ['call', ...args, '--url', world.daemon.url], CREDENTIALS);
  const off = await call('post', '/api/v2/users/ann/deactivate');
  assert.deepEqual([off.code, off.err], [0, '']);
  assert.ok(JSON.parse(off.out).user.deactivated_at > 0);
  const patch = await call('PATCH', '/api/v2/users?dry_run=true', '{"users":[{"id":"ann","set":{"name":"Anne"}}]}');
  assert.deepEqual(JSON.parse(patch.out).changes, { ann: { name: ['Ann', 'Anne'] } });
  await world.http('PATCH', '/api/v2/app', { name: 'Clinic' });
  const late = await call('PATCH', '/api/v2/app', '{"name":"Ward"}', '--if-match', '"1"');
  assert.deepEqual([late.code, JSON.parse(late.err).StatusCode], [1, 412]);
  const none = await call('GET', '/users/nobody/history');
  assert.deepEqual([none.code, none.out], [1, '']);
  assert.match(JSON.parse(none.err).message, /nobody/);
});

test('CO15 call refuses what is no request before it asks anybody', async (t) => {
  const cwd = folder(t);
  for (const [args, text] of [
    [['FETCH', '/users'], /GET, POST, PUT, PATCH, DELETE/],
    [['GET', 'users'], /a path such as/],
    [['POST', '/users', '{'], /must be JSON/],
  ] as const) {
    const { code, err } = await run(cwd, ['call', ...args, '--url', 'http://127.0.0.1:1'], CREDENTIALS);
    assert.equal(code, 2, err);
    assert.match(err, text);
  }
});
