/** SI20–SI27, SI30: what a client of Socket.IO may do to the daemon, however it speaks. */
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Server, type Socket } from 'socket.io';
import { type ServerOptions, WebSocketServer } from 'ws';
import { SocketIoOutlet } from '../../../../daemon/edge/live/socket-io/outlet.ts';
import { eventually } from '../../../support/eventually.ts';
import { IoClient } from '../../../support/live/io-client.ts';
import { RawIo } from '../../../support/live/raw-io.ts';
import { API_KEY, serverToken, userToken, World } from '../../../support/world.ts';

const authOf = (id: string): object => ({ api_key: API_KEY, token: userToken(id), user: { id } });

async function raw(t: TestContext, world: World, query?: string, headers?: Record<string, string>): Promise<RawIo> {
  const client = await RawIo.open(world.liveUrl, query, headers);
  t.after(() => client.ws.terminate());
  return client;
}

test('SI20 a handshake is judged as what it is, whatever else its address says', async (t) => {
  const world = await World.start(t, { flags: { 'connections-max': '1', origins: 'https://good.example' } });
  const evil = { origin: 'https://evil.example' };
  const queries = ['', '&x=sid=', '&sid=', '&sid=abc&sid='];
  for (const query of queries) await assert.rejects(raw(t, world, query, evil), /400/, `origin, ${query}`);
  await raw(t, world, '', { origin: 'https://good.example' });
  for (const query of queries) await assert.rejects(raw(t, world, query), /400/, `limit, ${query}`);
});

test('SI20 every request of a connection comes from a page that may connect', async (t) => {
  const world = await World.start(t);
  const url = `${world.daemon.url}/socket.io/?EIO=4&transport=polling`;
  const opened = await (await fetch(url)).text();
  const { sid } = JSON.parse(opened.slice(1));
  const post = (origin: string) => fetch(`${url}&sid=${sid}`, { method: 'POST', body: '40{}', headers: { origin } });
  assert.equal((await post('https://evil.example')).status, 403);
  await assert.rejects(raw(t, world, `&sid=${sid}`, { origin: 'https://evil.example' }));
  assert.equal((await post(world.daemon.url)).status, 200);
});

test('SI21 a connection counts from its handshake on', async (t) => {
  const world = await World.start(t, { flags: { 'connections-max': '3' } });
  const tried = await Promise.allSettled(Array.from({ length: 8 }, () => raw(t, world)));
  const open = tried.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  assert.equal(open.length, 3);
  await assert.rejects(world.open(), /503/);
  for (const [index, client] of open.entries()) client.connect(authOf(`u${index}`));
  for (const client of open) await client.until('connection.ok');
  open[0]?.ws.close();
  await open[0]?.closed;
  await (await raw(t, world)).until('"sid"');
});

