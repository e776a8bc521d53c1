/** How live connections end, and who may open one: LV10–LV19, LV58, LV59 (protocol/README.md), against a real daemon. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

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
    // Not at the next heartbeat.
    assert.ok(performance.now() - startedMs < LIMITS.heartbeatMs / 2);
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

test('PV2 LV13 an update that names another user is refused, and is not written to the own user', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob' });
  const ann = await world.chat('ann', { name: 'Ann' });
  const refusals = new Set<string>();
  for (const user_id of ['bob', 'nobody']) {
    for (const set of [{ name: 'B' }, { role: 'admin' }, { 'a b': 1 }, 7]) {
      const refused = await ann.request({ op: 'update', user_id, set }).catch(({ body }) => body);
      refusals.add(`${refused.code} ${refused.message} ${JSON.stringify(refused.errors).replaceAll(user_id, '<id>')}`);
    }
  }
  assert.equal(refusals.size, 1, [...refusals].join('\n'));
  assert.match([...refusals][0] ?? '', /^17 .*users\[<id>\]\.id/);
  const { user } = await ann.request({ op: 'update', user_id: 'ann', set: { color: 'red' } });
  assert.equal(user.name, 'Ann');
  assert.equal(user.custom.color, 'red');
  assert.equal((await ann.request({ op: 'update', user_id: '', set: { color: 'blue' } })).user.custom.color, 'blue');
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

test('LV19 MX1 a daemon that stops says so: readyz 503, server.drain, 1012, spread over the drain time', async (t) => {
  const world = await World.start(t, { flags: { 'drain-ms': '2000' } });
  const clients = [];
  for (let n = 0; n < 4; n++) clients.push(await world.subscriber());
  const startedMs = performance.now();
  const stopped = world.daemon.stop();
  const ready = await fetch(`${world.daemon.url}/readyz`);
  assert.deepEqual([ready.status, await ready.json()], [503, { status: 'not ready', reason: 'draining: the daemon stops' }]);
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
  // A busy machine may be late with the first ones.
  const [first = 0, last = 0] = [times[0], times.at(-1)];
  assert.ok(last > 1_000 && last - first > 300, `closed after ${times.map(Math.round).join(', ')} ms`);
});
