/** ST: when a whole user base connects in the same moment, and when the daemon stops. */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage, Server } from 'node:http';
import { connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Turns } from '../../../daemon/base/turns.ts';
import { ConnectGate, RetryLater } from '../../../daemon/edge/live/session/connect-gate.ts';
import { eventually } from '../../support/eventually.ts';
import { IoClient } from '../../support/live/io-client.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

/** Opens sockets first, so that their connect frames come in the same moment. */
async function crowd(world: World, size: number): Promise<LiveClient[]> {
  return await Promise.all(Array.from({ length: size }, () => world.open()));
}

function connectAll(clients: readonly LiveClient[]): Promise<Frame[]> {
  return Promise.all(
    clients.map(async (client, n) => {
      client.send({ op: 'connect', id: 1, api_key: API_KEY, token: userToken(`u${n}`), user: { id: `u${n}`, name: `U${n}` } });
      return await client.until(({ type }) => type === 'connection.ok' || type === 'connection.error');
    }),
  );
}

test('ST1 of a crowd, some are let in and the rest told when to come back, before anything was done for them', async (t) => {
  const world = await World.start(t, { flags: { 'connects-waiting-max': '20', 'rate-limits': 'off' } });
  const clients = await crowd(world, 400);
  const answers = await connectAll(clients);
  const isIn = (answer: Frame): boolean => answer.type === 'connection.ok';
  const welcome = answers.filter(isIn);
  const away = answers.filter((answer) => !isIn(answer));
  assert.ok(welcome.length >= 64, `${welcome.length} were let in`);
  assert.ok(away.length > 0, 'nobody was sent away');
  for (const { error, retry_ms, re } of away) {
    assert.deepEqual([error.code, error.StatusCode, re], [-1, 503, 1]);
    assert.ok(retry_ms >= 1_000 && retry_ms <= 5_000, String(retry_ms));
  }
  assert.ok(new Set(away.map(({ retry_ms }) => retry_ms)).size > away.length / 4, 'they would all come back at once');
  for (const [n, answer] of answers.entries()) {
    assert.equal(world.daemon.roster.directory.user(`u${n}`) !== undefined, isIn(answer), `u${n}`);
    if (!isIn(answer)) assert.equal((await clients[n]?.closed)?.code, 1013);
  }
  const again = await connectAll(await crowd(world, 10));
  assert.ok(again.every(isIn), 'the storm is over, and everyone is welcome');
});

test('ST2 a running session is served while a crowd is let in, and everyone of the crowd is', async (t) => {
  const world = await World.start(t, { flags: { 'rate-limits': 'off' } });
  const running = await world.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
  const clients = await crowd(world, 800);
  let isOver = false;
  const storm = connectAll(clients).then((answers) => {
    isOver = true;
    return answers;
  });
  let served = 0;
  while (!isOver) {
    await running.request({ op: 'ping' });
    if (!isOver) served++;
  }
  const answers = await storm;
  assert.ok(answers.every(({ type }) => type === 'connection.ok'));
  assert.ok(served >= 3, `${served} requests were served meanwhile`);
  await world.upsert({ id: 'last' });
  await running.until(({ user }) => user?.id === 'last');
  assert.equal(new Set(running.events.map(({ user }) => user.id)).size, 801);
});

test('ST3 clients are counted against the limit of connecting, servers are not', async (t) => {
  const world = await World.start(t, { flags: { 'rate-limit': 'Connect=60' } });
  const answers = await connectAll(await crowd(world, 12));
  const refused = answers.filter(({ type }) => type === 'connection.error');
  assert.ok(refused.length > 0 && refused.length < 12, `${refused.length} of 12 were refused`);
  for (const { error, retry_ms } of refused) {
    assert.equal(error.code, 9);
    assert.ok(retry_ms >= 1_000);
  }
  for (let n = 0; n < 12; n++) await world.subscriber();
  const { body } = await world.http('GET', '/rate_limits?web=true&endpoints=Connect');
  assert.equal(body.web.Connect.limit, 60);
  assert.ok(body.web.Connect.remaining < 60);
});