test('SI21 handshakes that come in one packet are counted, too', async (t) => {
  const world = await World.start(t, { flags: { 'connections-per-ip-max': '2' } });
  const { port } = new URL(world.daemon.url);
  const socket = connect(Number(port), '127.0.0.1');
  t.after(() => socket.destroy());
  let text = '';
  socket.on('data', (data) => {
    text += data.toString();
  });
  socket.write('GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'.repeat(6));
  await eventually(() => text.split('HTTP/1.1').length > 6, 'six answers');
  const sids = [...text.matchAll(/"sid":"([^"]+)"/g)].map(([, sid]) => sid);
  const statuses = await Promise.all(
    sids.map(async (sid) => {
      const url = `${world.daemon.url}/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      return (await fetch(url, { method: 'POST', body: '40{}' })).status;
    }),
  );
  assert.equal(statuses.filter((status) => status === 200).length, 2, statuses.join());
});

test('SI22 a connection carries one session: who connects again meanwhile is cut off', async (t) => {
  const world = await World.start(t);
  const client = await raw(t, world);
  client.send(...Array.from({ length: 20 }, () => `40${JSON.stringify(authOf('ann'))}`));
  await client.closed;
  assert.ok(client.count('connection.ok') <= 1);
  await eventually(() => !world.daemon.roster.presence.isOnline('ann'), 'nobody is left behind');
  await (await raw(t, world)).until('"sid"');
});

test('SI22 a refused connect may be followed by another one on the same connection', async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): number => warnings.push(warning);
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  const world = await World.start(t);
  const client = await raw(t, world);
  for (let round = 1; round <= 15; round++) {
    client.connect({ api_key: API_KEY, token: 'nonsense' });
    await client.until('"code":43', round);
  }
  client.connect(authOf('ann'));
  await client.until('connection.ok');
  // Warnings are given in the next turn.
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(warnings, []);
});

test('SI23 who leaves the namespace has left: the connection ends and no longer counts', async (t) => {
  const world = await World.start(t, { flags: { 'connections-max': '1' } });
  for (let round = 0; round < 3; round++) {
    const client = await raw(t, world);
    client.connect(authOf('ann'));
    await client.until('connection.ok');
    client.send('41');
    await client.closed;
  }
});

test('SI30 connects to namespaces that do not exist are refused with a reason, a few of them', async (t) => {
  const world = await World.start(t);
  const client = await raw(t, world);
  client.connect(authOf('ann'));
  await client.until('connection.ok');
  for (let n = 0; n < 16; n++) client.send(`40/none${n},`);
  await client.until('Invalid namespace', 16);
  client.send('421["ping",{}]');
  await client.until('431[');
  client.send('40/none,');
  await client.closed;
  await eventually(() => world.daemon.roster.hub.stats.subscribers === 0, 'its session is left');
});

test('SI30 so it is before the connect, and over long polling', async (t) => {
  const world = await World.start(t, { flags: { 'connections-max': '1' } });
  const client = await raw(t, world);
  client.send(...Array.from({ length: 17 }, (_, n) => `40/none${n},`));
  await client.closed;
  const url = `${world.daemon.url}/socket.io/?EIO=4&transport=polling`;
  const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
  const body = Array.from({ length: 17 }, (_, n) => `40/none${n},`).join('\u001e');
  await fetch(`${url}&sid=${sid}`, { method: 'POST', body }).catch(() => undefined);
  await eventually(() => world.daemon.roster.hub.stats.subscribers === 0, 'its session is left');
  assert.equal((await fetch(`${url}&sid=${sid}`)).status, 400, 'nobody knows it any more');
});

/** Does not wait as long as usual for a peer that does not say goodbye. */
class HastyServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    const closeTimeout = { closeTimeout: 500 };
    super({ ...options, ...closeTimeout });
  }
}

/** An outlet of its own, with the client at its other end. */
async function outletWorld(
  t: TestContext,
  stallMs: number,
): Promise<{ url: string; outlet: Promise<SocketIoOutlet>; socket: Promise<Socket> }> {
  const http = createServer();
  const io = new Server(http, { wsEngine: HastyServer });
  t.after(() => io.close());
  const made = new Promise<{ outlet: SocketIoOutlet; socket: Socket }>((resolve) => {
    io.use((socket, next) => {
      const outlet = new SocketIoOutlet(socket, stallMs, { framesSent: 0, bytesSent: 0, bytesReceived: 0 }, (error) =>
        next(error === undefined ? undefined : Object.assign(new Error('refused'), { data: error })),
      );
      io.on('connection', () => outlet.opened());
      resolve({ outlet, socket });
    });
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  assert.ok(typeof address === 'object' && address !== null);
  return { url: `127.0.0.1:${address.port}`, outlet: made.then(({ outlet }) => outlet), socket: made.then(({ socket }) => socket) };
}

test('SI24 answers and events that the peer has not taken are counted, until it takes them', async (t) => {
  const { url, outlet: coming, socket: comingSocket } = await outletWorld(t, 30_000);
  const client = await RawIo.open(`ws://${url}`);
  t.after(() => client.ws.terminate());
  client.connect({});
  const [outlet, socket] = await Promise.all([coming, comingSocket]);
  outlet.send({ type: 'connection.ok' });
  await client.until('connection.ok');
  await eventually(() => outlet.queuedBytes === 0, 'all was taken');

  client.ws.pause();
  const pad = 'x'.repeat(1_000_000);
  const got: string[] = [];
  socket.on('ask', (answer: (body: object) => void) => {
    got.push('ask');
    outlet.send({ re: outlet.expectReply(answer), pad });
  });
  for (let id = 0; id < 20; id++) client.send(`42${id}["ask"]`);
  await eventually(() => got.length === 20, 'twenty requests');
  const afterAnswers = outlet.queuedBytes;
  assert.ok(afterAnswers > 10_000_000, `${afterAnswers} bytes wait, and the kernel took the rest`);
  outlet.send({ type: 'something', pad });
  assert.ok(outlet.queuedBytes - afterAnswers > 1_000_000);
  client.ws.resume();
  await client.until('something');
  assert.equal(client.count('43'), 20);
  assert.equal(await outlet.drained(), true);
  await eventually(() => outlet.queuedBytes === 0, 'all was taken');
});

for (const transports of [['websocket'], ['polling'], ['polling', 'websocket']] as const) {
  test(`SI24 nothing is left over in the count (${transports.join(' then ')})`, async (t) => {
    const { url, outlet: coming } = await outletWorld(t, 30_000);
    const client = new IoClient(`http://${url}`, {}, { transports });
    t.after(() => client.close());
    const outlet = await coming;
    outlet.send({ type: 'connection.ok' });
    await client.opened();
    for (let n = 0; n < 300; n++) {
      outlet.send({ type: 'tick', n, pad: 'ü'.repeat(n * 20) });
      if (n % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await client.until(({ n }) => n === 299);
    assert.equal(client.frames.length, 301);
    await eventually(() => outlet.queuedBytes === 0, `${outlet.queuedBytes} bytes are left`);
  });
}

test('SI24 a peer that takes nothing of its answers is closed, though nobody waits for it', async (t) => {
  const { url, outlet: coming, socket: comingSocket } = await outletWorld(t, 200);
  const client = await RawIo.open(`ws://${url}`);
  t.after(() => client.ws.terminate());
  client.connect({});
  const [outlet, socket] = await Promise.all([coming, comingSocket]);
  const ended = new Promise<string>((resolve) => socket.on('disconnect', resolve));
  outlet.send({ type: 'connection.ok' });
  await client.until('connection.ok');
  client.ws.pause();
  for (let n = 0; n < 20; n++) outlet.send({ pad: 'x'.repeat(1_000_000) });
  await ended;
  const gone = new Promise<string>((resolve) => socket.conn.once('close', resolve));
  if (socket.conn.readyState !== 'closed') await gone;
  assert.equal(await outlet.drained(), false);
});

test('SI25 an acknowledgement of `ack` is answered: with nothing, or with why it was refused', async (t) => {
  const world = await World.start(t);
  const client = new IoClient(world.daemon.url, { api_key: API_KEY, token: serverToken(), durable: 'job' });
  t.after(() => client.close());
  const { seq } = await client.opened();
  assert.deepEqual(await client.request('ack', { seq }), {});
  // One after the other in the same instant, with a request that takes its time in between.
  const answers = await Promise.all([
    client.request('sub', { sub: 'all', all: true }),
    client.request('ack', { seq }),
    client.request('ack', { seq: seq + 1_000 }),
    client.request('ack', { seq: 'x' }),
    client.request('ping'),
    client.request('ack', { seq }),
  ]);
  assert.deepEqual(answers[1], {});
  assert.equal(answers[2]?.error.code, 4);
  assert.equal(answers[3]?.error.code, 4);
  assert.deepEqual(answers[5], {});
});

test('SI26 an error after the connect was accepted is told as on `/live`, and the connection stays', async (t) => {
  const { url, outlet: coming } = await outletWorld(t, 30_000);
  const client = new IoClient(`http://${url}`, {});
  t.after(() => client.close());
  const outlet = await coming;
  outlet.send({ type: 'connection.ok' });
  outlet.send({ error: { code: 17 } });
  outlet.send({ sub: 'next' });
  await client.opened();
  await client.until(({ sub }) => sub === 'next');
  assert.deepEqual(
    client.frames.map(({ type, error, sub }) => type ?? error?.code ?? sub),
    ['connection.ok', 17, 'next'],
  );
  assert.ok(client.socket.connected);
});

test('SI26 an end between the acceptance and the opening is told with its reason', async (t) => {
  const { url, outlet: coming } = await outletWorld(t, 30_000);
  const client = new IoClient(`http://${url}`, {});
  t.after(() => client.close());
  const outlet = await coming;
  outlet.send({ type: 'connection.ok' });
  outlet.close('deleted');
  outlet.send({ type: 'too late' });
  await client.opened();
  assert.equal((await client.until(({ type }) => type === 'connection.closed')).code, 4404);
  await client.ended;
  assert.equal(client.frames.length, 2);
});

test('SI27 binary data is refused where it stands, and nothing of it is kept', async (t) => {
  const world = await World.start(t);
  for (const transports of [['websocket'], ['polling']] as const) {
    const client = new IoClient(world.daemon.url, authOf('ann'), { transports });
    t.after(() => client.close());
    await client.opened();
    const set = { name: 'Ann', deep: { list: [1, { blob: Buffer.from('hello') }] } };
    const { error } = await client.request('update', { set });
    assert.equal(error.code, 4);
    assert.match(error.message, /set\.deep\.list\.1\.blob: must be JSON, not binary/);
    assert.match((await client.request('update', Buffer.from('x'))).error.message, /update: must be JSON, not binary/);
    const user = world.daemon.roster.directory.user('ann');
    assert.deepEqual({ name: user?.name, custom: user?.custom }, { name: undefined, custom: {} });
    assert.equal((await client.request('ping')).error, undefined);
    client.close();
  }
});
