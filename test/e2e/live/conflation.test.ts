/**
 * LV20: who asks for it is told only the newest state of each user among what it missed; who does not, everything.
 * LV21: who cannot go on is told who is gone. LV22: nor can a client go on whose sight changed.
 */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { OpenStore } from '../../../daemon/cli/serve/daemon.ts';
import { openDataDirectory } from '../../../store/data-dir.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { API_KEY, userToken, World } from '../../support/world.ts';

const SUBS = [{ sub: 'all', all: true, snapshot: false }];

/** A position to resume from. */
async function here(world: World): Promise<{ epoch: string; seq: number }> {
  const { frames } = await world.subscriber();
  return { epoch: frames[0].epoch, seq: frames[0].seq };
}

async function resumed(world: World, resume: object, connect: Record<string, unknown> = {}): Promise<LiveClient> {
  const client = await world.subscriber({ resume, subs: SUBS, ...connect });
  await client.until(({ type, caught_up }) => type === 'health.check' && caught_up === true);
  return client;
}

const short = ({ events }: LiveClient): string[] => events.map(({ type, user }) => `${type} ${user.id} ${user.name ?? ''}`.trim());

/** Whether the past is in memory or in the journal only. */
for (const [place, flags] of [
  ['memory', {}],
  ['the journal', { 'history-bytes': '65536' }],
] as const) {
  test(`LV20 the newest state of each user is told once, in order and with its own position (from ${place})`, async (t) => {
    const world = await World.start(t, { flags });
    const resume = await here(world);
    for (let round = 0; round < 30; round++) {
      await world.upsert(
        { id: 'ann', name: `Ann ${round}` },
        { id: 'bob', name: `Bob ${round}` },
        { id: `only${round}`, name: 'x'.repeat(200) },
      );
    }
    await world.upsert({ id: 'ann', name: 'Anna' });
    const every = await resumed(world, resume);
    assert.equal(every.events.length, 91);
    const newest = await resumed(world, resume, { conflate: true });
    assert.equal(newest.events.length, 32);
    const last = new Map(every.events.map((event: Frame) => [event.user.id, event]));
    const expected = [...last.values()].sort((a, b) => a.seq - b.seq);
    // What the events that were left out did is not lost: these users are new to whoever was away.
    assert.deepEqual(
      newest.events,
      expected.map((event) => ({ ...event, created: true })),
    );
    const { seq } = await newest.until(({ caught_up }) => caught_up === true);
    assert.equal(seq, world.daemon.roster.position.seq);
    await world.upsert({ id: 'ann', name: 'Ann 1' }, { id: 'bob', name: 'Bob' });
    await world.upsert({ id: 'ann', name: 'Ann 2' });
    await newest.until(({ user }) => user?.name === 'Ann 2');
    assert.deepEqual(short(newest).slice(32), ['user.updated ann Ann 1', 'user.updated bob Bob', 'user.updated ann Ann 2']);
  });
}

test('LV20 a user that was deleted and made anew, restored, or deleted in the end is told as it is now', async (t) => {
  const world = await World.start(t, { flags: { 'ids-reuse-hard-deleted': 'true' } });
  await world.upsert({ id: 'again', name: 'Old' }, { id: 'back' }, { id: 'gone' });
  const resume = await here(world);
  const remove = (id: string, user: string) =>
    world.http('POST', '/api/v2/users/delete', { user_ids: [id], user, messages: 'hard', conversations: 'hard' });
  await remove('again', 'hard');
  await world.upsert({ id: 'again', name: 'New' });
  await world.upsert({ id: 'again', name: 'Newer' });
  await remove('back', 'soft');
  await world.http('POST', '/api/v2/users/restore', { user_ids: ['back'] });
  await world.upsert({ id: 'back', name: 'Back' });
  await world.upsert({ id: 'gone', name: 'Going' }, { id: 'brief' });
  await remove('gone', 'soft');
  await remove('brief', 'hard');
  const newest = await resumed(world, resume, { conflate: true });
  assert.deepEqual(short(newest), ['user.updated again Newer', 'user.updated back Back', 'user.deleted gone Going', 'user.deleted brief']);
  const [again, back, gone, brief] = newest.events;
  assert.deepEqual([again.created, back.restored, back.created], [true, true, undefined]);
  assert.deepEqual([gone.hard_delete, brief.hard_delete, brief.created], [false, true, undefined]);
  const every = await resumed(world, resume);
  assert.equal(every.events.length, 10);
});

