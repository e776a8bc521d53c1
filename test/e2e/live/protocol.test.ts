/** The live protocol against a real daemon: rules LV1–LV9 of protocol/README.md. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { HEARTBEAT } from '../../../daemon/edge/live/session/heartbeat.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { API_KEY, userToken, World } from '../../support/world.ts';

test('LV1 the first frame must be connect', async (t) => {
  const world = await World.start(t);
  const client = await world.open();
  client.send({ op: 'ping', id: 1 });
  const error = await client.until((frame) => frame.type === 'connection.error');
  assert.equal(error.error.code, 4);
  assert.match(error.error.message, /first frame must be connect/);
  assert.equal((await client.closed).code, 4400);
});

test('LV1 frames that are not of the protocol end the connection with 4400 and say why', async (t) => {
  const world = await World.start(t);
  const cases: readonly [unknown, RegExp][] = [
    ['{"op":', /not JSON/],
    ['[1]', /JSON object/],
    [{ op: 'nonsense' }, /op: must be one of/],
    [{ op: 'connect', api_key: 7 }, /api_key|token/],
    [Buffer.from('{"op":"ping"}'), /binary/],
  ];
  for (const [frame, reason] of cases) {
    const client = await world.open();
    client.send(frame);
    const error = await client.until((candidate) => candidate.type === 'connection.error');
    assert.match(error.error.message, reason);
    assert.equal((await client.closed).code, 4400);
  }
});

test('LV1 a frame of 64 KiB passes and one byte more closes with 1009', async (t) => {
  const world = await World.start(t);
  const client = await world.subscriber();
  const frame = (bytes: number): string => {
    const empty = JSON.stringify({ op: 'ping', id: 'x', pad: '' });
    return JSON.stringify({ op: 'ping', id: 'x', pad: 'a'.repeat(bytes - empty.length) });
  };
  client.send(frame(LIMITS.frameBytes));
  await client.until(({ re }) => re === 'x');
  client.send(frame(LIMITS.frameBytes + 1));
  assert.equal((await client.closed).code, 1009);
  assert.equal((await world.http('GET', '/healthz')).status, 200);
});

test('LV1 a socket without a connect frame is closed with 4408 after ten seconds', async (t) => {
  assert.deepEqual([LIMITS.connectTimeoutMs, HEARTBEAT.connectMs], [10_000, 10_000]);
  const connectMs = 500;
  const world = await World.start(t, { heartbeat: { connectMs } });
  const openedMs = performance.now();
  const client = await world.open();
  assert.equal((await client.closed).code, 4408);
  assert.ok(performance.now() - openedMs >= connectMs - 50);
});

test('LV2 connect creates the user, and a subscriber is told with created: true', async (t) => {
  const world = await World.start(t);
  const subscriber = await world.subscriber();
  const sub = await subscriber.request({ op: 'sub', sub: 'all', all: true });
  assert.deepEqual(sub.users, []);
  const client = await world.chat('ann', { name: 'Ann', color: 'blue', custom: { book: 'dune' } });
  const ok = client.frames[0];
  assert.equal(ok.type, 'connection.ok');
  assert.equal(ok.resumed, false);
  assert.equal(ok.me.role, 'user');
  assert.equal(ok.me.name, 'Ann');
  assert.deepEqual(ok.me.custom, { color: 'blue', book: 'dune' });
  const event = await subscriber.until(({ type }) => type === 'user.updated');
  assert.equal(event.created, true);
  assert.equal(event.seq, event.user.rev);
  assert.ok(event.seq > sub.seq);
  assert.deepEqual(event.sub, ['all']);
  assert.equal(event.user.id, 'ann');
  assert.match(event.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
});

test('LV3 connect merges: it changes the keys sent, removes nothing and repeats no event', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann', name: 'Ann', role: 'admin', custom: { color: 'blue', size: 1 } });
  const subscriber = await world.subscriber();
  await subscriber.request({ op: 'sub', sub: 'all', all: true, snapshot: false });
  const first = await world.chat('ann', { color: 'red' });
  assert.deepEqual(first.frames[0].me.custom, { color: 'red', size: 1 });
  assert.equal(first.frames[0].me.role, 'admin');
  const second = await world.chat('ann', { color: 'red' });
  assert.equal(second.frames[0].me.rev, first.frames[0].me.rev, 'a merge that changes nothing gives no new revision');
  await world.upsert({ id: 'mark' });
  await subscriber.until(({ user }) => user?.id === 'mark');
  assert.deepEqual(
    subscriber.events.map(({ user }) => user.id),
    ['ann', 'mark'],
  );
});

test('LV3 a role that differs is refused with code 17 and 4403, the same role is accepted', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'root', role: 'admin' });
  await world.chat('root', { role: 'admin' });
  for (const [id, role, stored] of [
    ['root', 'user', 'admin'],
    ['new', 'admin', 'user'],
  ]) {
    const client = await world.open();
    client.send({ op: 'connect', id: 1, api_key: API_KEY, token: userToken(id ?? ''), user: { id, role } });
    const refusal = await client.until(({ type }) => type === 'connection.error');
    assert.equal(refusal.error.code, 17);
    assert.match(refusal.error.message, new RegExp(`User '${id}' with role '${stored}' is not allowed to perform action UpdateUserRole`));
    assert.equal((await client.closed).code, 4403);
  }
  assert.equal(world.daemon.roster.directory.user('new'), undefined);
});

test('LV3 connect.role keep: the stored role stays and a warning is given', async (t) => {
  const world = await World.start(t, { flags: { 'connect-role': 'keep' } });
  const client = await world.chat('ann', { role: 'admin' });
  assert.deepEqual(client.frames[0].warnings, ['role']);
  assert.equal(client.frames[0].me.role, 'user');
});

test('LV4 a stale reconnect does not roll back what was changed meanwhile', async (t) => {
  const world = await World.start(t);
  const phone = { name: 'Old name', color: 'blue' };
  await world.chat('ann', phone);
  await world.http('PATCH', '/api/v2/users', { users: [{ id: 'ann', set: { name: 'New name', size: 2 } }] });
  const again = await world.chat('ann', phone);
  assert.equal(again.frames[0].me.name, 'New name');
  const edited = await world.chat('ann', { ...phone, color: 'green' });
  assert.equal(edited.frames[0].me.name, 'New name', 'only the key that the phone changed is written');
  assert.deepEqual(edited.frames[0].me.custom, { color: 'green', size: 2 });
});

test('LV4 several phones with stale details roll back nothing, over a restart from a snapshot and one from the journal', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const phones = [{ name: 'A', color: 'red' }, { name: 'B', color: 'blue' }, { name: 'C' }];
  let world = await World.start(t, { data });
  for (const phone of phones) await world.chat('ann', phone);
  await world.http('PATCH', '/api/v2/users', { users: [{ id: 'ann', set: { name: 'Server', color: 'green' } }] });
  for (const step of ['the same daemon', 'the journal', 'a snapshot']) {
    const watcher = await world.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
    for (const phone of phones) {
      const { me } = (await world.chat('ann', phone)).frames[0];
      assert.deepEqual([me.name, me.custom], ['Server', { color: 'green' }], step);
    }
    await world.upsert({ id: `mark ${step}`.replaceAll(' ', '-') });
    await watcher.until(({ user }) => user?.id.startsWith('mark') === true);
    assert.equal(watcher.events.length, 1, 'no reconnect is an event');
    await world.stop();
    // Without its snapshot, the next daemon reads the journal from the beginning.
    if (step === 'the same daemon') await rm(join(data, 'snapshot'), { recursive: true });
    world = await World.start(t, { data });
  }
});

test('LV4 connect.guard merge writes everything that is sent', async (t) => {
  const world = await World.start(t, { flags: { 'connect-guard': 'merge' } });
  await world.chat('ann', { name: 'Old name' });
  await world.http('PATCH', '/api/v2/users', { users: [{ id: 'ann', set: { name: 'New name' } }] });
  assert.equal((await world.chat('ann', { name: 'Old name' })).frames[0].me.name, 'Old name');
});

test('LV5 a chat client hears of itself and of the users it watches; more is for those who may search', async (t) => {
  const world = await World.start(t);
  await world.http('PATCH', '/app', { grants: { user: ['update-user-owner'] } });
  const ann = await world.chat('ann');
  await ann.request({ op: 'sub', sub: 'friends', ids: ['bob'] });
  for (const want of [{ all: true }, { teams: ['red'] }, { filter: { role: 'user' } }]) {
    await assert.rejects(ann.request({ op: 'sub', sub: 'x', ...want }), (error: { body: { code: number } }) => error.body.code === 17);
  }
  await world.upsert({ id: 'bob', name: 'Bob' }, { id: 'carl' }, { id: 'ann', name: 'Ann' });
  await ann.until(({ user }) => user?.id === 'ann' && user.name === 'Ann');
  assert.deepEqual(
    ann.events.map(({ user, sub }) => [user.id, sub]),
    [
      ['bob', ['friends']],
      ['ann', undefined],
    ],
  );
});

test('LV6 subscriptions by id, team and filter tell what enters, stays and leaves', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann', teams: ['red'], custom: { level: 5 } }, { id: 'bob', teams: ['blue'], custom: { level: 1 } });
  const client = await world.subscriber();
  const byFilter = await client.request({ op: 'sub', sub: 'high', filter: { level: { $gte: 3 } } });
  assert.deepEqual(
    byFilter.users.map(({ id }: { id: string }) => id),
    ['ann'],
  );
  const byTeam = await client.request({ op: 'sub', sub: 'blues', teams: ['blue'] });
  assert.equal(byTeam.users.length, 1);
  await world.upsert({ id: 'bob', custom: { level: 4 } });
  await world.upsert({ id: 'ann', custom: { level: 6 } });
  await world.upsert({ id: 'ann', custom: { level: 0 } });
  await world.upsert({ id: 'ann', custom: { level: 0, seen: true } });
  await world.http('DELETE', '/users/bob');
  await client.until(({ type }) => type === 'user.deleted');
  assert.deepEqual(
    client.events.map(({ user, sub, match }) => [user.id, sub, match]),
    [
      ['bob', ['high', 'blues'], 'stay'],
      ['ann', ['high'], 'stay'],
      ['ann', ['high'], 'leave'],
      ['bob', ['high', 'blues'], 'leave'],
    ],
  );
});

test('LV7 a snapshot is paged at one position, and the tail follows it without gap', async (t) => {
  const world = await World.start(t);
  for (let page = 0; page < 3; page++) {
    await world.upsert(...Array.from({ length: 100 }, (_, i) => ({ id: `u${page * 100 + i}`, custom: { n: 0 } })));
  }
  const client = await world.subscriber();
  let answer = await client.request({ op: 'sub', sub: 'all', all: true, limit: 70 });
  const { seq } = answer;
  assert.equal(answer.total, 300);
  const copy = new Map<string, { rev: number; custom: { n: number } }>();
  for (let changed = 0; ; changed++) {
    for (const user of answer.users) {
      assert.ok(user.rev <= seq, 'a page shows the state at the position of the snapshot');
      assert.equal(user.custom.n, 0);
      assert.ok(!copy.has(user.id));
      copy.set(user.id, user);
    }
    if (answer.more === undefined) break;
    await world.upsert({ id: `u${changed}`, custom: { n: 1 } }, { id: `u${299 - changed}`, custom: { n: 2 } }, { id: `new${changed}` });
    answer = await client.request({ op: 'page', sub: 'all', more: answer.more });
    assert.equal(answer.seq, seq);
  }
  assert.equal(copy.size, 300);
  await world.upsert({ id: 'last' });
  await client.until(({ user }) => user?.id === 'last');
  for (const { user } of client.events) copy.set(user.id, user);
  const actual = new Map([...world.daemon.roster.directory.users()].map((user) => [user.id, user.rev]));
  assert.deepEqual(new Map([...copy].map(([id, { rev }]) => [id, rev])), actual);
});

test('LV62 a page with long users ends early, and the pages together hold every user once', async (t) => {
  const world = await World.start(t);
  for (let batch = 0; batch < 2; batch++) {
    await world.upsert(...Array.from({ length: 100 }, (_, i) => ({ id: `long${batch * 100 + i}`, custom: { bio: 'x'.repeat(9_000) } })));
  }
  await world.upsert(...Array.from({ length: 100 }, (_, i) => ({ id: `short${i}` })));
  const client = await world.subscriber();
  let answer = await client.request({ op: 'sub', sub: 'all', all: true });
  const ids: string[] = [];
  for (;;) {
    assert.ok(JSON.stringify(answer).length < 700_000);
    ids.push(...answer.users.map(({ id }: { id: string }) => id));
    if (answer.more === undefined) break;
    assert.ok(answer.users.length >= 50, 'a page is no shorter than need be');
    answer = await client.request({ op: 'page', sub: 'all', more: answer.more });
  }
  assert.equal(ids.length, 300);
  assert.equal(new Set(ids).size, 300);
});

test('LV8 resume continues exactly after the last event seen, also inside a batch', async (t) => {
  const world = await World.start(t);
  const before = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  await world.upsert(...Array.from({ length: 100 }, (_, i) => ({ id: `u${i}` })));
  const cutAt = (await before.until(({ user }) => user?.id === 'u36')).seq;
  const { epoch } = before.frames[0];
  before.terminate();
  await world.upsert({ id: 'u36', name: 'changed' });

  const after = await world.subscriber({ resume: { epoch, seq: cutAt }, subs: [{ sub: 'all', all: true }] });
  assert.equal(after.frames[0].resumed, true);
  const caughtUp = await after.until(({ caught_up }) => caught_up === true);
  assert.deepEqual(
    after.events.map(({ user }) => user.id),
    [...Array.from({ length: 63 }, (_, i) => `u${i + 37}`), 'u36'],
  );
  assert.equal(caughtUp.seq, after.events.at(-1).seq);
});

test('LV8 a subscription that is named only after a resumed connect misses nothing either', async (t) => {
  const world = await World.start(t);
  const first = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  await world.upsert({ id: 'ann' });
  const { seq } = await first.until(({ user }) => user?.id === 'ann');
  first.terminate();
  await world.upsert({ id: 'bob' });
  const second = await world.subscriber({ resume: { epoch: first.frames[0].epoch, seq } });
  await second.request({ op: 'sub', sub: 'all', all: true, snapshot: false });
  await world.upsert({ id: 'carl' });
  await second.until(({ user }) => user?.id === 'carl');
  assert.deepEqual(
    second.events.map(({ user }) => user.id),
    ['bob', 'carl'],
  );
});

test('LV8 resume goes on over a restart of the daemon, from the journal', async (t) => {
  const first = await World.start(t);
  const client = await first.subscriber({ subs: [{ sub: 'all', all: true }] });
  await first.upsert({ id: 'ann' }, { id: 'bob' });
  const { seq } = await client.until(({ user }) => user?.id === 'ann');
  const { epoch } = client.frames[0];
  client.terminate();
  await first.upsert({ id: 'carl' });
  await first.stop();

  const second = await World.start(t, { data: first.data });
  const resumed = await second.subscriber({ resume: { epoch, seq }, subs: [{ sub: 'all', all: true }] });
  assert.equal(resumed.frames[0].resumed, true);
  await resumed.until(({ caught_up }) => caught_up === true);
  assert.deepEqual(
    resumed.events.map(({ user }) => user.id),
    ['bob', 'carl'],
  );
});

test('LV8 a connect with a subscription that is refused is refused as a whole, resumed or not', async (t) => {
  const world = await World.start(t);
  await world.http('PATCH', '/app', { grants: { user: ['update-user-owner'] } });
  const { epoch } = world.daemon.roster.position;
  for (const resume of [undefined, { epoch, seq: 0 }]) {
    const client = await world.open();
    client.send({ op: 'connect', id: 1, api_key: API_KEY, token: userToken('ann'), resume, subs: [{ sub: 'all', all: true }] });
    assert.equal((await client.until(({ type }) => type === 'connection.error')).error.code, 17);
    assert.equal((await client.closed).code, 4403);
  }
});

test('LV9 a position of another epoch, or from the future, is answered with resumed: false and a snapshot', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'ann' });
  const { epoch, seq } = world.daemon.roster.position;
  for (const resume of [
    { epoch: 'another', seq: 0 },
    { epoch, seq: seq + 1 },
  ]) {
    const client = await world.subscriber({ resume, subs: [{ sub: 'all', all: true }] });
    assert.equal(client.frames[0].resumed, false);
    const snapshot = await client.until(({ sub, users }) => sub === 'all' && users !== undefined);
    assert.deepEqual(
      snapshot.users.map(({ id }: { id: string }) => id),
      ['ann'],
    );
  }
});
