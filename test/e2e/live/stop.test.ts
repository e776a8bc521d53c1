/** LV60: however a peer behaves, a stop takes no longer than `drain_ms`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { RawIo } from '../../support/live/raw-io.ts';
import { RosterdProcess } from '../../support/process.ts';
import { API_KEY, API_SECRET, serverToken, userToken, World } from '../../support/world.ts';

const DRAIN_MS = 1_000;
/** Beyond what peers may take: the snapshot, the last writes, and a machine that runs other tests meanwhile. */
const OWN_MS = 20_000;

const AUTH = { api_key: API_KEY, token: userToken('ann') };
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';

/** A connection by hand that reads nothing and never ends its side. */
async function dial(t: TestContext, { daemon }: World, text: string): Promise<Socket> {
  const socket = connect({ port: Number(new URL(daemon.url).port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(text);
  return socket;
}

const get = (target: string, headers = ''): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;

/** A Socket.IO session over long polling. Returns the address of its polls. */
async function polling({ daemon }: World): Promise<string> {
  const url = `${daemon.url}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
  const session = `${url}&sid=${sid}`;
  await fetch(session, { method: 'POST', body: `40${JSON.stringify(AUTH)}` });
  for (let text = ''; !text.includes('connection.ok'); ) text = await (await fetch(session)).text();
  return session;
}

const targetOf = (url: string, transport: string): string => {
  const { pathname, search } = new URL(url);
  return `${pathname}${search.replace('polling', transport)}`;
};

/** Users whose data together is more than the buffers between two processes hold. */
async function manyUsers(world: World): Promise<void> {
  const pad = 'x'.repeat(9_000);
  for (let batch = 0; batch < 10; batch++) {
    await world.upsert(...Array.from({ length: 100 }, (_, n) => ({ id: `u${batch}-${n}`, custom: { pad } })));
  }
}

const PEERS: Readonly<Record<string, (t: TestContext, world: World) => Promise<unknown>>> = {
  'a long-polling client that never polls again': (_t, world) => polling(world),
  'a long-polling client whose poll is waiting': async (t, world) => dial(t, world, get(targetOf(await polling(world), 'polling'))),
  'a long-polling client in the middle of an upgrade': async (t, world) => {
    const session = await polling(world);
    await dial(t, world, get(targetOf(session, 'websocket'), UPGRADE));
    await dial(t, world, get(targetOf(session, 'polling')));
  },
  'a Socket.IO client that has not connected': (t, world) => dial(t, world, get('/socket.io/?EIO=4&transport=polling')),
  'a Socket.IO client that reads nothing': async (t, world) => {
    const client = await RawIo.open(world.liveUrl);
    t.after(() => client.ws.terminate());
    client.connect(AUTH);
    await client.until('connection.ok');
    client.ws.pause();
  },
  'a live client that answers no close': async (_t, world) => (await world.chat('ann')).ws.pause(),
  'a live client that has sent no connect': (t, world) => dial(t, world, get('/live', `${UPGRADE}Sec-WebSocket-Protocol: roster.v1\r\n`)),
  'a subscriber in the middle of a snapshot that it does not read': async (_t, world) => {
    await manyUsers(world);
    const client = await world.open();
    client.ws.pause();
    client.send({ op: 'connect', api_key: API_KEY, token: serverToken(), subs: [{ sub: 'all', all: true, limit: 1_000 }] });
    await eventually(() => world.daemon.roster.hub.stats.subscribers > 0);
  },
  'an upgrade whose request never ends': (t, world) => dial(t, world, `GET /live HTTP/1.1\r\nHost: x\r\n${UPGRADE}`),
  'an open upload': async (t, world) => {
    const { body } = await world.http('POST', '/import_urls', { filename: 'users.json' });
    const { pathname, search } = new URL(body.upload_url);
    const head = `PUT ${pathname}${search} HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n`;
    await dial(t, world, `${head}[{"type":"user",`);
  },
  'a reader of a long answer that does not read it': async (t, world) => {
    await manyUsers(world);
    const socket = await dial(t, world, get(`/backup?api_key=${API_KEY}`, `Authorization: ${serverToken()}\r\nStream-Auth-Type: jwt\r\n`));
    await once(socket, 'readable');
  },
  'a request whose body never ends': async (t, world) => {
    const headers = `Authorization: ${serverToken()}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n`;
    await dial(t, world, `POST /api/v2/users?api_key=${API_KEY} HTTP/1.1\r\nHost: x\r\n${headers}\r\n{`);
  },
  'a webhook that never answers': async (t, world) => {
    const server = createServer();
    t.after(() => server.closeAllConnections());
    t.after(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
    const hook = { id: 'main', hook_type: 'webhook', enabled: true, webhook_url: url, event_types: [] };
    assert.equal((await world.http('PATCH', '/api/v2/app', { event_hooks: [hook] })).status, 200);
    const called = once(server, 'request');
    await world.upsert({ id: 'ann' });
    await called;
  },
};

for (const [peer, arrive] of Object.entries(PEERS)) {
  test(`LV60 a stop does not wait longer than drain_ms for ${peer}`, { timeout: 120_000 }, async (t) => {
    const world = await World.start(t, { flags: { 'drain-ms': String(DRAIN_MS), 'webhooks-allow-private': 'true' } });
    await arrive(t, world);
    // The daemon has read what the peer sent.
    await world.http('GET', '/healthz');
    const startedMs = performance.now();
    await world.daemon.stop();
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs < DRAIN_MS + OWN_MS, `the stop took ${Math.round(tookMs)} ms`);
  });
}

test('LV60 a stop does not wait for peers that have no goodbye to take', async (t) => {
  const world = await World.start(t, { flags: { 'drain-ms': '60000' } });
  for (const peer of ['a Socket.IO client that has not connected', 'a live client that has sent no connect']) await PEERS[peer]?.(t, world);
  const refused = await RawIo.open(world.liveUrl);
  refused.connect({ ...AUTH, token: 'nonsense' });
  await refused.until('"code":43');
  const startedMs = performance.now();
  await world.daemon.stop();
  const tookMs = performance.now() - startedMs;
  assert.ok(tookMs < 30_000, `the stop took ${Math.round(tookMs)} ms`);
});

test('LV60 the process ends with the stop, whatever its peers left behind', { timeout: 120_000 }, async (t) => {
  const data = ['--listen', '127.0.0.1:0', '--data', '.'];
  const world = await World.start(t);
  const env = { ROSTERD_API_KEY: API_KEY, ROSTERD_API_SECRET: API_SECRET, ROSTERD_DRAIN_MS: String(DRAIN_MS) };
  await world.stop();
  const daemon = RosterdProcess.run(['serve', ...data], { env, cwd: world.data });
  const place = { daemon: { url: await daemon.listening() } } as World;
  const session = await polling(place);
  await polling(place);
  await dial(t, place, get(targetOf(session, 'websocket'), UPGRADE));
  const startedMs = performance.now();
  const { code } = await daemon.kill('SIGTERM');
  const tookMs = performance.now() - startedMs;
  assert.equal(code, 0);
  assert.ok(tookMs < DRAIN_MS + OWN_MS, `the process ended after ${Math.round(tookMs)} ms`);
});
