/** LV40–LV44, LV47, LV48: a client's subscriptions show what its queries would find, and end when it may find others. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const ids = (users: readonly { id: string }[]): string[] => users.map(({ id }) => id).sort();
const named = (id: string) => (frame: Frame) => frame.user?.id === id;
const isReset = ({ type }: Frame): boolean => type === 'sub.reset';

async function settings(world: World, app: object): Promise<void> {
  assert.equal((await world.http('PATCH', '/api/v2/app', app)).status, 200);
}

async function anonymous(world: World, connect: object = {}): Promise<LiveClient> {
  const client = await world.open();
  await client.request({ op: 'connect', api_key: API_KEY, token: userToken('!anon'), ...connect });
  return client;
}

/** What the client's own query finds, which is what its subscriptions must show. */
async function found(world: World, id: string): Promise<string[]> {
  const payload = encodeURIComponent('{"filter_conditions":{}}');
  return ids((await world.http('GET', `/api/v2/users?payload=${payload}`, undefined, userToken(id))).body.users);
}

/** A role that may not search. */
async function weakRole(world: World): Promise<void> {
  await world.http('POST', '/roles', { name: 'weak' });
  await settings(world, { grants: { weak: ['update-user-owner'] } });
}

/** Everything that was published before has been handed to the client. */
async function settled(world: World, client: LiveClient): Promise<void> {
  const { seq } = world.daemon.roster.position;
  while ((await client.request({ op: 'ping' })).seq < seq);
}

test('LV40 an anonymous connection goes behind the walls, too, when they are put up', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob', teams: ['red'] }, { id: 'dora' });
  const before = await anonymous(world);
  const sub = { op: 'sub', sub: 'some', ids: ['bob', 'dora'] };
  assert.deepEqual(ids((await before.request(sub)).users), ['bob', 'dora']);
  await settings(world, { multi_tenant_enabled: true });
  assert.equal((await before.until(isReset)).sub, 'some');
  await world.upsert({ id: 'bob', name: 'Secret of red', teams: ['red'] });
  assert.deepEqual(ids((await before.request(sub)).users), ['dora']);
  await settled(world, before);
  assert.ok(!JSON.stringify(before.frames).includes('Secret of red'));
});

test('LV41 subscriptions to everyone, teams and filters show no role that the application hides; ids do', async (t) => {
  const world = await World.start(t);
  await settings(world, { user_search_disallowed_roles: ['admin'] });
  await world.upsert({ id: 'ann' }, { id: 'bob', teams: ['red'] }, { id: 'mod', role: 'admin', teams: ['red'] });
  const ann = await world.chat('ann');
  assert.deepEqual(await found(world, 'ann'), ['ann', 'bob']);
  const all = await ann.request({ op: 'sub', sub: 'all', all: true });
  assert.deepEqual([ids(all.users), all.total], [['ann', 'bob'], undefined], 'nor does it say how many there are');
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'red', teams: ['red'] })).users), ['bob']);
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'admins', filter: { role: 'admin' } })).users), []);
  await world.upsert({ id: 'mod', name: 'Mod', role: 'admin', teams: ['red'] });
  await settled(world, ann);
  assert.ok(!ann.frames.some(named('mod')));
  assert.deepEqual(ids((await ann.request({ op: 'sub', sub: 'named', ids: ['mod'] })).users), ['mod']);
  const server = await world.subscriber();
  assert.deepEqual(ids((await server.request({ op: 'sub', sub: 'all', all: true })).users), ['ann', 'bob', 'mod']);
});

test('LV41 who gets a hidden role leaves the sight of clients', async (t) => {
  const world = await World.start(t);
  await settings(world, { user_search_disallowed_roles: ['admin'] });
  await world.upsert({ id: 'ann' }, { id: 'bob' });
  const ann = await world.chat('ann');
  await ann.request({ op: 'sub', sub: 'all', all: true });
  await world.upsert({ id: 'bob', role: 'admin', name: 'Now an admin' });
  assert.deepEqual((await ann.until(({ type }) => type === 'user.hidden')).user, { id: 'bob' });
  await world.upsert({ id: 'bob', role: 'user', name: 'Bob again' });
  await ann.until(({ user }) => user?.name === 'Bob again');
  assert.ok(!JSON.stringify(ann.frames).includes('Now an admin'));
});

