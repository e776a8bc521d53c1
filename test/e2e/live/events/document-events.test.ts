/** DE, IM14: what servers hear of user groups, exports and imports over live connections, and who does not. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { OpenStore } from '../../../../daemon/cli/serve/daemon.ts';
import type { DocumentEvent } from '../../../../protocol/client/document-types.ts';
import { lastSeq } from '../../../../protocol/log/entry.ts';
import { EXPORT_TASK } from '../../../../protocol/transfer/exports.ts';
import { openDataDirectory } from '../../../../store/data-dir.ts';
import { serverClient } from '../../../support/live/client-kit.ts';
import type { LiveClient } from '../../../support/live/live-client.ts';
import type { Frame } from '../../../support/live/received.ts';
import { fastClock, World } from '../../../support/world.ts';

const SUBS = [{ sub: 'all', all: true, snapshot: false }];

const isAboutNoUser = ({ type }: Frame): boolean => /^(user_group|export|import)\./.test(type ?? '');
const toldOf = ({ frames }: LiveClient): Frame[] => frames.filter(isAboutNoUser);
const typesOf = (frames: readonly Frame[]): string[] => frames.map(({ type }) => type);

async function post(world: World, path: string, body: object): Promise<Frame> {
  const answer = await world.http('POST', path, body);
  assert.ok(answer.status < 300, JSON.stringify(answer.body));
  return answer.body;
}

/** Everything that happens to a user group, with users changed in between; ends with a change of zoe. */
async function liveOfGroup(world: World, end: string): Promise<void> {
  await post(world, '/usergroups', { id: 'g', name: 'Crew', member_ids: ['ann'], created_by_id: 'bob' });
  await world.upsert({ id: 'ann', name: end });
  await post(world, '/usergroups/g/members', { member_ids: ['ann', 'bob'] });
  await world.http('PUT', '/usergroups/g', { name: 'Staff' });
  await post(world, '/usergroups/g/members/delete', { member_ids: ['ann'] });
  await world.http('DELETE', '/usergroups/g');
  await world.upsert({ id: 'zoe', name: end });
}

const GROUP_TYPES = ['created', 'member_added', 'updated', 'member_removed', 'deleted'].map((change) => `user_group.${change}`);

const isEnd = (end: string) => (frame: Frame) => frame.user?.id === 'zoe' && frame.user.name === end;

async function temporary(t: TestContext): Promise<string> {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-doc-events-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  return data;
}

test('DE6 a server that wants everything hears of user groups, in order with what happens to users', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const server = await world.subscriber({ subs: SUBS });
  await liveOfGroup(world, 'end');
  await server.until(isEnd('end'));
  const told = server.frames.filter(({ type, sub }) => type !== undefined && sub !== undefined);
  assert.deepEqual(typesOf(told), [
    'user_group.created',
    'user.updated',
    'user_group.member_added',
    'user_group.updated',
    'user_group.member_removed',
    'user_group.deleted',
    'user.updated',
  ]);
  const [first = Number.NaN] = told.map(({ seq }) => seq);
  assert.deepEqual(
    told.map(({ seq }) => seq),
    told.map((_, index) => first + index),
  );
  const [created, added, updated, removed, deleted] = toldOf(server);
  const members = (frame: Frame): string[] => frame.user_group.members.map(({ user_id }: Frame) => user_id);
  assert.deepEqual([created.sub, created.user_group.created_by, members(created), created.members], [['all'], 'bob', ['ann'], undefined]);
  assert.deepEqual([added.members, members(added)], [['bob'], ['ann', 'bob']]);
  assert.equal(updated.user_group.name, 'Staff');
  assert.deepEqual([removed.members, members(removed)], [['ann'], ['bob']]);
  assert.deepEqual([deleted.user_group.id, members(deleted)], ['g', ['bob']]);
  for (const frame of toldOf(server)) assert.ok(!('user' in frame) && !('match' in frame));
});

