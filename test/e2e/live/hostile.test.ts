/** LV50–LV57: peers that ask for what is not there, break off, or take nothing of what they are sent. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { eventually } from '../../support/eventually.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import { API_KEY, serverToken, World } from '../../support/world.ts';

/** A connection by hand. Its own side stays open until the test ends it. */
function dial(t: TestContext, world: World): Socket {
  const socket = connect({ port: Number(new URL(world.daemon.url).port), host: '127.0.0.1', allowHalfOpen: true });
  socket.on('error', () => {});
  t.after(() => socket.destroy());
  return socket;
}

function upgrade(target: string): string {
  const key = 'AAAAAAAAAAAAAAAAAAAAAA==';
  return `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
}

/** All that comes until the other side has ended. */
async function answerTo(socket: Socket, request: string): Promise<string> {
  let text = '';
  let hasEnded = false;
  socket.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  socket.once('end', () => {
    hasEnded = true;
  });
  socket.write(request);
  await eventually(() => hasEnded);
  return text;
}

test('LV50 an upgrade to anything that is not there is answered and ended, and its reset harms nobody', async (t) => {
  const world = await World.start(t);
  for (const target of ['//', '/\\', 'http://[', 'http://x/socket.io/', '/socket.io', '/%', '/nope', '*', '/live/more']) {
    const socket = dial(t, world);
    const text = await answerTo(socket, upgrade(target));
    assert.match(text, /^HTTP\/1\.1 404 /, target);
    socket.resetAndDestroy();
    const hasty = dial(t, world);
    hasty.write(upgrade(target), () => hasty.resetAndDestroy());
  }
  await sleep(100);
  assert.equal((await world.http('GET', '/healthz')).status, 200);
});

test('LV51 a peer that keeps its side open after it was refused is let go of', async (t) => {
  const world = await World.start(t);
  const socket = dial(t, world);
  await answerTo(socket, upgrade('/nope'));
  const before = performance.now();
  await world.stop();
  assert.ok(performance.now() - before < 30_000, 'a stop does not wait for it');
});

test('LV52 who offers an upgrade to another protocol is served without it, its body and what follows included', async (t) => {
  const world = await World.start(t);
  const socket = dial(t, world);
  const offer = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n';
  const body = JSON.stringify({ users: { ann: { id: 'ann', name: 'Ännchen' } } });
  const post = `POST /api/v2/users?api_key=${API_KEY} HTTP/1.1\r\nHost: x\r\n${offer}Authorization: ${serverToken()}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n`;
  const get = (headers: string): string => `GET /healthz HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
  const answers: string[] = [];
  socket.setEncoding('utf8').on('data', (part) => answers.push(String(part)));
  for (const request of [post + body, get(offer), get('')]) {
    const { length } = answers;
    socket.write(request);
    await eventually(() => answers.length > length);
  }
  assert.deepEqual(
    answers.map((text) => text.slice(0, 12)),
    ['HTTP/1.1 201', 'HTTP/1.1 200', 'HTTP/1.1 200'],
  );
  assert.equal(world.daemon.roster.directory.user('ann')?.name, 'Ännchen');
});

