/** EX: exports of users over HTTP, with a real daemon. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { writeDocs } from '../../support/unattended.ts';
import { type HttpAnswer, userToken, World } from '../../support/world.ts';

const DIALECTS = [
  ['v1', ''],
  ['v2', '/api/v2'],
] as const;

async function finished(world: World, id: string, prefix = ''): Promise<HttpAnswer['body']> {
  let task: HttpAnswer['body'];
  await eventually(async () => {
    const { status, body } = await world.http('GET', `${prefix}/tasks/${id}`);
    assert.equal(status, 200);
    task = body;
    return body.status === 'completed' || body.status === 'failed';
  }, 'the task does not end');
  return task;
}

async function lines(url: string): Promise<Record<string, Record<string, unknown>>[]> {
  const response = await fetch(url);
  assert.equal(response.status, 200);
  assert.match(response.headers.get('content-type') ?? '', /ndjson/);
  assert.match(response.headers.get('content-disposition') ?? '', /^attachment; filename="users\.jsonl"$/);
  const text = await response.text();
  assert.equal(response.headers.get('content-length'), String(Buffer.byteLength(text)));
  assert.ok(text === '' || text.endsWith('\n'));
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function directory(t: TestContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-export-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  return data;
}

for (const [dialect, prefix] of DIALECTS) {
  test(`EX3 ${dialect}: one user, as the dialect shows it, with empty lists`, async (t) => {
    const world = await World.start(t);
    await world.upsert({ id: 'ann', name: 'Ann', custom: { color: 'blue' } });
    const { status, body } = await world.http('GET', `${prefix}/users/ann/export`);
    assert.equal(status, 200);
    assert.deepEqual([body.messages, body.reactions], [[], []]);
    assert.equal(body.user.name, 'Ann');
    if (dialect === 'v1') {
      assert.equal(body.user.color, 'blue');
      assert.match(body.user.created_at, /^\d{4}-.*Z$/);
    } else {
      assert.deepEqual(body.user.custom, { color: 'blue' });
      assert.ok(Number.isInteger(body.user.created_at));
    }
    for (const id of ['nobody', 'gone']) {
      if (id === 'gone') {
        await world.upsert({ id });
        await world.http('DELETE', '/users/gone');
      }
      const refused = await world.http('GET', `${prefix}/users/${id}/export`);
      assert.deepEqual([refused.status, refused.body.code], [404, 16]);
    }
    assert.equal((await world.http('GET', `${prefix}/users/ann/export`, undefined, userToken('ann'))).status, 403);
  });

  test(`EX4 ${dialect}: many users end in a file whose link is made anew at each look`, async (t) => {
    const world = await World.start(t);
    await world.upsert({ id: 'ann', name: 'Ann', custom: { color: 'blue' } }, { id: 'bob' }, { id: 'cyd' });
    await world.http('POST', '/users/cyd/deactivate', {});
    const { status, body } = await world.http('POST', `${prefix}/export/users`, { user_ids: ['ann', 'cyd', 'ann'] });
    assert.equal(status, 201);
    const task = await finished(world, body.task_id, prefix);
    assert.equal(task.status, 'completed');
    const url: string = task.result?.url ?? '';
    assert.ok(url.startsWith(`${world.daemon.url}/exports/users/${body.task_id}/`), url);
    const exported = await lines(url);
    assert.deepEqual(
      exported.map(({ user }) => user?.id),
      ['ann', 'cyd'],
    );
    assert.deepEqual(Object.keys(exported[0] ?? {}), ['user', 'messages', 'reactions']);
    assert.equal(exported[0]?.user?.color, 'blue');
    assert.match(String(exported[0]?.user?.created_at), /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.ok(exported[1]?.user?.deactivated_at);

    const untilS = Number(new URL(url).searchParams.get('exp'));
    assert.ok(Math.abs(untilS - Date.now() / 1_000 - 86_400) < 60, 'it works for a day');
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const again = await world.http('GET', `${prefix}/tasks/${body.task_id}`);
    assert.notEqual(again.body.result.url, url);
    assert.equal((await lines(again.body.result.url)).length, 2);
  });
}

test('EX5 a link works for exactly its file and its time, and for nobody who changes it', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' });
  const tasks = [];
  for (let i = 0; i < 2; i++) tasks.push((await world.http('POST', '/export/users', { user_ids: ['ann'] })).body.task_id);
  const [one, two] = await Promise.all(tasks.map((id) => finished(world, id)));
  const url = new URL(String(one?.result?.url));
  const other = new URL(String(two?.result?.url));
  const changed: [string, (bad: URL) => void][] = [
    ['no signature', (bad) => bad.searchParams.delete('sig')],
    ['a later end', (bad) => bad.searchParams.set('exp', String(Number(bad.searchParams.get('exp')) + 1))],
    ['no end', (bad) => bad.searchParams.delete('exp')],
    ['another file', (bad) => (bad.pathname = other.pathname)],
    ['another name', (bad) => (bad.pathname = bad.pathname.replace('users.jsonl', 'x.jsonl'))],
    ['the signature of another', (bad) => bad.searchParams.set('sig', other.searchParams.get('sig') ?? '')],
  ];
  for (const [what, change] of changed) {
    const bad = new URL(url);
    change(bad);
    const response = await fetch(bad);
    assert.equal(response.status, 403, what);
    assert.ok(Number(response.headers.get('x-ratelimit-limit')) > 0);
    const body = await response.json();
    assert.equal(typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined, 17, what);
  }
  await rm(join(world.data, 'exports'), { recursive: true });
  assert.equal((await fetch(url)).status, 404, 'the file is gone');
});

test('EX6 ids that are unknown or deleted refuse the whole export, naming each', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'gone' });
  await world.http('DELETE', '/users/gone?hard_delete=true');
  for (const [, prefix] of DIALECTS) {
    const { status, body } = await world.http('POST', `${prefix}/export/users`, { user_ids: ['ann', 'nobody', 'gone'] });
    assert.deepEqual([status, body.code], [404, 16]);
    assert.deepEqual(body.exception_fields, {
      'user_ids[nobody]': 'the user nobody does not exist',
      'user_ids[gone]': 'the user gone was deleted',
    });
    for (const user_ids of [[], Array.from({ length: 26 }, (_, i) => `u${i}`), ['a b'], 'ann', [7], null]) {
      const refused = await world.http('POST', `${prefix}/export/users`, { user_ids });
      assert.deepEqual([refused.status, refused.body.code], [400, 4], JSON.stringify(user_ids));
    }
    assert.equal((await world.http('POST', `${prefix}/export/users`, { user_ids: ['ann'] }, userToken('ann'))).status, 403);
  }
  assert.deepEqual(await readdir(join(world.data, 'exports')), []);
});

test('EX7 exports survive a restart, finished or not', async (t) => {
  const data = await directory(t);
  const first = await World.start(t, { data });
  await first.upsert({ id: 'ann' }, { id: 'bob' });
  const done = (await first.http('POST', '/export/users', { user_ids: ['ann'] })).body.task_id;
  await finished(first, done);
  const now = Date.now() * 1_000;
  const open = { kind: 'export_users', created_at: now, updated_at: now, input: { user_ids: ['bob', 'nobody'] } };
  await first.stop();

  // As a daemon that was killed leaves them: one not begun, one in the middle, one that nobody knows.
  const docs = [
    { ...open, id: 'waiting-one', status: 'waiting' as const },
    { ...open, id: 'running-one', status: 'running' as const },
    { ...open, id: 'strange-one', status: 'pending' as const, kind: 'strange' },
  ];
  await writeDocs(
    data,
    docs.map((doc) => ({ kind: 'task' as const, id: doc.id, doc })),
  );

  const third = await World.start(t, { data });
  for (const id of ['waiting-one', 'running-one']) {
    const task = await finished(third, id);
    assert.equal(task.status, 'completed');
    assert.deepEqual(task.result?.missing, ['nobody'], 'whoever was deleted meanwhile is named');
    assert.equal((await lines(String(task.result?.url))).length, 1);
  }
  const strange = await finished(third, 'strange-one');
  assert.deepEqual(
    [strange.status, strange.error],
    ['failed', { type: 'unknown_kind', description: 'this daemon does not know tasks of the kind strange' }],
  );
  assert.equal((await lines(String((await finished(third, done)).result?.url))).length, 1);
});

test('EX9 a stop does not wait for connections that are kept open for later requests', async (t) => {
  for (let round = 0; round < 4; round++) {
    const world = await World.start(t);
    await world.upsert({ id: 'ann' });
    const { body } = await world.http('POST', '/export/users', { user_ids: ['ann'] });
    const task = await finished(world, body.task_id);
    const url = String(task.result?.url);
    await lines(url);
    // Long enough for Node to look for connections that take too long, after which it forgot some of them at a close.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await world.http('GET', `/tasks/${body.task_id}`);
    await lines(url);
    const startedMs = performance.now();
    await world.stop();
    assert.ok(performance.now() - startedMs < 30_000, 'the stop took too long');
  }
});
