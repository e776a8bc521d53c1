/** HY: the history of users, asked for over HTTP of a real daemon that is stopped, killed and short of disk. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { RosterdProcess } from '../../support/process.ts';
import { crashCopy } from '../../support/store/crash-copy.ts';
import { API_KEY, API_SECRET, serverToken, userToken, World } from '../../support/world.ts';

async function dataFolder(t: TestContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-history-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  return data;
}

const eventsOf = async (world: World, id: string): Promise<unknown[]> => {
  const { status, body } = await world.http('GET', `/users/${id}/history?limit=100`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.history.map(({ event, fields }: { event: string; fields?: string[] }) => [event, ...(fields ?? [])]);
};

/** Everything that can happen to a user, and what is told of it, newest first. */
const LIFE = [
  ['deleted:hard'],
  ['unbanned', 'bans'],
  ['banned', 'bans'],
  ['reactivated', 'deactivated_at'],
  ['deactivated', 'deactivated_at'],
  ['updated', 'last_active', 'custom.mood'],
  ['updated', 'language', 'custom.book', 'custom.colour'],
  ['updated', 'name', 'role'],
  ['created'],
];

async function live(world: World): Promise<void> {
  const done = async (method: string, path: string, body?: unknown): Promise<void> => {
    const answer = await world.http(method, path, body);
    assert.ok(answer.status < 300, `${method} ${path}: ${JSON.stringify(answer.body)}`);
  };
  await world.upsert({ id: 'ann', name: 'Ann', custom: { book: 'dune' } }, { id: 'bob' });
  await world.upsert({ id: 'ann', name: 'Anne', role: 'admin', custom: { book: 'dune' } });
  // Nothing changes, so nothing is told.
  await world.upsert({ id: 'ann', name: 'Anne', custom: { book: 'dune' } });
  await done('PATCH', '/users', { users: [{ id: 'ann', set: { language: 'de', colour: 'blue' }, unset: ['book'] }] });
  const client = await world.chat('ann', { mood: 'good' });
  client.terminate();
  await done('POST', '/users/ann/deactivate', {});
  await done('POST', '/users/ann/reactivate', {});
  await done('POST', '/moderation/ban', { target_user_id: 'ann', banned_by_id: 'bob' });
  await done('DELETE', '/moderation/ban?target_user_id=ann', undefined);
  await done('DELETE', '/users/ann?hard_delete=true&mark_messages_deleted=true', undefined);
}

test('HY1 everything that happens to a user is told, over a stop and a crash too, and nothing personal stays after the end', async (t) => {
  const data = await dataFolder(t);
  const first = await World.start(t, { data });
  await live(first);
  assert.deepEqual(await eventsOf(first, 'ann'), LIFE);
  const { body } = await first.http('GET', '/api/v2/users/ann/history?limit=2');
  assert.equal(body.history[0].source, 'server');
  assert.equal(body.next, body.history[1].seq);
  assert.ok(body.from / 1e6 <= Date.now() && body.history[0].at >= body.history[1].at && body.history[1].at >= body.from);
  // What a daemon that is killed now would leave, before and after the history was written.
  const crashed = await World.start(t, { data: await crashCopy(t, data) });
  assert.deepEqual(await eventsOf(crashed, 'ann'), LIFE);
  await first.stop();
  const second = await World.start(t, { data });
  assert.deepEqual(await eventsOf(second, 'ann'), LIFE);
  assert.deepEqual(await eventsOf(second, 'bob'), [['created']]);
  const folder = join(data, 'history');
  const text = (await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'latin1')))).join('');
  assert.ok(text.includes('"id":"ann"'));
  for (const value of ['Anne', 'dune', 'blue', 'good']) assert.ok(!text.includes(value), value);
});

test('HY1 it tells who it was: a server, a client, a live connection', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' });
  await world.http('PATCH', '/users', { users: [{ id: 'ann', set: { mood: 'good' } }] }, userToken('ann'));
  const client = await world.chat('ann', { mood: 'better' });
  client.terminate();
  const { body } = await world.http('GET', '/users/ann/history');
  const told = body.history.map(({ source, by }: { source?: string; by?: string }) => [source, by]);
  assert.deepEqual(told, [
    ['live', 'ann'],
    ['client', 'ann'],
    ['server', undefined],
  ]);
});

