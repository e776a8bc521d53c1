/** The client library against a real daemon: rules CL1–CL5. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { WebSocket } from 'ws';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { RosterClientError } from '../../../protocol/client/client-error.ts';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import type { ConnectionState, UserEvent } from '../../../protocol/client/types.ts';
import { EmulatorBench } from '../../support/emulator/emulator-kit.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

function client(t: TestContext, world: World): RosterClient {
  const made = new RosterClient({ url: world.liveUrl, apiKey: API_KEY, webSocket: WebSocket, random: () => 0 });
  t.after(() => made.disconnectUser());
  return made;
}

function stateReached(from: RosterClient, kind: ConnectionState['kind']): Promise<void> {
  return new Promise((resolve) => {
    from.on('state', (state) => {
      if (state.kind === kind) resolve();
    });
  });
}

test('CL1 connectUser creates the own user, update changes it, and its events arrive', async (t) => {
  const world = await World.start(t);
  const ann = client(t, world);
  const me = await ann.connectUser({ id: 'ann', name: 'Ann' }, userToken('ann'));
  assert.equal(me.role, 'user');
  const updated = new Promise<UserEvent>((resolve) => ann.once('user.updated', resolve));
  assert.equal((await ann.update({ set: { name: 'Anna' } })).name, 'Anna');
  assert.equal((await updated).user.name, 'Anna');
});

test('CL2 a refusal rejects with its code and does not come back', async (t) => {
  const world = await World.start(t);
  const ann = client(t, world);
  await assert.rejects(
    ann.connectUser({ id: 'ann', role: 'admin' }, userToken('ann')),
    (error) => error instanceof RosterClientError && error.code === 17,
  );
  assert.equal(ann.state.kind, 'closed');
});

test('CL3 subscribe gives the users page by page and then every change', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'a' }, { id: 'b' }, { id: 'c' });
  const server = client(t, world);
  await server.connect(serverToken());
  const users = await server.subscribe({ sub: 'all', all: true, limit: 1 });
  assert.deepEqual(users.map(({ id }) => id).sort(), ['a', 'b', 'c']);
  const next = new Promise<UserEvent>((resolve) => server.once('event', resolve));
  await world.upsert({ id: 'd' });
  assert.equal((await next).user.id, 'd');
});

test('CL4 over a restart of the daemon the client comes back and misses nothing', async (t) => {
  const listen = `127.0.0.1:${await freePort()}`;
  const first = await World.start(t, { flags: { listen } });
  const server = client(t, first);
  const seen: string[] = [];
  server.on('event', ({ user }) => seen.push(user.id));
  server.on('resync', () => seen.push('resync'));
  await server.connect(serverToken());
  await server.subscribe({ sub: 'all', all: true });
  await first.upsert({ id: 'a' });
  const waiting = stateReached(server, 'waiting');
  await first.stop();
  await waiting;

  const second = await World.start(t, { flags: { listen }, data: first.data });
  const opened = stateReached(server, 'open');
  await second.upsert({ id: 'b' });
  await opened;
  await second.upsert({ id: 'c' });
  while (seen.length < 3) await new Promise<void>((resolve) => server.once('event', () => resolve()));
  assert.deepEqual(seen, ['a', 'b', 'c']);
});

test('CL5 when the history was replaced, the client is told so with the users as they are now', async (t) => {
  const bench = await EmulatorBench.start(t);
  const server = bench.client();
  await server.connect();
  await server.subscribe({ sub: 'all', all: true });
  await server.upsertUsers([{ id: 'a' }]);
  const resync = new Promise<readonly string[][]>((resolve) =>
    server.once('resync', (_, users, gone) => resolve([users.map(({ id }) => id), [...gone]])),
  );
  await bench.ask('POST', '/reset');
  assert.deepEqual(await resync, [[], ['a']]);
});

test('CL6 coming and going of watched users is handed out, though it has no position of its own', { timeout: 30_000 }, async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  await world.upsert({ id: 'bob' });
  const ann = client(t, world);
  await ann.connectUser({ id: 'ann' }, userToken('ann'));
  await ann.subscribe({ sub: 'friends', ids: ['bob'], presence: true });
  const seen: boolean[] = [];
  const gone = new Promise<void>((resolve) => {
    ann.on('user.presence.changed', ({ user }) => {
      seen.push(user.online);
      if (!user.online) resolve();
    });
  });
  const came = new Promise((resolve) => ann.once('user.presence.changed', resolve));
  const bob = await world.chat('bob');
  await came;
  const { position } = ann;
  bob.terminate();
  await gone;
  assert.deepEqual(seen, [true, false]);
  assert.deepEqual(ann.position, position);
});
