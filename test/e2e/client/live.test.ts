/** CL23–CL29: the client's live half against a real daemon: tokens that end, durable consumers, overlapping subscriptions, goodbyes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digest } from '../../../protocol/base/digest.ts';
import { RosterClientError } from '../../../protocol/client/client-error.ts';
import { EmulatorBench } from '../../support/emulator/emulator-kit.ts';
import { eventually } from '../../support/eventually.ts';
import { cuttable, Host, serverClient } from '../../support/live/client-kit.ts';
import { userToken, World } from '../../support/world.ts';

const nowS = (): number => Math.floor(Date.now() / 1_000);

test('CL23 a token that ends soon is replaced on the same connection; the calls go on with the new one', async (t) => {
  const bench = await EmulatorBench.start(t);
  const { client, sockets } = cuttable(t, bench.app.url);
  let made = 0;
  const expiring = new Promise((resolve) => client.once('token.expiring', resolve));
  // The daemon warns a minute before the end: of the first one at once.
  await client.connectUser({ id: 'ann' }, () => bench.token({ user_id: 'ann', expires_in_s: ++made === 1 ? 30 : 3_600 }));
  await expiring;
  await eventually(
    () => made === 2,
    () => `${made} tokens were asked for`,
  );
  // It has another connection end, which is looked at after that of ann.
  const bob = cuttable(t, bench.app.url).client;
  await bob.connectUser({ id: 'bob' }, await bench.token({ user_id: 'bob', expires_in_s: 30 }));
  await bench.ask('POST', '/clock', { advance_ms: 60_000 });
  await eventually(
    () => bob.state.kind !== 'open',
    () => 'bob is still there',
  );
  assert.deepEqual([client.state.kind, sockets.length, made], ['open', 1, 2]);
  assert.equal((await client.update({ set: { name: 'Ann' } })).name, 'Ann');
  await client.queryUsers({});
  assert.equal(made, 2);
});

test('CL23 a token that was revoked ends the connection, and it comes back with a new one', async (t) => {
  const world = await World.start(t);
  const server = serverClient(t, world.daemon.url).client;
  const { client, sockets } = cuttable(t, world.daemon.url);
  let iat = nowS() - 100;
  await client.connectUser({ id: 'ann' }, () => userToken('ann', { iat }));
  iat = nowS();
  await server.revokeUserToken('ann', new Date((iat - 50) * 1_000));
  await eventually(
    () => sockets.length === 2 && client.state.kind === 'open',
    () => JSON.stringify(client.state),
  );
});

test('CL24 a user who is deactivated or deleted is told why, and does not come back', async (t) => {
  const world = await World.start(t);
  const server = serverClient(t, world.daemon.url).client;
  const ending = async (id: string, end: () => Promise<unknown>): Promise<unknown> => {
    const { client } = cuttable(t, world.daemon.url);
    await client.connectUser({ id }, async () => userToken(id));
    const closed = new Promise<unknown>((resolve) => {
      client.on('state', (state) => {
        if (state.kind === 'closed') resolve([state.code, state.error?.code]);
      });
    });
    await end();
    return await closed;
  };
  assert.deepEqual(await ending('ann', () => server.deactivateUser('ann')), [4403, 17]);
  assert.deepEqual(await ending('bob', () => server.deleteUser('bob')), [4404, 16]);
});

test('CL25 a durable consumer that starts anew is handed what it did not acknowledge, and nothing else', async (t) => {
  const host = await Host.start(t);
  const follow = async (seen: string[]) => {
    const made = serverClient(t, host.url, { durable: 'mirror' });
    made.client.on('event', ({ user }) => seen.push(user.id));
    // Named before the connect, so that the past is told to it.
    void made.client.subscribe({ sub: 'all', all: true, snapshot: false });
    await made.client.connect();
    return made;
  };
  const first: string[] = [];
  const { client } = await follow(first);
  await host.world.upsert({ id: 'ann' }, { id: 'bob' });
  await eventually(
    () => first.length === 2,
    () => first.join(),
  );
  client.ack();
  await host.world.upsert({ id: 'carl' });
  await eventually(
    () => first.length === 3,
    () => first.join(),
  );
  await client.disconnectUser();
  await host.world.upsert({ id: 'dora' });
  await host.restart();
  const second: string[] = [];
  await follow(second);
  await eventually(
    () => second.length >= 2,
    () => second.join(),
  );
  assert.deepEqual(
    [first, second],
    [
      ['ann', 'bob', 'carl'],
      ['carl', 'dora'],
    ],
  );
});

test('CL26 a subscription without a snapshot, named late on a connection that resumed, is told what it missed, and no other twice', async (t) => {
  const world = await World.start(t);
  const { client, cut, sockets } = serverClient(t, world.daemon.url);
  const heard: string[] = [];
  client.on('event', ({ user, seq, sub }) => heard.push(`${user.id} ${sub?.join()} ${seq > 0}`));
  await client.connect();
  await client.subscribe({ sub: 'a', ids: ['ann', 'both'] });
  await world.upsert({ id: 'ann' });
  await eventually(
    () => heard.length === 1,
    () => heard.join(),
  );
  cut();
  await eventually(
    () => client.state.kind !== 'open',
    () => 'still open',
  );
  await world.upsert({ id: 'bob' }, { id: 'both' });
  await eventually(
    () => heard.length === 2 && sockets.length === 2,
    () => heard.join(),
  );
  await client.subscribe({ sub: 'b', ids: ['bob', 'both'], snapshot: false });
  await eventually(
    () => heard.length >= 4,
    () => heard.join(),
  );
  await world.upsert({ id: 'both', name: 'x' });
  await eventually(
    () => heard.length >= 5,
    () => heard.join(),
  );
  assert.deepEqual(heard, ['ann a true', 'both a true', 'bob b true', 'both b true', 'both a,b true']);
});

test('CL27 after the history was replaced every subscription is told what it holds now and what is gone', async (t) => {
  const bench = await EmulatorBench.start(t);
  await bench.ask('POST', '/seed', { users: [{ id: 'both', name: 'new' }] });
  await bench.ask('POST', '/snapshots/other');
  await bench.ask('POST', '/reset');
  const many = Array.from({ length: 20 }, (_, n) => ({ id: `x${n}` }));
  await bench.ask('POST', '/seed', { users: [{ id: 'old' }, { id: 'both' }, ...many] });
  const { client } = serverClient(t, bench.app.url);
  await client.connect();
  await client.subscribe({ sub: 'all', all: true, limit: 7 });
  await client.subscribe({ sub: 'quiet', ids: ['both'], snapshot: false });
  const resyncs = new Map<string, unknown>();
  client.on('resync', (sub, users, gone) => resyncs.set(sub, [users.map(({ id }) => id).sort(), gone.filter((id) => !id.startsWith('x'))]));
  await bench.ask('POST', '/snapshots/other/restore');
  await eventually(
    () => resyncs.size === 2,
    () => JSON.stringify([...resyncs]),
  );
  assert.deepEqual(Object.fromEntries(resyncs), { all: [['both'], ['old']], quiet: [[], []] });
  assert.equal(client.users.get('both')?.name, 'new');
  assert.equal(client.digest(), digest(bench.app.roster.directory.users()));
});

test('CL28 what a client subscribes to before it connects is there when it has', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob' }, { id: 'carl' });
  const { client } = cuttable(t, world.daemon.url);
  const bob = client.subscribe({ sub: 'bob', ids: ['bob'] });
  const wrong = client.subscribe({ sub: 'wrong', ids: ['carl'] });
  await client.unsubscribe('wrong');
  await assert.rejects(wrong, RosterClientError);
  await client.connectUser({ id: 'ann' }, userToken('ann'));
  assert.deepEqual(
    (await bob).map(({ id }) => id),
    ['bob'],
  );
  await assert.rejects(
    client.subscribe({ sub: 'both', ids: ['bob'], all: true }),
    (error) => error instanceof RosterClientError && error.code === 4,
  );
  assert.deepEqual([...client.users.keys()], ['bob']);
  await client.unsubscribe('bob');
  assert.equal(client.users.size, 0);
});

test('CL29 the copy of a client behind the walls of teams follows its sight', async (t) => {
  const world = await World.start(t);
  const server = serverClient(t, world.daemon.url).client;
  await server.updateAppSettings({ multi_tenant_enabled: true });
  await server.upsertUsers([
    { id: 'ann', teams: ['red'] },
    { id: 'bob', teams: ['red'] },
    { id: 'carl', teams: ['blue'] },
  ]);
  const { client } = cuttable(t, world.daemon.url);
  await client.connectUser({ id: 'ann' }, userToken('ann'));
  await client.subscribe({ sub: 'all', all: true });
  const holds = async (...ids: string[]): Promise<void> => {
    const have = (): string => [...client.users.keys()].sort().join();
    await eventually(
      () => have() === ids.join(),
      () => `has ${have()}, not ${ids.join()}`,
    );
  };
  await holds('ann', 'bob');
  await server.partialUpdateUser({ id: 'bob', set: { teams: ['blue'] } });
  await holds('ann');
  await server.partialUpdateUser({ id: 'ann', set: { teams: ['blue'] } });
  await holds('ann', 'bob', 'carl');
  assert.deepEqual(client.me?.teams, ['blue']);
  await server.updateAppSettings({ grants: { user: ['update-user-owner'] } });
  await server.updateAppSettings({ multi_tenant_enabled: false });
  await holds();
});

test('CL37 who is deleted while online leaves a subscription by presence, whether its coming was told yet or not', async (t) => {
  const world = await World.start(t, { flags: { 'presence-grace-ms': '0' } });
  const server = serverClient(t, world.daemon.url).client;
  await server.connect();
  await server.subscribe({ sub: 'online', filter: { online: true } });
  const here = (id: string) =>
    eventually(
      () => server.users.has(id),
      () => `${id} did not come`,
    );
  for (const isTold of [true, false]) {
    const id = isTold ? 'ann' : 'bob';
    await cuttable(t, world.daemon.url).client.connectUser({ id }, userToken(id));
    if (isTold) await here(id);
    await server.upsertUser({ id, name: 'x' });
    await server.deleteUser(id);
  }
  await cuttable(t, world.daemon.url).client.connectUser({ id: 'carl' }, userToken('carl'));
  await here('carl');
  assert.deepEqual([...server.users.keys()], ['carl']);
});