test('HY5 whoever was answered finds the change in the history, while thousands of others change', async (t) => {
  const world = await World.start(t);
  let isDone = false;
  const noise = (async () => {
    for (let round = 0; !isDone; round++) {
      await world.upsert(...Array.from({ length: 100 }, (_, index) => ({ id: `noise-${index}`, custom: { round } })));
    }
  })();
  for (let round = 0; round < 40; round++) {
    await world.upsert({ id: 'ann', custom: { round } });
    const { body } = await world.http('GET', '/users/ann/history?limit=100');
    assert.equal(body.history.length, round + 1);
  }
  isDone = true;
  await noise;
});

async function bytesIn(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder, name)).catch(() => ({ size: 0 }))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

test('HY5 nothing is missing after SIGKILL, in the middle of writing', async (t) => {
  const data = await dataFolder(t);
  const args = ['serve', '--listen', '127.0.0.1:0', '--data', data, '--drain-ms', '0', '--log-level', 'silent'];
  const options = { env: { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET } };
  let answered = 0;
  for (let kill = 0; kill < 2; kill++) {
    const daemon = RosterdProcess.run(args, options);
    const url = await daemon.listening();
    const upsert = async (): Promise<void> => {
      const users = Object.fromEntries(['ann', 'bob'].map((id) => [id, { id, custom: { round: answered + 1 } }]));
      const headers = { Authorization: serverToken(), 'Stream-Auth-Type': 'jwt', 'Content-Type': 'application/json' };
      const response = await fetch(`${url}/api/v2/users?api_key=${API_KEY}`, { method: 'POST', headers, body: JSON.stringify({ users }) });
      assert.ok(response.ok, await response.text());
      answered++;
    };
    const before = await bytesIn(join(data, 'history'));
    while ((await bytesIn(join(data, 'history'))) === before) await upsert();
    // These are not written yet.
    for (let more = 0; more < 20; more++) await upsert();
    await daemon.kill('SIGKILL');
  }
  const world = await World.start(t, { data });
  for (const id of ['ann', 'bob']) {
    const seqs: number[] = [];
    for (let before = ''; ; ) {
      const { body } = await world.http('GET', `/users/${id}/history?limit=100${before}`);
      seqs.push(...body.history.map(({ seq }: { seq: number }) => seq));
      if (body.next === undefined) break;
      before = `&before=${body.next}`;
    }
    assert.equal(new Set(seqs).size, seqs.length);
    assert.equal(seqs.length, answered);
  }
});

test('HY7 where the history cannot be written the daemon serves, and says that it has no history', async (t) => {
  const data = await dataFolder(t);
  const first = await World.start(t, { data });
  await first.upsert({ id: 'ann' });
  await first.stop();
  const folder = join(data, 'history');
  // Also where the tests run as root: what is no folder cannot be written to.
  await rm(folder, { recursive: true });
  await writeFile(folder, 'in the way');
  const lines: string[] = [];
  const second = await World.start(t, { data, onLog: (line) => lines.push(line) });
  assert.equal((await second.upsert({ id: 'ann', name: 'Ann' })).status, 200);
  const { status, body } = await second.http('GET', '/users/ann/history');
  assert.equal(status, 503);
  assert.match(body.message, /^GetUserHistory failed with error: "the history/);
  assert.equal(lines.filter((line) => line.includes('the history of users cannot be written; it is tried again')).length, 1);
});

test('HY8 history.keep_h=0 keeps none', async (t) => {
  const world = await World.start(t, { flags: { 'history-keep-h': '0' } });
  await world.upsert({ id: 'ann' });
  const { status, body } = await world.http('GET', '/users/ann/history');
  assert.equal(status, 404);
  assert.match(body.message, /no history of users is kept/);
  assert.ok(!(await readdir(world.data)).includes('history'));
});