test('DE7 nobody else hears of them: not by ids, team or filter, and no client; the daemon says why', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann', teams: ['red'] }, { id: 'bob', teams: ['red'] });
  const narrow = await world.subscriber({ durable: 'mirror' });
  const subs = [
    { sub: 'ids', ids: ['ann', 'zoe', 'g'] },
    { sub: 'team', teams: ['red'] },
    { sub: 'filter', filter: { id: { $gt: '' } } },
  ];
  for (const sub of subs) await narrow.request({ op: 'sub', ...sub });
  const both = await world.subscriber({ subs: [...SUBS, { sub: 'ids', ids: ['zoe'], snapshot: false }] });
  const client = await world.chat('ann');
  await client.request({ op: 'sub', sub: 'all', all: true });
  await liveOfGroup(world, 'end');
  for (const each of [narrow, both, client]) await each.until(isEnd('end'));
  assert.deepEqual(typesOf(toldOf(both)), GROUP_TYPES);
  for (const frame of toldOf(both)) assert.deepEqual([frame.sub, frame.match], [['all'], undefined]);
  assert.deepEqual([...toldOf(narrow), ...toldOf(client)], []);

  const { seq } = toldOf(both)[0];
  const why = async ({ frames: [ok] }: LiveClient) =>
    (await world.http('GET', `/debug/why?event=${seq}&connection=${ok.connection_id}`)).body;
  const { event, subscriptions } = await why(narrow);
  assert.deepEqual(event, { seq, type: 'user_group.created', user_id: null, audience: 'server' });
  const reason = 'not sent: user_group.created is about no user, and is sent only to subscriptions to everything';
  for (const { result } of subscriptions) assert.equal(result, reason);
  assert.deepEqual(
    (await why(both)).subscriptions.map(({ sub, result }: Frame) => [sub, result]),
    [
      ['all', 'sent'],
      ['ids', reason],
    ],
  );
  assert.ok(
    (await why(client)).subscriptions.every(({ result }: Frame) => result === 'not sent: only servers are sent user_group.created'),
  );
});

test('DE8 whoever was away gets them once and in order, over a restart too, and the newest states beside them', async (t) => {
  const data = await temporary(t);
  const before = await World.start(t, { data });
  await before.upsert({ id: 'ann' }, { id: 'bob' });
  const server = await before.subscriber({ subs: SUBS });
  const { epoch, seq } = server.frames[0];
  await liveOfGroup(before, 'first');
  await server.until(isEnd('first'));
  const resume = { epoch, seq };
  const back = await before.subscriber({ resume, subs: SUBS });
  await back.until(({ caught_up }) => caught_up === true);
  assert.deepEqual(toldOf(back), toldOf(server));
  await before.stop();

  const after = await World.start(t, { data });
  const late = await after.subscriber({ resume, subs: SUBS });
  await liveOfGroup(after, 'second');
  await late.until(isEnd('second'));
  // Members are those that exist: whoever was one then and still exists.
  assert.deepEqual(toldOf(late).slice(0, 5), toldOf(server));
  assert.deepEqual(typesOf(toldOf(late)), [...GROUP_TYPES, ...GROUP_TYPES]);
  const newest = await after.subscriber({ resume, subs: SUBS, conflate: true });
  await newest.until(({ caught_up }) => caught_up === true);
  assert.deepEqual(toldOf(newest), toldOf(late));
  assert.equal(newest.events.length, 2);
});

test('DE9 an export is told of when it ends, with a link that is new each time and lies nowhere', async (t) => {
  const data = await temporary(t);
  const before = await World.start(t, { data });
  await before.upsert({ id: 'ann', name: 'Ann' });
  const server = await before.subscriber({ subs: SUBS });
  const { epoch, seq } = server.frames[0];
  const { task_id } = await post(before, '/export/users', { user_ids: ['ann'] });
  const told = await server.until(({ type }) => type === 'export.users.success');
  assert.deepEqual(Object.keys(told), ['type', 'seq', 'created_at', 'task_id', 'url', 'started_at', 'finished_at', 'sub']);
  assert.equal(told.task_id, task_id);
  assert.ok(told.started_at <= told.finished_at);
  assert.equal(JSON.parse(await (await fetch(told.url)).text()).user.name, 'Ann');
  const now = Date.now() * 1_000;
  const failed = {
    kind: EXPORT_TASK,
    status: 'failed',
    created_at: now,
    updated_at: now,
    error: { type: 'internal', description: 'no room' },
  };
  const changes = [{ kind: 'task', id: 'broken', doc: { id: 'broken', ...failed, status: 'failed' } }] as const;
  await before.daemon.roster.submit({ kind: 'docs', changes }, 'bulk');
  const error = await server.until(({ type }) => type === 'export.users.error');
  assert.deepEqual([error.task_id, error.error, error.url], ['broken', 'no room', undefined]);
  await before.stop();
  const log = await logIn(data);
  assert.ok(log.includes('export.users.success') && !log.includes('sig='));

  // Another port: the old link leads nowhere, the new one to the file.
  const after = await World.start(t, { data });
  const late = await after.subscriber({ resume: { epoch, seq }, subs: SUBS });
  const again = await late.until(({ type }) => type === 'export.users.success');
  assert.deepEqual([again.seq, again.task_id], [told.seq, task_id]);
  assert.ok(again.url.startsWith(after.daemon.url));
  assert.equal((await fetch(again.url)).status, 200);
});