test('ST3 a refused connect closes with 4429, over Socket.IO, too, and says when to come back', async (t) => {
  const world = await World.start(t, { flags: { 'rate-limit': 'Connect=30' } });
  await world.chat('ann');
  const client = await world.open();
  client.send({ op: 'connect', api_key: API_KEY, token: userToken('ann') });
  assert.equal((await client.closed).code, 4429);
  const io = new IoClient(world.daemon.url, { api_key: API_KEY, token: userToken('ann') });
  t.after(() => io.close());
  const refused = await io.until(({ type }) => type === 'connection.error');
  assert.equal(refused.error.code, 9);
  assert.ok(refused.retry_ms >= 1_000);
  assert.equal((await io.until(({ type }) => type === 'connection.closed')).code, 4429);
  const query = { json: '{"user_details":{"id":"ann"}}', api_key: API_KEY, authorization: userToken('ann') };
  const chat = await world.open(`/connect?${new URLSearchParams(query)}`);
  assert.equal((await chat.until(({ type }) => type === 'connection.error')).error.code, 9);
  assert.equal((await chat.closed).code, 4429);
});

test('ST4 /readyz says 503 before the first connection is told of the stop, and nobody new is let in', async (t) => {
  const world = await World.start(t, { flags: { 'drain-ms': '3000' } });
  const clients = [await world.subscriber(), await world.subscriber(), await world.subscriber()];
  const seen = clients.slice(0, 2).map(async (client) => {
    await client.until(({ type }) => type === 'server.drain');
    return (await fetch(`${world.daemon.url}/readyz`)).status;
  });
  const late = clients[0]?.until(({ type }) => type === 'server.drain').then(() => LiveClient.open(`${world.liveUrl}/live`));
  const refused = assert.rejects(Promise.resolve(late), /503/);
  const stopped = world.daemon.stop();
  assert.deepEqual(await Promise.all(seen), [503, 503]);
  await refused;
  await stopped;
});

test('ST5 the gate works in order, a few at a time, and forgets nobody', async () => {
  const gate = new ConnectGate({ waitingMax: 1_000, turns: new Turns(), random: () => 0.5 });
  const order: number[] = [];
  let running = 0;
  let most = 0;
  await Promise.all(
    Array.from({ length: 500 }, async (_, n) => {
      const leave = await gate.enter(100);
      order.push(n);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      leave();
      leave();
    }),
  );
  assert.deepEqual(
    order,
    Array.from({ length: 500 }, (_, n) => n),
  );
  assert.equal(most, 64);
  assert.equal(gate.waiting, 0);
});

test('ST5 what waits is bounded in number and in bytes', async () => {
  const gate = new ConnectGate({ waitingMax: 1_000, turns: new Turns(), random: () => 0.999 });
  const leaves: Promise<() => void>[] = Array.from({ length: 64 }, () => gate.enter(1));
  const enter = (bytes: number): void => void leaves.push(gate.enter(bytes));
  for (let n = 0; n < 256; n++) enter(64 * 1024);
  const isRetry = (error: unknown): boolean => error instanceof RetryLater && error.retryMs === 4_996 && error.spec.status === 503;
  assert.throws(() => enter(1), isRetry);
  for (const held of leaves) (await held)();
  for (let n = 0; n < 1_064; n++) enter(1);
  assert.throws(() => enter(1), isRetry);
  for (const held of leaves) (await held)();
  assert.equal(gate.waiting, 0);
});

