/** CL60–CL67 against a real daemon: what was missed, changed or refused while a client was away. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { type Cuttable, cuttable, serverClient } from '../../support/live/client-kit.ts';
import { userToken, World } from '../../support/world.ts';

/** Comes back late enough to have something done before. */
const SLOW = { random: () => 0.9 };

async function becomes({ client }: Cuttable, kind: string): Promise<void> {
  await eventually(
    () => client.state.kind === kind,
    () => `${client.state.kind}, not ${kind}`,
  );
}

/** Cuts the connection, and has something done before the client is back, however long that takes. */
async function whileAway(made: Cuttable, work: () => Promise<unknown>): Promise<void> {
  made.isolate(true);
  made.cut();
  await becomes(made, 'waiting');
  await work();
  made.isolate(false);
  await becomes(made, 'open');
}

/** Whoever has no other role may not search for users any more. */
async function forbidSearch(t: TestContext, { daemon }: World): Promise<void> {
  await serverClient(t, daemon.url).client.updateAppSettings({ grants: { user: ['update-user-owner'] } });
}

test('CL60 what a subscription missed that is named late is not lost to another cut', async (t) => {
  const world = await World.start(t);
  const ids = Array.from({ length: 1_000 }, () => randomUUID());
  const id = ids[0] ?? '';
  await world.upsert({ id, name: 'old' }, { id: 'other' });
  const made = serverClient(t, world.daemon.url, SLOW);
  const { client, cut, sockets } = made;
  await client.connect();
  await client.subscribe({ sub: 'other', ids: ['other'] });
  await client.subscribe({ sub: 'friends', ids });
  const heard: string[] = [];
  client.on('event', ({ user }) => heard.push(`${user.id === id ? 'friend' : user.id} ${user.name}`));
  client.on('resync', (sub) => heard.push(`resync ${sub}`));
  // The daemon says that the client has caught up before it answers the subscription.
  client.on('state', ({ kind }) => {
    if (kind === 'open' && sockets.length === 2) {
      sockets[1]?.on('message', (data) => {
        if (String(data).includes('caught_up')) cut();
      });
    }
  });
  await whileAway(made, () => world.upsert({ id, name: 'new' }, { id: 'other', name: 'new' }));
  await eventually(
    () => sockets.length === 3 && heard.length === 2,
    () => `${sockets.length} ${heard}`,
  );
  await world.upsert({ id, name: 'newer' });
  await eventually(
    () => heard.length >= 3,
    () => heard.join(),
  );
  assert.deepEqual(heard, ['other new', 'friend new', 'friend newer']);
});

test('CL61 what is changed elsewhere outlives a device that comes back, and a new role does not keep it out', async (t) => {
  const world = await World.start(t);
  const phone = cuttable(t, world.daemon.url, SLOW);
  await phone.client.connectUser({ id: 'ann', name: 'Old', role: 'user', teams: [] }, userToken('ann'));
  await whileAway(phone, () => world.upsert({ id: 'ann', name: 'New', role: 'admin' }));
  assert.deepEqual([phone.client.me?.name, phone.client.me?.role], ['New', 'admin']);
});

test('CL63 a subscription that is not allowed keeps nobody out: it alone is refused', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob' });
  const made = cuttable(t, world.daemon.url, SLOW);
  const { client } = made;
  await client.connectUser({ id: 'ann' }, userToken('ann'));
  await client.subscribe({ sub: 'bob', ids: ['bob'] });
  await client.subscribe({ sub: 'all', all: true });
  const refused: unknown[] = [];
  client.on('sub.refused', (sub, { code }) => refused.push([sub, code]));
  await whileAway(made, () => forbidSearch(t, world));
  await eventually(
    () => refused.length === 1 && client.users.size === 1,
    () => JSON.stringify([refused, ...client.users.keys()]),
  );
  assert.deepEqual([refused, [...client.users.keys()]], [[['all', 17]], ['bob']]);
  const eve = cuttable(t, world.daemon.url).client;
  const [all, bob] = [eve.subscribe({ sub: 'all', all: true }), eve.subscribe({ sub: 'bob', ids: ['bob'] })];
  await eve.connectUser({ id: 'eve' }, userToken('eve'));
  await assert.rejects(all, /SearchUser/);
  assert.equal((await bob).length, 1);
});

test('CL64 of more users than a frame can name, the ones that queries found last are heard of', async (t) => {
  const world = await World.start(t);
  const idOf = (n: number): string => `${'x'.repeat(200)}-${String(n).padStart(3, '0')}`;
  for (let at = 0; at < 400; at += 100) await world.upsert(...Array.from({ length: 100 }, (_, n) => ({ id: idOf(at + n) })));
  const { client } = serverClient(t, world.daemon.url);
  await client.connect();
  // The first ones are found again in the end.
  for (const at of [0, 100, 200, 300, 0]) {
    await client.queryUsers({ id: { $gte: idOf(at) } }, { id: 1 }, { limit: 100, presence: true });
  }
  assert.ok(client.users.size > 300 && client.users.size < 400, String(client.users.size));
  const heard: string[] = [];
  client.on('event', ({ user }) => heard.push(user.id.slice(-3)));
  await world.upsert({ id: idOf(100), name: 'x' });
  await world.upsert({ id: idOf(0), name: 'x' });
  await world.upsert({ id: idOf(399), name: 'x' });
  await eventually(
    () => heard.length >= 2,
    () => heard.join(),
  );
  assert.deepEqual(heard, ['000', '399']);
});

test('CL64 a query with presence while the client comes back is answered at once, and heard of from then on', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'bob' });
  const made = cuttable(t, world.daemon.url, SLOW);
  await made.client.connectUser({ id: 'ann' }, userToken('ann'));
  await whileAway(made, async () => {
    await made.client.queryUsers({ id: 'bob' }, {}, { presence: true });
    assert.notEqual(made.client.state.kind, 'open');
  });
  await eventually(
    () => made.client.users.has('bob'),
    () => 'bob is not there',
  );
});

test('CL67 what a durable consumer acknowledges while it is away is not handed to the next one', async (t) => {
  const world = await World.start(t);
  const start = async (seen: string[]): Promise<Cuttable> => {
    const made = serverClient(t, world.daemon.url, { durable: 'mirror', ...SLOW });
    made.client.on('event', ({ user }) => seen.push(user.id));
    void made.client.subscribe({ sub: 'all', all: true, snapshot: false });
    await made.client.connect();
    return made;
  };
  const [first, second]: [string[], string[]] = [[], []];
  const made = await start(first);
  await world.upsert({ id: 'ann' });
  await eventually(
    () => first.length === 1,
    () => 'nothing came',
  );
  await whileAway(made, async () => made.client.ack());
  await made.client.disconnectUser();
  await world.upsert({ id: 'bob' });
  await start(second);
  await eventually(
    () => second.length >= 1,
    () => 'nothing came',
  );
  assert.deepEqual([first, second], [['ann'], ['bob']]);
});
