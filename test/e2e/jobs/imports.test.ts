/** IM: imports over HTTP, with a real daemon: upload, analysis, import. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { ALL_STATES, ended, type ImportTask, item, many, put, states, upload } from '../../support/http/import-kit.ts';
import { userToken, World } from '../../support/world.ts';

async function imported(world: World, text: string, options: object = {}, prefix = ''): Promise<ImportTask> {
  const path = await upload(world, text, prefix);
  const { status, body } = await world.http('POST', `${prefix}/imports`, { path, mode: 'upsert', ...options });
  assert.equal(status, 201);
  assert.equal(body.import_task.state, 'uploaded');
  return await ended(world, body.import_task.id, prefix);
}

for (const [dialect, prefix] of [
  ['v1', ''],
  ['v2', '/api/v2'],
] as const) {
  test(`IM8 ${dialect}: a file is uploaded, analysed and imported, and every step has its time`, async (t) => {
    const world = await World.start(t);
    const text = many(250, (i) => ({ color: 'blue', ...(i === 7 ? { role: 'admin', teams: ['red'] } : {}) }));
    const task = await imported(world, text, {}, prefix);
    assert.equal(task.state, 'completed');
    assert.deepEqual(states(task), ALL_STATES);
    for (const [index, step] of task.history.entries()) assert.equal(step.prev_state, index === 0 ? '' : ALL_STATES[index - 1]);
    const type = dialect === 'v1' ? 'string' : 'number';
    assert.ok([task.created_at, task.updated_at, task.history[0].created_at].every((time) => typeof time === type));
    assert.equal(task.size, Buffer.byteLength(text));
    assert.deepEqual(task.result, { users: 250, done: 250, created: 250, updated: 0, unchanged: 0, failed: 0 });
    assert.equal(world.daemon.roster.directory.size, 250);
    const user = world.daemon.roster.directory.user('u7');
    assert.deepEqual([user?.name, user?.role, user?.teams, user?.custom], ['User 7', 'admin', ['red'], { color: 'blue' }]);

    const list = await world.http('GET', `${prefix}/imports`);
    assert.deepEqual(list.body.import_tasks, [task]);
  });
}

test('IM8 a JSON list is imported like lines', async (t) => {
  const world = await World.start(t);
  const list = JSON.stringify(
    Array.from({ length: 130 }, (_, i) => ({ type: 'user', data: { id: `u${i}` } })),
    null,
    2,
  );
  const task = await imported(world, list);
  assert.deepEqual([task.state, task.result.created], ['completed', 130]);
});

test('IM3 insert leaves existing users alone, upsert replaces them, merge_custom adds', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann', name: 'Ann', custom: { a: 1, b: 1 } });
  const text = `${item({ id: 'ann', b: 2 })}\n${item({ id: 'bob', b: 2 })}\n`;
  const custom = () => world.daemon.roster.directory.user('ann')?.custom;

  const inserted = await imported(world, text, { mode: 'insert' });
  assert.deepEqual([inserted.state, inserted.result.created, inserted.result.unchanged], ['completed', 1, 1]);
  assert.deepEqual(custom(), { a: 1, b: 1 });

  const merged = await imported(world, text, { mode: 'upsert', merge_custom: true });
  assert.deepEqual([merged.result.updated, merged.merge_custom], [1, true]);
  assert.deepEqual(custom(), { a: 1, b: 2 });

  const replaced = await imported(world, text, { mode: 'upsert' });
  assert.deepEqual([replaced.result.updated, replaced.result.unchanged], [1, 1]);
  assert.deepEqual(custom(), { b: 2 });
});

test('IM1 one bad item fails the analysis, everything wrong is listed, and nothing is written', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'gone' });
  await world.http('DELETE', '/users/gone?hard_delete=true');
  const seq = world.daemon.roster.directory.size;
  const bad = [
    item({ id: 'a', created_at: '2024-01-01T00:00:00Z', online: true }),
    '{"type":"message","item":{"id":"m"}}',
    '{oops',
    item({ id: 'b', role: 'boss' }),
    item({ id: 'c', text: 'x'.repeat(5_200) }),
    item({ id: 'u3' }),
    item({ id: 'gone' }),
    '',
    item({ id: 'bad id' }),
  ];
  const task = await imported(world, `${many(300)}${bad.join('\n')}`);
  assert.equal(task.state, 'analyze_failed');
  assert.deepEqual(states(task), ['uploaded', 'analyzing', 'analyze_failed']);
  assert.equal(world.daemon.roster.directory.size, seq, 'nothing is written');
  assert.deepEqual([task.result.users, task.result.failed], [308, 8]);
  const errors: { item: number; id?: string; code: string; reason: string }[] = task.result.errors;
  assert.deepEqual(
    errors.map(({ item: line, id, code }) => [line, id, code]),
    [
      [301, 'a', 'invalid_user'],
      [302, undefined, 'invalid_user'],
      [303, undefined, 'invalid_json'],
      [304, 'b', 'invalid_user'],
      [305, 'c', 'invalid_user'],
      [306, 'u3', 'duplicate_id'],
      [307, 'gone', 'invalid_user'],
      [309, undefined, 'invalid_user'],
    ],
  );
  for (const [index, pattern] of [
    /created_at: is a reserved.*online: is a reserved/,
    /holds users and their devices only/,
    /./,
    /"boss" does not exist/,
  ].entries()) {
    assert.match(errors[index]?.reason ?? '', pattern);
  }
});

test('IM5 a million mistakes cost no memory: all are counted, the first hundred listed', async (t) => {
  const world = await World.start(t);
  const task = await imported(world, 'x\n'.repeat(5_000));
  assert.deepEqual([task.state, task.result.failed, task.result.errors.length], ['analyze_failed', 5_000, LIMITS.importErrorsKept]);
});

for (const [what, text, reason] of [
  ['an empty file', '\n', /no item/],
  ['an empty list', '[]', /no item/],
  ['a list that is not closed', `[${item({ id: 'a' })}`, /not closed/],
] as const) {
  test(`IM1 refused: ${what}`, async (t) => {
    const world = await World.start(t);
    const task = await imported(world, text);
    assert.equal(task.state, 'analyze_failed');
    assert.match(task.result.reason, reason);
  });
}

test('IM2 whom the directory refuses does not keep the others out', async (t) => {
  const world = await World.start(t);
  await world.http('PATCH', '/app', { enforce_unique_username: 'app' });
  await world.upsert({ id: 'ann', name: 'Ann' });
  const task = await imported(world, `${many(150)}${item({ id: 'other', name: 'ANN' })}\n${item({ id: 'last' })}`);
  assert.equal(task.state, 'import_failed');
  assert.deepEqual([task.result.created, task.result.failed], [151, 1]);
  assert.deepEqual([task.result.errors[0].item, task.result.errors[0].id, task.result.errors[0].code], [151, 'other', 6]);
  assert.ok(world.daemon.roster.directory.user('last'));
  assert.equal(world.daemon.roster.directory.user('other'), undefined);
});

test('IM9 bad requests are refused, naming the field', async (t) => {
  const world = await World.start(t);
  const path = await upload(world, many(1));
  for (const prefix of ['', '/api/v2']) {
    const bad: [unknown, string][] = [
      [{}, 'path'],
      [{ path: '' }, 'path'],
      [{ path: 'never-uploaded' }, 'path'],
      [{ path: '../credentials.json' }, 'path'],
      [{ path: path.replace(/^./, (first) => (first === '0' ? '1' : '0')) }, 'path'],
      [{ path, mode: 'replace' }, 'mode'],
      [{ path, merge_custom: 'yes' }, 'merge_custom'],
      [{ path: 7 }, 'path'],
    ];
    for (const [body, field] of bad) {
      const refused = await world.http('POST', `${prefix}/imports`, body);
      assert.deepEqual([refused.status, refused.body.code], [400, 4], JSON.stringify(body));
      assert.ok(Object.hasOwn(refused.body.exception_fields, field), `${JSON.stringify(body)}: ${refused.body.message}`);
    }
    assert.equal((await world.http('POST', `${prefix}/import_urls`, { filename: 7 })).status, 400);
    for (const query of ['limit=-1', 'limit=101', 'limit=x', 'offset=1.5']) {
      assert.equal((await world.http('GET', `${prefix}/imports?${query}`)).status, 400, query);
    }
    assert.deepEqual((await world.http('GET', `${prefix}/imports/none`)).body.code, 16);
    for (const [method, target] of [
      ['POST', '/import_urls'],
      ['POST', '/imports'],
      ['GET', '/imports'],
      ['GET', '/imports/x'],
    ] as const) {
      const refused = await world.http(method, `${prefix}${target}`, method === 'POST' ? {} : undefined, userToken('ann'));
      assert.equal(refused.status, 403, target);
    }
  }
  assert.deepEqual((await world.http('GET', '/imports')).body.import_tasks, [], 'nothing of it was started');
});

test('IM10 file names become harmless, and a URL takes one file, once, unchanged', async (t) => {
  const world = await World.start(t);
  for (const [filename, kept] of [
    ['users.json', 'users.json'],
    ['../../etc/passwd', 'passwd'],
    ['a b\u0000ü.jsonl', 'a_b__.jsonl'],
    ['..', 'users.jsonl'],
    ['', 'users.jsonl'],
    [null, 'users.jsonl'],
    ['.hidden', 'hidden'],
    [`${'x'.repeat(240)}.jsonl`, `${'x'.repeat(94)}.jsonl`],
  ]) {
    const { body } = await world.http('POST', '/import_urls', { filename });
    assert.match(body.path, /^[0-9a-f-]{36}\/[\w.-]+$/);
    assert.equal(body.path.split('/')[1], kept);
    assert.equal((await put(body.upload_url, 'x')).status, 200, String(filename));
  }
  const { body } = await world.http('POST', '/import_urls', {});
  const other = await world.http('POST', '/import_urls', {});
  const bad = new URL(body.upload_url);
  bad.pathname = new URL(other.body.upload_url).pathname;
  assert.equal((await put(bad.href, 'x')).status, 403);
  assert.equal((await fetch(body.upload_url)).status, 404, 'an upload cannot be read');
  assert.equal((await put(body.upload_url, many(1))).status, 200);
  const second = await put(body.upload_url, many(2));
  assert.deepEqual([second.status, second.body.code], [409, 4]);
});

test('IM11 an upload that is too big is refused and one that breaks off is not there', async (t) => {
  const world = await World.start(t);
  const { body } = await world.http('POST', '/import_urls', {});
  const uploads = join(world.data, 'uploads');
  const chunk = Buffer.alloc(1024 * 1024, 0x20);
  const big = await new Promise<number | undefined>((resolve, reject) => {
    const sending = request(body.upload_url, { method: 'PUT' }, (response) => resolve(response.resume().statusCode));
    sending.on('error', reject);
    let sent = 0;
    const more = (): void => {
      while (sent++ < LIMITS.importBytes / chunk.length) if (!sending.write(chunk)) return void sending.once('drain', more);
      sending.end('x');
    };
    more();
  });
  assert.equal(big, 413);
  assert.deepEqual(await readdir(uploads), []);

  const cut = request(body.upload_url, { method: 'PUT', headers: { 'Content-Length': '1000' } });
  cut.on('error', () => {});
  cut.write('x'.repeat(500));
  while ((await readdir(uploads)).length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  cut.destroy();
  while ((await readdir(uploads)).length > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const refused = await world.http('POST', '/imports', { path: body.path });
  assert.equal(refused.status, 400);
});
