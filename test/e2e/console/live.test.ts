/** CO4, CO10, CO16: the live connection of the console's page, and the list of a user's connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { Seals } from '../../../daemon/edge/console/seals.ts';
import type { SignInRole } from '../../../protocol/access/sign-ins.ts';
import { LIVE_SUBPROTOCOL } from '../../../protocol/live/client-frames.ts';
import { eventually } from '../../support/eventually.ts';
import { signInAt } from '../../support/http/console-kit.ts';
import { API_SECRET, World } from '../../support/world.ts';

const signedIn = async (world: World, role: SignInRole): Promise<string> =>
  (await signInAt(world.daemon.url, { code: new Seals(API_SECRET).newCode(role, Date.now()) })).cookie;

interface Tail {
  readonly frames: Record<string, unknown>[];
  readonly socket: WebSocket;
  closed: number | undefined;
}

function openTail(world: World, headers: Record<string, string>): Tail {
  const socket = new WebSocket(`${world.liveUrl}/console/live`, [LIVE_SUBPROTOCOL], { headers });
  const tail: Tail = { frames: [], socket, closed: undefined };
  socket.on('message', (data) => tail.frames.push(JSON.parse(String(data))));
  socket.on('close', (code) => {
    tail.closed = code;
  });
  socket.on('error', (error) => tail.frames.push({ failed: error.message }));
  return tail;
}

test('CO10 the page sees every event by its cookie alone, can write nothing, and is closed when its sign-in ends', async (t) => {
  const world = await World.start(t);
  const cookie = await signedIn(world, 'operate');
  const tail = openTail(world, { Cookie: cookie, Origin: world.daemon.url });
  t.after(() => tail.socket.terminate());
  const subs = [{ sub: 'tail', all: true, snapshot: false }];
  tail.socket.once('open', () => tail.socket.send(JSON.stringify({ op: 'connect', id: 'c', subs })));
  const has = (what: Record<string, unknown>): Promise<void> =>
    eventually(() => tail.frames.some((frame) => Object.entries(what).every(([key, value]) => frame[key] === value)), JSON.stringify(what));
  await has({ type: 'connection.ok' });
  await world.upsert({ id: 'ann' });
  await has({ type: 'user.updated', created: true });
  tail.socket.send(JSON.stringify({ op: 'update', id: 'u', user_id: 'ann', set: { name: 'X' } }));
  await has({ re: 'u' });
  const [answer] = tail.frames.filter(({ re }) => re === 'u');
  assert.match(JSON.stringify(answer), /only looks on/);
  assert.equal(world.daemon.roster.directory.user('ann')?.name, undefined);
  await world.http('DELETE', '/sign_ins');
  await eventually(() => tail.closed !== undefined, 'CO4 the connection ends with the sign-in');
  assert.equal(tail.closed, 4401);
});

test('CO10 without a cookie, or from another origin, there is no live connection', async (t) => {
  const world = await World.start(t);
  const cookie = await signedIn(world, 'read');
  for (const [headers, status] of [
    [{ Origin: world.daemon.url }, 401],
    [{ Cookie: cookie }, 403],
    [{ Cookie: cookie, Origin: 'http://evil.example' }, 403],
    [{ Cookie: cookie, Origin: world.daemon.url, 'X-Forwarded-For': '192.0.2.1' }, 404],
  ] as const) {
    const tail = openTail(world, headers);
    await eventually(() => tail.frames.length > 0, `an end with ${status}`);
    assert.match(String(tail.frames[0]?.failed), new RegExp(`${status}`));
  }
});

test('CO16 the live connections of a user are listed, oldest first', async (t) => {
  const world = await World.start(t);
  const clients = [await world.chat('ann'), await world.chat('ann')];
  await world.chat('bob');
  const { body } = await world.http('GET', '/users/ann/connections');
  assert.equal(body.connections.length, 2);
  assert.ok(body.connections[0].connected_at <= body.connections[1].connected_at);
  clients[0]?.terminate();
  await eventually(async () => (await world.http('GET', '/users/ann/connections')).body.connections.length === 1, 'one is left');
  assert.equal((await world.http('GET', '/api/v2/users/nobody/connections')).status, 404);
});
