/** IM4 and IM12: imports that are interrupted, and what goes on beside them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ALL_STATES, directory, ended, type ImportTask, many, put, states, upload } from '../../support/http/import-kit.ts';
import { RosterdProcess } from '../../support/process.ts';
import { writeDocs } from '../../support/unattended.ts';
import { API_KEY, API_SECRET, serverToken, World } from '../../support/world.ts';

test('IM4 an import goes on after a stop, from where it was', async (t) => {
  const data = await directory(t);
  const first = await World.start(t, { data });
  const path = await upload(first, many(8_000));
  const { id } = (await first.http('POST', '/imports', { path, mode: 'upsert' })).body.import_task;
  while (first.daemon.roster.directory.size < 2_000) await new Promise((resolve) => setTimeout(resolve, 2));
  await first.stop();
  const before = first.daemon.roster.directory.size;
  assert.ok(before < 8_000, `it was over before it was stopped: ${before}`);
  const left = first.daemon.roster.directory.docs.get('import', id);
  assert.deepEqual([left?.state, left?.result?.done, left?.result?.created], ['importing', before, before]);

  const second = await World.start(t, { data });
  const task = await ended(second, id);
  assert.equal(task.state, 'completed');
  assert.deepEqual(states(task), ALL_STATES);
  assert.deepEqual(task.result, { users: 8_000, done: 8_000, created: 8_000, updated: 0, unchanged: 0, failed: 0 });
  assert.equal(second.daemon.roster.directory.size, 8_000);
});

test('IM4 an import that was left in any state goes on; without its file it fails', async (t) => {
  const data = await directory(t);
  const first = await World.start(t, { data });
  const path = await upload(first, many(120));
  await first.stop();
  const now = Date.now() * 1_000;
  const base = { mode: 'upsert' as const, history: [], created_at: now, updated_at: now };
  const docs = [
    { ...base, path, id: 'a', state: 'uploaded' },
    { ...base, path, id: 'b', state: 'analyzing' },
    { ...base, path, id: 'c', state: 'analyzed', result: { users: 120 } },
    { ...base, path, id: 'd', state: 'importing', result: { users: 120, done: 100, created: 90, failed: 10 } },
    { ...base, path: `${path}x`, id: 'e', state: 'analyzing' },
    { ...base, path: `${path}x`, id: 'f', state: 'importing' },
  ];
  await writeDocs(
    data,
    docs.map((doc) => ({ kind: 'import' as const, id: doc.id, doc })),
  );
  const second = await World.start(t, { data });
  const results = new Map<string, ImportTask>();
  for (const { id } of docs) results.set(id, await ended(second, id));
  assert.deepEqual(
    [...results.values()].map(({ state }) => state),
    ['completed', 'completed', 'completed', 'import_failed', 'analyze_failed', 'import_failed'],
  );
  assert.deepEqual(results.get('a').result.created, 120);
  assert.deepEqual(results.get('d').result, { users: 120, done: 120, created: 90, updated: 0, unchanged: 20, failed: 10 });
  assert.match(results.get('f').result.reason, /no longer there/);
});

test('IM4 an import goes on after the daemon was killed', async (t) => {
  const data = await directory(t);
  const env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET };
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', data, '--log-level', 'silent'];
  const first = RosterdProcess.run(args, { env });
  t.after(() => first.kill('SIGKILL'));
  const url = await first.listening();
  const call = async (path: string, body: object): Promise<ImportTask> => {
    const headers = { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' };
    const response = await fetch(`${url}${path}?api_key=${API_KEY}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return await response.json();
  };
  const { upload_url, path } = await call('/import_urls', {});
  assert.equal((await put(upload_url, many(12_000))).status, 200);
  const { import_task } = await call('/imports', { path });
  for (let users = 0; users < 2_000; ) {
    const headers = { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt' };
    const query = new URLSearchParams({ api_key: API_KEY, payload: JSON.stringify({ filter_conditions: { id: 'u1999' } }) });
    const found: ImportTask = await (await fetch(`${url}/users?${query}`, { headers })).json();
    users = found.users.length === 0 ? 0 : 2_000;
  }
  await first.kill('SIGKILL');

  const world = await World.start(t, { data });
  const task = await ended(world, import_task.id);
  assert.equal(task.state, 'completed');
  assert.equal(world.daemon.roster.directory.size, 12_000);
  const { users, done, created, unchanged, failed } = task.result;
  assert.deepEqual([users, done, created + unchanged, failed], [12_000, 12_000, 12_000, 0]);
});

test('IM12 live connects do not wait for an import', async (t) => {
  const world = await World.start(t);
  const path = await upload(world, many(10_000));
  const { id } = (await world.http('POST', '/imports', { path })).body.import_task;
  const isOver = (): boolean => world.daemon.roster.directory.docs.get('import', id)?.state === 'completed';
  let meanwhile = 0;
  for (let i = 0; i < 25; i++) {
    await world.chat(`live${i}`);
    if (!isOver()) meanwhile++;
  }
  const task = await ended(world, id);
  assert.equal(task.state, 'completed');
  t.diagnostic(`${meanwhile} of 25 connected while it went on`);
  assert.ok(meanwhile >= 5, `${meanwhile} connected while it went on`);
});