test('LV41 where teams are walls, only the teams in which the client may search are shown', async (t) => {
  const world = await World.start(t);
  await weakRole(world);
  await settings(world, { multi_tenant_enabled: true });
  await world.upsert(
    { id: 'dan', teams: ['red', 'blue'], teams_role: { red: 'user', blue: 'weak' } },
    { id: 'rex', teams: ['red'] },
    { id: 'blu', teams: ['blue'] },
  );
  const dan = await world.chat('dan');
  assert.deepEqual(await found(world, 'dan'), ['dan', 'rex']);
  assert.deepEqual(ids((await dan.request({ op: 'sub', sub: 'all', all: true })).users), ['dan', 'rex']);
  assert.deepEqual(ids((await dan.request({ op: 'sub', sub: 'blue', teams: ['blue'] })).users), ['dan']);
  await world.upsert({ id: 'blu', name: 'Blu', teams: ['blue'] });
  await settled(world, dan);
  assert.ok(!dan.frames.some(named('blu')));
  assert.deepEqual(ids((await dan.request({ op: 'sub', sub: 'named', ids: ['blu', 'rex'] })).users), ['blu', 'rex']);
  // The role in a team is given later: only what it decides begins anew.
  await world.upsert({ id: 'dan', teams: ['red', 'blue'], teams_role: { red: 'user', blue: 'user' } });
  await settled(world, dan);
  assert.deepEqual(
    dan.frames
      .filter(isReset)
      .map(({ sub }) => sub)
      .sort(),
    ['all', 'blue'],
  );
  assert.deepEqual(ids((await dan.request({ op: 'sub', sub: 'all', all: true })).users), ['blu', 'dan', 'rex']);
});

test('LV42 MD4 a client cannot ask live for shadow bans; a server can', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'mod', role: 'admin' }, { id: 'ann' }, { id: 'bob' });
  await world.http('POST', '/api/v2/moderation/ban', { target_user_id: 'bob', banned_by_id: 'mod', shadow: true });
  const ann = await world.chat('ann');
  for (const filter of [{ shadow_banned: true }, { $or: [{ role: 'x' }, { $nor: [{ shadow_banned: false }] }] }]) {
    await assert.rejects(ann.request({ op: 'sub', sub: 's', filter }), /shadow_banned: cannot be used by a client/);
  }
  const resuming = await world.open();
  const subs = [{ sub: 's', filter: { shadow_banned: true } }];
  await assert.rejects(resuming.request({ op: 'connect', api_key: API_KEY, token: userToken('ann'), subs }));
  const server = await world.subscriber();
  assert.deepEqual(ids((await server.request({ op: 'sub', sub: 's', filter: { shadow_banned: true } })).users), ['bob']);
});

test('LV43 who loses search-user with its role keeps only what it named by id', async (t) => {
  const world = await World.start(t);
  await weakRole(world);
  await world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'carl' });
  const ann = await world.chat('ann');
  await ann.request({ op: 'sub', sub: 'all', all: true });
  await ann.request({ op: 'sub', sub: 'bob', ids: ['bob'] });
  await world.upsert({ id: 'ann', role: 'admin' });
  await settled(world, ann);
  assert.deepEqual(ann.frames.filter(isReset), [], 'another role that finds the same changes nothing');
  await world.upsert({ id: 'ann', role: 'weak' });
  assert.equal((await ann.until(isReset)).sub, 'all');
  await world.upsert({ id: 'bob', name: 'Bob' }, { id: 'carl', name: 'Carl' });
  await ann.until(({ user }) => user?.name === 'Bob');
  await settled(world, ann);
  assert.ok(!ann.frames.some(named('carl')));
  assert.equal(ann.frames.filter(isReset).length, 1);
  await assert.rejects(ann.request({ op: 'sub', sub: 'all', all: true }), /SearchUser/);
});

test('LV43 so it is when the grants, the checks or the hidden roles change', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' }, { id: 'mod', role: 'admin' });
  const ann = await world.chat('ann');
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const subscribe = async (): Promise<string[]> => ids((await ann.request({ op: 'sub', sub: 'all', all: true })).users);
  const change = async (app: object): Promise<void> => {
    const reset = ann.next(isReset);
    await settings(world, app);
    assert.equal((await reset).sub, 'all');
  };
  assert.deepEqual(await subscribe(), ['ann', 'mod']);
  await settings(world, { grants: { admin: ['search-user'] } });
  await change({ user_search_disallowed_roles: ['admin'] });
  assert.deepEqual(await subscribe(), ['ann']);
  await change({ grants: { user: ['update-user-owner'] } });
  await assert.rejects(subscribe(), /SearchUser/);
  await settings(world, { disable_permissions_checks: true });
  assert.deepEqual(await subscribe(), ['ann']);
  await change({ disable_permissions_checks: false });
  assert.equal(ann.frames.filter(isReset).length, 3, 'the grants of another role are nothing to it');
  assert.equal(server.frames.filter(isReset).length, 0);
});