test('LV20 moderation and custom events are told each, and no state is taken past them', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'mod', role: 'admin' });
  const resume = await here(world);
  const rename = async (...names: string[]): Promise<void> => {
    for (const name of names) await world.upsert({ id: 'ann', name });
  };
  await rename('A', 'B');
  await world.http('POST', '/users/ann/event', { event: { type: 'nudge', n: 1 } });
  await world.http('POST', '/users/ann/event', { event: { type: 'nudge', n: 2 } });
  await rename('C', 'D');
  await world.http('POST', '/api/v2/moderation/ban', { target_user_id: 'ann', banned_by_id: 'mod' });
  await world.http('POST', '/api/v2/moderation/unban?target_user_id=ann', { unbanned_by_id: 'mod' });
  await rename('E', 'F');
  const newest = await resumed(world, resume, { conflate: true });
  const told = newest.frames
    .filter(({ user }) => user !== undefined)
    .map(({ type, user, custom }) => `${type} ${user.name} ${custom?.n ?? ''}`.trim());
  assert.deepEqual(told, [
    'user.updated B',
    'nudge B 1',
    'nudge B 2',
    'user.updated D',
    'user.banned D',
    'user.unbanned D',
    'user.updated F',
  ]);
});

test('LV20 entering and leaving is told over everything that was missed', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann', teams: ['red'] }, { id: 'bob', teams: ['red'] }, { id: 'carl' }, { id: 'dora' });
  const resume = await here(world);
  const moves: readonly [string, readonly string[]][] = [
    ['ann', []],
    ['ann', ['blue']],
    ['bob', []],
    ['bob', ['red']],
    ['carl', ['red']],
    ['carl', ['red', 'blue']],
    ['dora', ['red']],
    ['dora', []],
  ];
  for (const [id, teams] of moves) await world.upsert({ id, teams: [...teams] });
  const subs = [
    { sub: 'red', teams: ['red'], snapshot: false },
    { sub: 'green', teams: ['green'], snapshot: false },
  ];
  const newest = await resumed(world, resume, { subs, conflate: true });
  assert.deepEqual(
    newest.events.map(({ user, match, sub }) => [user.id, match, sub]),
    [
      ['ann', 'leave', ['red']],
      ['bob', 'stay', ['red']],
      ['carl', 'enter', ['red']],
    ],
  );
});