/** What lies in the log of a data directory that nobody has open. */
async function logIn(data: string): Promise<string> {
  const directory = await openDataDirectory(data);
  const stop = new AbortController();
  const facts: unknown[] = [];
  for await (const entry of directory.log.read(directory.log.tail, stop.signal)) {
    facts.push(...entry.facts);
    if (lastSeq(entry) >= directory.log.head.seq) stop.abort();
  }
  await directory.close();
  return JSON.stringify(facts);
}

/** A disk on which every append takes a while, so that an import of a few thousand users takes seconds on any machine. */
function slowStore(data: string, appendMs: number): OpenStore {
  return async (_, onEvent) => {
    const directory = await openDataDirectory(data, { onEvent });
    const log = new Proxy(directory.log, {
      get: (target, key) => {
        const value: unknown = Reflect.get(target, key);
        if (typeof value !== 'function') return value;
        if (key !== 'append') return value.bind(target);
        return async (...args: unknown[]) => {
          await new Promise((resolve) => setTimeout(resolve, appendMs));
          return value.apply(target, args);
        };
      },
    });
    return { ...directory, log, close: () => directory.close() };
  };
}

test('IM14 servers see an import come, each of its states, and at most once a second how far it is', async (t) => {
  const data = await temporary(t);
  const world = await World.start(t, { data, openStore: slowStore(data, 40), clock: fastClock(4) });
  const server = await world.subscriber({ subs: SUBS });
  const client = await world.chat('ann');
  await client.request({ op: 'sub', sub: 'all', all: true, snapshot: false });
  const { path, upload_url } = await post(world, '/import_urls', { filename: 'users.jsonl' });
  const lines = Array.from({ length: 2_000 }, (_, i) => `${JSON.stringify({ type: 'user', item: { id: `u${i}` } })}\n`);
  assert.equal((await fetch(upload_url, { method: 'PUT', body: lines.join('') })).status, 200);
  const { import_task } = await post(world, '/imports', { path, mode: 'upsert' });
  const running = await server.until(({ progress }) => progress?.done > 0 && progress.done < progress.total, 'progress of the import');
  assert.deepEqual([running.import_task.id, running.import_task.state, running.progress.total], [import_task.id, 'importing', 2_000]);
  await server.until(({ type, import_task: told }) => type === 'import.updated' && told.state === 'completed');
  await client.until(({ user }) => user?.id === 'u1999');
  const told = toldOf(server);
  const states = told.map(({ import_task: { state } }) => state);
  assert.deepEqual([...new Set(states)], ['uploaded', 'analyzing', 'analyzed', 'importing', 'completed']);
  assert.deepEqual(told.at(-1).progress, { done: 2_000, total: 2_000 });
  const dones = told.flatMap(({ progress }) => progress?.done ?? []);
  assert.deepEqual(
    dones,
    dones.toSorted((a, b) => a - b),
  );
  // Counted as they are decided, which the disk may delay by one append.
  const times = told
    .filter(({ import_task: { state } }) => state === 'importing')
    .map(({ import_task: task }) => Date.parse(task.updated_at));
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  assert.ok(gaps.length > 0 && gaps.every((gap) => gap >= 900), String(gaps));
  assert.deepEqual(toldOf(client), []);
  const answer = (await world.http('GET', `/imports/${import_task.id}`)).body;
  assert.deepEqual(told.at(-1).import_task, answer.import_task);
});

test('DE10 the client library emits them under their own names, once over a cut, and never as an event about a user', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const { client, cut } = serverClient(t, world.daemon.url);
  const told: DocumentEvent[] = [];
  const users: string[] = [];
  client.on('event', ({ type, user }) => users.push(`${type} ${user.id}`));
  for (const type of ['created', 'updated', 'deleted', 'member_added', 'member_removed'] as const) {
    client.on(`user_group.${type}`, (event) => told.push(event));
  }
  const subscribed = client.subscribe({ sub: 'all', all: true });
  await client.connect();
  await subscribed;
  const ended = (end: string) =>
    new Promise<void>((resolve) => {
      client.on('user.updated', ({ user }) => user.id === 'zoe' && user.name === end && resolve());
    });
  const first = ended('first');
  await liveOfGroup(world, 'first');
  await first;
  cut();
  const second = ended('second');
  await liveOfGroup(world, 'second');
  await second;
  assert.deepEqual(
    told.map(({ type }) => type),
    [...GROUP_TYPES, ...GROUP_TYPES],
  );
  assert.deepEqual(users, ['user.updated ann', 'user.updated zoe', 'user.updated ann', 'user.updated zoe']);
  assert.equal(client.position?.seq, world.daemon.roster.position.seq);
});