test('LV44 nobody is named to a client that was never in its sight, however it comes back', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const first = await World.start(t, { data });
  await settings(first, { multi_tenant_enabled: true });
  await first.upsert({ id: 'ann', teams: ['red'] });
  await (await first.chat('ann')).request({ op: 'ping' });
  const ann = await first.chat('ann');
  const { epoch, seq } = ann.frames[0];
  await first.upsert({ id: 'secret-customer', teams: ['blue'] }, { id: 'rex', teams: ['red'] });
  const subs = [{ sub: 'all', all: true }];
  const connect = { op: 'connect', api_key: API_KEY, resume: { epoch, seq }, subs };
  const near = await first.open();
  assert.equal((await near.request({ ...connect, token: userToken('ann') })).resumed, true, 'from memory it goes on');
  await near.until(named('rex'));
  await first.stop();
  const second = await World.start(t, { data });
  const far = await second.open();
  assert.equal((await far.request({ ...connect, token: userToken('ann') })).resumed, false);
  assert.deepEqual(ids((await far.until(({ sub, users }) => sub === 'all' && users !== undefined)).users), ['ann', 'rex']);
  for (const client of [near, far]) assert.ok(!JSON.stringify(client.frames).includes('secret-customer'));
  const server = await second.open();
  assert.equal((await server.request({ ...connect, token: serverToken() })).resumed, true, 'servers see everyone');
});

test('LV44 a reader behind walls that fell behind what is in memory is closed with 4013 and not fed from the log', {
  timeout: 30_000,
}, async (t) => {
  const world = await World.start(t, { flags: { 'outbox-bytes-max': '64KiB', 'history-bytes': '64KiB' } });
  await settings(world, { multi_tenant_enabled: true });
  await world.upsert({ id: 'ann', teams: ['red'] });
  const ann = await world.chat('ann');
  await ann.request({ op: 'sub', sub: 'all', all: true });
  ann.ws.pause();
  const crowd = Array.from({ length: 100 }, (_, n) => ({ id: `r${n}`, teams: ['red'], custom: { pad: 'x'.repeat(4_000) } }));
  for (let round = 0; world.daemon.roster.hub.stats.fellBehind === 0; round++) {
    assert.ok(round < 100, 'the reader never fell behind');
    await world.upsert(...crowd.map((user) => ({ ...user, name: `${round}` })));
  }
  await world.upsert({ id: 'secret-customer', teams: ['blue'] }, ...crowd.slice(1));
  ann.ws.resume();
  assert.equal((await ann.closed).code, 4013);
  assert.ok(!JSON.stringify(ann.frames).includes('secret-customer'));
});

/** Makes every snapshot take about a second, in which the daemon does other things. Resolves when the first one begins. */
function slowSnapshots({ daemon: { roster } }: World): Promise<void> {
  const freeze = roster.freeze.bind(roster);
  let begun = (): void => {};
  const beginning = new Promise<void>((resolve) => {
    begun = resolve;
  });
  roster.freeze = () => {
    const view = freeze();
    begun();
    return {
      position: view.position,
      size: view.size,
      record: (id) => view.record(id),
      user: (id) => view.user(id),
      users: () => view.users(),
      release: () => view.release(),
      records: () => view.records(),
      *scan() {
        yield* view.scan();
        const [filler] = view.records();
        for (let n = 0; filler !== undefined && n < 50 * 256; n++) {
          const untilMs = performance.now() + (n % 256 === 0 ? 20 : 0);
          while (performance.now() < untilMs);
          yield filler;
        }
      },
    };
  };
  return beginning;
}

test('LV47 a snapshot that is being made when its owner loses sight of it is not shown', async (t) => {
  const world = await World.start(t);
  await weakRole(world);
  await world.upsert({ id: 'ann' }, { id: 'bob', name: 'Bob' });
  const ann = await world.chat('ann');
  const begun = slowSnapshots(world);
  const asked = ann.request({ op: 'sub', sub: 'bobs', filter: { name: 'Bob' } });
  const refused = assert.rejects(asked, /ended with sub\.reset/);
  await begun;
  await world.upsert({ id: 'ann', role: 'weak' });
  await refused;
  assert.equal((await ann.until(isReset)).sub, 'bobs');
  assert.ok(!ann.frames.some(({ users }) => users !== undefined));
  await assert.rejects(ann.request({ op: 'page', sub: 'bobs', more: 'x' }), /there is no such page/);
});

test('LV48 what is refused between a connect and its turn ends with sub.reset; the subscriptions after it begin', async (t) => {
  const world = await World.start(t);
  await weakRole(world);
  await world.upsert({ id: 'ann' }, { id: 'bob', name: 'Bob' });
  const begun = slowSnapshots(world);
  const subs = [
    { sub: 'bobs', filter: { name: 'Bob' } },
    { sub: 'reds', teams: ['red'] },
    { sub: 'some', ids: ['bob'] },
  ];
  const ann = await world.chat('ann', {}, { subs });
  await begun;
  await world.upsert({ id: 'ann', role: 'weak' });
  const some = await ann.until(({ sub, users }) => sub === 'some' && users !== undefined);
  assert.deepEqual(ids(some.users), ['bob']);
  assert.deepEqual(
    ann.frames.filter(isReset).map(({ sub }) => sub),
    ['bobs', 'reds'],
  );
  assert.ok(!ann.frames.some(({ error }) => error !== undefined));
});