/** A daemon that has lost the past before its start: it goes on in the same epoch, from a snapshot. */
async function forgetful(t: TestContext, data: string): Promise<World> {
  const openStore: OpenStore = async (_, onEvent) => {
    const directory = await openDataDirectory(data, { onEvent });
    const tail = directory.log.head.seq;
    const log = new Proxy(directory.log, {
      get: (target, key) => {
        const value: unknown = key === 'tail' ? tail : Reflect.get(target, key);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    return { ...directory, log, close: () => directory.close() };
  };
  return await World.start(t, { data, openStore });
}

test('LV21 a copy that cannot be continued from is told who was deleted since, as far as that is known', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const before = await World.start(t, { data });
  await before.upsert({ id: 'early' }, { id: 'soft', teams: ['red'] }, { id: 'hard' }, { id: 'pruned' }, { id: 'ann', teams: ['red'] });
  await before.http('DELETE', '/users/early');
  const resume = await here(before);
  await before.http('DELETE', '/users/soft');
  await before.http('DELETE', '/users/hard?hard_delete=true');
  await before.http('POST', '/api/v2/users/delete', { user_ids: ['pruned'], user: 'pruning' });
  await before.stop();

  const world = await forgetful(t, data);
  const subs = [
    { sub: 'all', all: true },
    { sub: 'some', ids: ['ann', 'early', 'hard', 'never'] },
  ];
  const server = await world.subscriber({ resume, subs });
  assert.equal(server.frames[0].resumed, false);
  const page = (client: LiveClient, name: string): Promise<Frame> => client.until(({ sub, users }) => sub === name && users !== undefined);
  assert.deepEqual([...(await page(server, 'all')).gone].sort(), ['hard', 'pruned', 'soft']);
  assert.deepEqual((await page(server, 'some')).gone, ['hard']);

  const fresh = await world.subscriber({ subs });
  assert.equal((await page(fresh, 'all')).gone, undefined, 'who has no copy asks for nothing');
  const other = await world.subscriber({ resume: { ...resume, epoch: 'another' }, subs });
  assert.equal((await page(other, 'all')).gone, undefined, 'positions of another epoch say nothing');

  await world.http('PATCH', '/app', { multi_tenant_enabled: true });
  const ann = await world.chat('ann', {}, { resume, subs: [{ sub: 'all', all: true }] });
  assert.deepEqual((await page(ann, 'all')).gone, ['soft'], 'within the walls of its teams');
});

test('LV21 more than a page of deleted users is not listed', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const before = await World.start(t, { data });
  const ids = Array.from({ length: 1_001 }, (_, n) => `u${n}`);
  const inHundreds = ids.flatMap((_, n) => (n % 100 === 0 ? [ids.slice(n, n + 100)] : []));
  for (const some of inHundreds) await before.upsert(...some.map((id) => ({ id })));
  const resume = await here(before);
  const forGood = { user: 'hard', messages: 'hard', conversations: 'hard' };
  for (const some of inHundreds) await before.http('POST', '/api/v2/users/delete', { user_ids: some, ...forGood });
  await before.upsert({ id: 'ann' });
  await before.stop();
  const world = await forgetful(t, data);
  const server = await world.subscriber({ resume, subs: [{ sub: 'all', all: true }] });
  const { users, gone } = await server.until(({ users }) => users !== undefined);
  assert.deepEqual([users.length, gone], [1, undefined]);
});

test('LV22 where teams are walls, a client whose teams changed while it was away begins anew', async (t) => {
  const world = await World.start(t);
  await world.http('PATCH', '/app', { multi_tenant_enabled: true });
  await world.upsert({ id: 'ann', teams: ['red'] }, { id: 'bob', teams: ['red'] }, { id: 'carl', teams: ['blue'] });
  const subs = [{ sub: 'all', all: true }];
  const again = async (resume: object): Promise<LiveClient> => await world.chat('ann', {}, { resume, subs });
  const first = await world.chat('ann', {}, { subs });
  const { epoch, seq } = first.frames[0];
  assert.equal((await again({ epoch, seq })).frames[0].resumed, true);
  await world.upsert({ id: 'carl', name: 'Carl', teams: ['blue'] });
  assert.equal((await again({ epoch, seq })).frames[0].resumed, true);
  await world.upsert({ id: 'ann', teams: ['blue'] });
  const moved = await again({ epoch, seq });
  assert.equal(moved.frames[0].resumed, false);
  const snapshot = await moved.until(({ users }) => users !== undefined);
  assert.deepEqual(snapshot.users.map(({ id }: Frame) => id).sort(), ['ann', 'carl']);

  const position = world.daemon.roster.position;
  assert.equal((await again(position)).frames[0].resumed, true);
  await world.http('PATCH', '/app', { multi_tenant_enabled: false });
  assert.equal((await again(position)).frames[0].resumed, false, 'there are no walls any more');
  assert.equal((await again(world.daemon.roster.position)).frames[0].resumed, true);
  const server = await world.subscriber({ resume: position, subs });
  assert.equal(server.frames[0].resumed, true, 'servers see everyone all the time');
});

test('LV22 who is not signed in sees only users without a team', async (t) => {
  const world = await World.start(t);
  await world.http('PATCH', '/app', { multi_tenant_enabled: true });
  await world.upsert({ id: 'ann', teams: ['red'] }, { id: 'dora' });
  const anonymous = await world.open();
  await anonymous.request({ op: 'connect', api_key: API_KEY, token: userToken('!anon') });
  const { users } = await anonymous.request({ op: 'sub', sub: 'some', ids: ['ann', 'dora'] });
  assert.deepEqual(
    users.map(({ id }: Frame) => id),
    ['dora'],
  );
});