test('LV52 what follows the headers of such a request is its body, however many headers there are', async (t) => {
  const world = await World.start(t);
  const socket = dial(t, world);
  let answered = '';
  socket.setEncoding('utf8').on('data', (part) => {
    answered += String(part);
  });
  const inner = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n';
  const many = 'a: b\r\n'.repeat(1_500);
  const own = `Authorization: ${serverToken()}\r\nContent-Type: application/json\r\nContent-Length: ${inner.length}\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n`;
  socket.write(`POST /users?api_key=${API_KEY} HTTP/1.1\r\nHost: x\r\n${many}${own}\r\n${inner}`);
  await eventually(() => answered !== '');
  await sleep(200);
  assert.deepEqual(answered.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 400']);
  assert.match(answered, /unexpected \\"G\\"/);
});

test('LV53 a connection that has not said who it is yet hears at once that the daemon stops', async (t) => {
  const world = await World.start(t);
  const idle = await LiveClient.open(`${world.liveUrl}/live`);
  const before = performance.now();
  await world.stop();
  assert.equal((await idle.closed).code, 1012);
  assert.ok(performance.now() - before < 30_000);
});

test('LV54 who asks and asks and takes no answer costs a bounded amount of memory, and has every answer once it reads', async (t) => {
  const world = await World.start(t);
  const pad = 'x'.repeat(4_000);
  await world.upsert(...Array.from({ length: 100 }, (_, n) => ({ id: `u${n}`, custom: { pad } })));
  const ann = await world.chat('ann');
  const server = await world.subscriber({ subs: [] });
  const ids = Array.from({ length: 100 }, (_, n) => `u${n}`);
  const used = (): number => process.memoryUsage().external + process.memoryUsage().arrayBuffers;
  const before = used();
  ann.ws.pause();
  const asked = 120;
  for (let n = 0; n < asked; n++) ann.send({ op: 'sub', sub: 's', id: n, ids });
  await sleep(1_500);
  const grown = used() - before;
  assert.ok(grown < 16 * 2 ** 20, `${asked} answers of 400 kB each: ${Math.round(grown / 2 ** 20)} MiB more`);
  assert.equal((await server.request({ op: 'ping' })).error, undefined, 'others are served meanwhile');
  ann.ws.resume();
  await ann.until((frame) => frame.re === asked - 1);
  assert.equal(ann.frames.filter(({ re, sub }) => typeof re === 'number' && sub === 's').length, asked);
});

test('LV55 with ids.reuse_hard_deleted, too, a hard delete ends the sessions of the user', async (t) => {
  const world = await World.start(t, { flags: { 'ids-reuse-hard-deleted': 'true' } });
  const ann = await world.chat('ann');
  await world.http('DELETE', '/users/ann?hard_delete=true');
  assert.equal((await ann.closed).code, 4404);
  const again = await world.chat('ann', { name: 'Another' });
  assert.equal((await again.request({ op: 'ping' })).error, undefined);
});

test('LV56 an event that makes a user invisible, or deactivates it, does not show it as online', async (t) => {
  const world = await World.start(t);
  const watcher = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const bob = await world.chat('bob');
  await world.chat('eve');
  await eventually(() => ['bob', 'eve'].every((id) => world.daemon.roster.toldOnline(id)));
  await bob.request({ op: 'update', set: { invisible: true } });
  const hidden = await watcher.until(({ type, user }) => type === 'user.updated' && user.invisible === true);
  assert.equal(hidden.user.online, false);
  await world.http('POST', '/users/eve/deactivate', {});
  const ended = await watcher.until(({ type }) => type === 'user.deactivated');
  assert.equal(ended.user.online, false);
});

test('LV57 updates over a live connection count as those by HTTP', async (t) => {
  const world = await World.start(t);
  const ann = await world.chat('ann');
  const answers = await Promise.allSettled(Array.from({ length: 70 }, (_, n) => ann.request({ op: 'update', set: { n } })));
  const refused = answers.filter((answer) => answer.status === 'rejected').map(({ reason }) => reason.body.code);
  assert.ok(refused.length >= 10 && refused.every((code) => code === 9), `${refused.length} of 70 were refused`);
  await ann.request({ op: 'ping' });
});

test('LV54 frames with wrong fields wait for their turn like all others', async (t) => {
  const world = await World.start(t);
  const ann = await world.chat('ann');
  const asked = 2_000;
  for (let n = 0; n < asked; n++) ann.send(n % 2 === 0 ? { op: 'sub', id: n, sub: 's', ids: ['ann'] } : { op: 'sub', id: n, sub: 7 });
  await ann.until((frame) => frame.re === asked - 1);
  const answered = ann.frames.map(({ re }) => re).filter((re) => typeof re === 'number');
  assert.deepEqual(
    answered,
    Array.from({ length: asked }, (_, n) => n),
  );
});