/** Between a client and the daemon; what it is told to hold back never arrives, and nobody is told so. */
async function proxy(t: TestContext, world: World) {
  const held = { up: false, down: false };
  const ends: Promise<void>[] = [];
  const server = createServer((client) => {
    const daemon = connect(Number(new URL(world.daemon.url).port), '127.0.0.1');
    client.on('data', (data) => held.up || daemon.write(data));
    daemon.on('data', (data) => held.down || client.write(data));
    for (const [one, other] of [
      [client, daemon],
      [daemon, client],
    ] as const) {
      one.on('error', () => {});
      one.on('end', () => held.down || other.end());
    }
    ends.push(new Promise((resolve) => daemon.on('close', () => resolve())));
    t.after(() => {
      client.destroy();
      daemon.destroy();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { url: `127.0.0.1:${address.port}`, held, ends };
}

test('ST7 a peer whose bytes no longer arrive is closed with 4408, one that is only quiet is not', async (t) => {
  const world = await World.start(t, { heartbeat: { everyMs: 1_000, idleMs: 2_000 }, flags: { 'presence-grace-ms': '0' } });
  const { url, held, ends } = await proxy(t, world);
  const quiet = await world.chat('quiet');
  assert.equal(quiet.frames[0].heartbeat_ms, 1_000);
  const ann = await LiveClient.open(`ws://${url}/live`);
  await ann.request({ op: 'connect', api_key: API_KEY, token: userToken('ann') });
  const io = new IoClient(`http://${url}`, { api_key: API_KEY, token: userToken('bob') });
  t.after(() => io.close());
  await io.opened();
  const { presence, hub } = world.daemon.roster;
  assert.equal(hub.stats.subscribers, 3);
  held.up = true;
  const startedMs = performance.now();
  const heard = [ann.frames.length, io.frames.length];
  const tookMs = (): number => performance.now() - startedMs;
  const isDead = async (closed: Promise<unknown>): Promise<void> => {
    await closed;
    // After two heartbeats without an answer. TCP itself would need minutes.
    assert.ok(tookMs() > 1_900 && tookMs() < 30_000, `closed after ${tookMs()} ms`);
  };
  await Promise.all([isDead(ann.closed), isDead(io.ended), ...ends]);
  assert.equal((await ann.closed).code, 4408);
  // Two heartbeats left unanswered are enough; the first may have been on its way when the peer fell silent.
  for (const [at, { frames }] of [ann, io].entries()) {
    const beats = frames.slice(heard[at]).filter(({ type }) => type === 'health.check').length;
    assert.ok(beats >= 1 && beats <= 3, `${beats} heartbeats`);
  }
  assert.deepEqual([presence.isOnline('ann'), presence.isOnline('bob'), presence.isOnline('quiet')], [false, false, true]);
  assert.equal(hub.stats.subscribers, 1);
  await quiet.request({ op: 'ping' });
});

test('ST7 a peer to whom nothing arrives either is cut off, and no longer counts as there', async (t) => {
  const world = await World.start(t, { heartbeat: { everyMs: 1_000, idleMs: 2_000 }, flags: { 'presence-grace-ms': '0' } });
  const { url, held, ends } = await proxy(t, world);
  const ann = await LiveClient.open(`ws://${url}/live`);
  t.after(() => ann.terminate());
  await ann.request({ op: 'connect', api_key: API_KEY, token: userToken('ann') });
  held.up = true;
  held.down = true;
  await Promise.all(ends);
  assert.equal(world.daemon.roster.presence.isOnline('ann'), false);
  assert.equal(world.daemon.roster.hub.stats.subscribers, 0);
});

test('ST6 who is gone when its turn comes has cost nothing', async (t) => {
  const world = await World.start(t, { flags: { 'rate-limits': 'off' } });
  const clients = await crowd(world, 300);
  for (const [n, client] of clients.entries()) {
    client.send({ op: 'connect', api_key: API_KEY, token: userToken(`u${n}`), user: { id: `u${n}` } });
  }
  for (const client of clients) client.terminate();
  const after = await world.subscriber({ token: serverToken() });
  await after.request({ op: 'ping' });
  await eventually(() => world.daemon.roster.hub.stats.subscribers <= 1);
  assert.ok(world.daemon.roster.directory.size < 300, 'those who had left were not created');
});

test('HB12 an open WebSocket keeps nothing of its handshake in memory', async (t) => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const handshakes: WeakRef<IncomingMessage>[] = [];
  const servers = new Set<Server>();
  const onSocket = (message: unknown): void => {
    const { server } = (message as { readonly socket: { readonly server: Server } }).socket;
    if (!servers.has(server)) server.on('upgrade', (request) => handshakes.push(new WeakRef(request)));
    servers.add(server);
  };
  subscribe('net.server.socket', onSocket);
  t.after(() => unsubscribe('net.server.socket', onSocket));
  const world = await World.start(t);
  const subs = [{ sub: 'all', all: true }];
  for (const id of ['ann', 'bob', 'carl']) {
    const live = await world.chat(id, {}, { subs });
    const query = new URLSearchParams({ json: '{"user_details":{}}', api_key: API_KEY, authorization: userToken(id) });
    const chat = await world.open(`/connect?${query}`);
    await chat.until(({ type }) => type === 'health.check');
    await live.request({ op: 'update', set: { mood: 'good' } });
  }
  assert.equal(handshakes.length, 6);
  // The parser of a connection keeps its last request until the next one comes.
  await world.http('GET', '/healthz');
  const kept = (): number => handshakes.filter((one) => one.deref() !== undefined).length;
  await eventually(
    () => {
      collect();
      return kept() === 0;
    },
    () => `${kept()} requests are in memory`,
  );
});
