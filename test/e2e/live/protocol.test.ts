/** The live protocol against a real daemon: rules LV1–LV14 of protocol/README.md. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HEARTBEAT } from '../../../daemon/edge/live/session/registry.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

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

test('LV10 deactivate, delete and revocation end live connections with their reason, and no event follows', async (t) => {
  const world = await World.start(t);
  const act: readonly [string, () => Promise<unknown>, number, number][] = [
    ['ann', () => world.http('POST', '/users/ann/deactivate', {}), 4403, 17],
    ['bob', () => world.http('DELETE', '/users/bob'), 4404, 16],
    [
      'carl',
      () => world.http('PATCH', '/users', { users: [{ id: 'carl', set: { revoke_tokens_issued_before: new Date().toISOString() } }] }),
      4401,
      40,
    ],
  ];
  for (const [id, how, closeCode, code] of act) {
    const client = await world.chat(id);
    const startedMs = performance.now();
    await how();
    assert.equal((await client.closed).code, closeCode);
    assert.ok(performance.now() - startedMs < 1000);
    const last = client.frames.at(-1);
    assert.equal(last.type, 'connection.error');
    assert.equal(last.error.code, code);
    const again = await world.open();
    again.send({ op: 'connect', api_key: API_KEY, token: userToken(id), user: { id } });
    assert.equal((await again.closed).code, closeCode);
  }
});

test('LV10 with ids.reuse_hard_deleted the id of a hard-deleted user can connect again, as a new user', async (t) => {
  for (const [reuse, closeCode] of [
    ['true', undefined],
    ['false', 4404],
  ] as const) {
    const world = await World.start(t, { flags: { 'ids-reuse-hard-deleted': reuse } });
    await world.upsert({ id: 'ann', name: 'Ann' });
    await world.http('DELETE', '/users/ann?hard_delete=true');
    const client = await world.open();
    client.send({ op: 'connect', id: 1, api_key: API_KEY, token: userToken('ann'), user: { id: 'ann' } });
    if (closeCode === undefined) assert.equal((await client.until(({ type }) => type === 'connection.ok')).me.name, undefined);
    else assert.equal((await client.closed).code, closeCode);
  }
});

test('LV11 bad tokens are refused with their code and 4401', async (t) => {
  const world = await World.start(t);
  const nowS = Math.floor(Date.now() / 1000);
  const [header = '', payload = ''] = userToken('ann').split('.');
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'JWT' })).toString('base64url');
  const rs256 = Buffer.from(JSON.stringify({ alg: 'RS256', typ: 'JWT' })).toString('base64url');
  const cases: readonly [string, string, number][] = [
    ['no algorithm', `${none}.${payload}.`, 43],
    ['RS256', `${rs256}.${payload}.AAAA`, 43],
    ['a wrong signature', `${header}.${payload}.${'A'.repeat(43)}`, 43],
    ['expired', userToken('ann', { exp: nowS - 60 }), 40],
    ['issued in the future', userToken('ann', { iat: nowS + 60 }), 42],
    ['not valid yet', userToken('ann', { nbf: nowS + 60 }), 41],
    ['another user', userToken('bob'), 5],
    ['not a token', 'nonsense', 43],
  ];
  for (const [what, token, code] of cases) {
    const client = await world.open();
    client.send({ op: 'connect', api_key: API_KEY, token, user: { id: 'ann' } });
    const refusal = await client.until(({ type }) => type === 'connection.error', what);
    assert.equal(refusal.error.code, code, what);
    assert.equal((await client.closed).code, 4401, what);
  }
  const wrongKey = await world.open();
  wrongKey.send({ op: 'connect', api_key: 'other', token: userToken('ann') });
  assert.equal((await wrongKey.until(({ type }) => type === 'connection.error')).error.code, 2);
});

test('LV12 refresh replaces the token in place; another user’s token is refused', async (t) => {
  const world = await World.start(t);
  const exp = Math.floor(Date.now() / 1000) + 3600;
  const client = await world.chat('ann');
  assert.equal((await client.request({ op: 'refresh', token: userToken('ann', { exp }) })).token_exp, exp);
  await assert.rejects(
    client.request({ op: 'refresh', token: userToken('bob') }),
    (error: { body: { code: number } }) => error.body.code === 5,
  );
  await client.request({ op: 'ping' });
});

test('LV12 who is told that its token ends soon is told once for each end', async (t) => {
  const world = await World.start(t);
  const exp = Math.floor(Date.now() / 1000) + 50;
  const client = await world.chat('ann', {}, { token: userToken('ann', { exp }) });
  const warnings = () => client.frames.filter(({ type }) => type === 'token.expiring').map((frame) => frame.exp);
  await client.until(({ type }) => type === 'token.expiring');
  await client.request({ op: 'refresh', token: userToken('ann', { exp }) });
  await sleep(2_500);
  assert.deepEqual(warnings(), [exp], 'the same token once more is nothing new');
  await client.request({ op: 'refresh', token: userToken('ann', { exp: exp + 5 }) });
  await client.until((frame) => frame.type === 'token.expiring' && frame.exp === exp + 5);
});

test('LV12 a token that ends closes the connection with code 40 and 4401', async (t) => {
  const world = await World.start(t);
  const exp = Math.floor(Date.now() / 1000) + 2;
  const clients = [
    await world.chat('ann', {}, { token: userToken('ann', { exp }) }),
    await world.subscriber({ token: serverToken({ exp }) }),
  ];
  for (const client of clients) {
    await client.until(({ type }) => type === 'token.expiring');
    assert.equal((await client.closed).code, 4401);
    assert.equal(client.frames.at(-1).error.code, 40);
  }
});

test('LV58 the leeway for the end of a token opens no connection, which would end at once', async (t) => {
  const world = await World.start(t);
  const exp = Math.floor(Date.now() / 1000) - 1;
  const late = await world.open();
  late.send({ op: 'connect', api_key: API_KEY, token: userToken('ann', { exp }), user: { id: 'ann' } });
  assert.equal((await late.until(({ type }) => type === 'connection.error')).error.code, 40);
  assert.equal((await late.closed).code, 4401);
  assert.ok(!late.frames.some(({ type }) => type === 'connection.ok'));
  const client = await world.chat('ann');
  const isExpired = (error: { body: { code: number } }) => error.body.code === 40;
  await assert.rejects(client.request({ op: 'refresh', token: userToken('ann', { exp }) }), isExpired);
  await client.request({ op: 'ping' });
});

test('LV59 no name of a subscription is that of what the daemon follows for a user by itself', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob' });
  const client = await world.chat('ann');
  const connectionId = client.frames[0].connection_id;
  const payload = encodeURIComponent(JSON.stringify({ filter_conditions: { id: 'bob' }, presence: true }));
  await world.http('GET', `/api/v2/users?payload=${payload}&connection_id=${connectionId}`, undefined, userToken('ann'));
  for (const sub of ['(self)', '(watched)', '']) await assert.rejects(client.request({ op: 'unsub', sub }), /there is no subscription/);
  for (const sub of ['(self)', '(watched)']) await client.request({ op: 'sub', sub, ids: ['carl'] });
  await world.upsert({ id: 'ann', name: 'Told' }, { id: 'bob', name: 'Told' });
  for (const id of ['ann', 'bob']) await client.until(({ user }) => user?.id === id && user.name === 'Told');
});

test('LV13 update changes the own user, upsert needs a server token', async (t) => {
  const world = await World.start(t);
  const ann = await world.chat('ann', { name: 'Ann' });
  const answer = await ann.request({ op: 'update', set: { name: 'Anna', color: 'red' }, unset: ['missing'] });
  assert.equal(answer.user.name, 'Anna');
  assert.deepEqual(answer.user.custom, { color: 'red' });
  assert.equal(answer.seq, answer.user.rev);
  await assert.rejects(
    ann.request({ op: 'update', set: { role: 'admin' } }),
    (error: { body: { code: number } }) => error.body.code === 17,
  );
  await assert.rejects(
    ann.request({ op: 'upsert', users: { ann: { id: 'ann' } } }),
    (error: { body: { code: number } }) => error.body.code === 17,
  );
  const server = await world.subscriber();
  const upserted = await server.request({ op: 'upsert', users: { bob: { id: 'bob', role: 'admin' } } });
  assert.equal(upserted.users.bob.role, 'admin');
  const updated = await server.request({ op: 'update', user_id: 'bob', set: { name: 'Bob' } });
  assert.equal(updated.user.name, 'Bob');
  await server.request({ op: 'upsert', users: { '1': { id: '1', name: 'One' } } });
  // The request id is no user.
  await assert.rejects(
    server.request({ op: 'update', id: '1', set: { name: 'Another' } }),
    (error: { body: { code: number; message: string } }) => error.body.code === 4 && error.body.message.includes('user_id'),
  );
  assert.equal(world.daemon.roster.directory.user('1')?.name, 'One');
});

test('LV13 invalid fields are answered and the connection stays open', async (t) => {
  const world = await World.start(t);
  const client = await world.subscriber();
  const bad: readonly Record<string, unknown>[] = [
    { op: 'sub', sub: '' },
    { op: 'sub', sub: 'x' },
    { op: 'sub', sub: 'x', all: true, ids: ['a'] },
    { op: 'sub', sub: 'x', filter: { id: 7 } },
    { op: 'sub', sub: 'x', ids: Array.from({ length: LIMITS.subIds + 1 }, (_, i) => `u${i}`) },
    { op: 'unsub', sub: 'never' },
    { op: 'page', sub: 'never', more: 'x' },
    { op: 'connect', api_key: API_KEY, token: serverToken() },
  ];
  for (const frame of bad) {
    await assert.rejects(
      client.request(frame),
      (error: { body: { code: number } }) => error.body.code === 4,
      JSON.stringify(frame).slice(0, 80),
    );
  }
  await client.request({ op: 'ping' });
});

test('LV14 /connect: first frame is health.check with me, events are in the chat v1 rendering', async (t) => {
  const world = await World.start(t);
  const query = (user: object, token: string): string =>
    `/connect?${new URLSearchParams({ json: JSON.stringify(user), api_key: API_KEY, authorization: token, 'stream-auth-type': 'jwt' })}`;
  const details = { user_id: 'ann', user_details: { id: 'ann', name: 'Ann', color: 'blue' } };
  const client = await world.open(query(details, userToken('ann')));
  const hello = await client.until(() => true);
  assert.equal(hello.type, 'health.check');
  assert.equal(typeof hello.connection_id, 'string');
  assert.equal(hello.me.id, 'ann');
  assert.equal(hello.me.color, 'blue');
  await world.upsert({ id: 'ann', custom: { color: 'red' } });
  const event = await client.until(({ type }) => type === 'user.updated');
  assert.equal(event.user.color, 'red');
  assert.equal(event.user.custom, undefined);

  // A query with presence makes the connection watch what it found.
  await world.upsert({ id: 'bob' });
  const found = (connection: string) =>
    world.http(
      'GET',
      `/users?payload=${encodeURIComponent('{"filter_conditions":{"id":"bob"},"presence":true}')}&connection_id=${connection}`,
      undefined,
      userToken('ann'),
    );
  assert.equal((await found('not-mine')).body.code, 4);
  assert.equal((await found(hello.connection_id)).body.users.length, 1);
  await world.upsert({ id: 'bob', name: 'Bob' }, { id: 'carl' });
  const watched = await client.until(({ user }) => user?.id === 'bob');
  assert.equal(watched.user.name, 'Bob');
  assert.equal(client.events.length, 2);

  const refused = await world.open(query({ user_id: 'bob', user_details: { id: 'bob' } }, userToken('ann')));
  assert.equal((await refused.until(() => true)).error.code, 5);
  assert.equal((await refused.closed).code, 4401);
});

test('LV15 pages of other origins are turned away before the handshake', async (t) => {
  const world = await World.start(t, { flags: { origins: 'https://app.example' } });
  const headers = (origin: string) => ({ headers: { Origin: origin } });
  await assert.rejects(LiveClient.open(`${world.liveUrl}/live`, headers('https://evil.example')), /403/);
  const ok = await LiveClient.open(`${world.liveUrl}/live`, headers('https://app.example'));
  ok.terminate();
});

test('LV16 connections beyond the limit are turned away', async (t) => {
  const world = await World.start(t, { flags: { 'connections-max': '2' } });
  await world.open();
  await world.open();
  await assert.rejects(world.open(), /503/);
});

test('LV18 one socket more than a user may have closes the oldest with 4409', async (t) => {
  const world = await World.start(t);
  const first = await world.chat('ann');
  const others = [];
  for (let n = 0; n < LIMITS.socketsPerUser; n++) others.push(await world.chat('ann'));
  assert.equal((await first.closed).code, 4409);
  await Promise.all(others.map((client) => client.request({ op: 'ping' })));
});

test('LV19 a daemon that stops says so: readyz 503, server.drain, 1012, spread over the drain time', async (t) => {
  const world = await World.start(t, { flags: { 'drain-ms': '1000' } });
  const clients = [];
  for (let n = 0; n < 4; n++) clients.push(await world.subscriber());
  const startedMs = performance.now();
  const stopped = world.daemon.stop();
  assert.equal((await fetch(`${world.daemon.url}/readyz`)).status, 503);
  assert.equal((await fetch(`${world.daemon.url}/healthz`)).status, 200);
  const closes = await Promise.all(
    clients.map(async (client) => {
      const { code } = await client.closed;
      return { code, ms: performance.now() - startedMs, drain: client.frames.find(({ type }) => type === 'server.drain') };
    }),
  );
  await stopped;
  for (const { code, drain } of closes) {
    assert.equal(code, 1012);
    assert.ok(drain.retry_ms > 0);
  }
  const times = closes.map(({ ms }) => ms).sort((a, b) => a - b);
  assert.ok((times.at(-1) ?? 0) - (times[0] ?? 0) > 500, `closed after ${times.map(Math.round).join(', ')} ms`);
});
