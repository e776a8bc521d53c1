/** DC8: durable consumers whose sessions come to several nodes. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { type PgWorld, pgWorld } from '../../support/store/pg-world.ts';

const kit = PgKit.ofProcess();

const subs = [{ sub: 'all', all: true, snapshot: false }];
const consumer = ({ world }: PgWorld): Promise<LiveClient> => world.subscriber({ durable: 'mirror', subs });
const names = (client: LiveClient): string[] => client.events.map(({ user }) => user.id);

async function pair(t: TestContext): Promise<[PgWorld, PgWorld]> {
  const app = randomUUID();
  const nodes: [PgWorld, PgWorld] = [await pgWorld(t, kit, app, { node: 'one' }), await pgWorld(t, kit, app, { node: 'two' })];
  const [one, two] = nodes;
  await eventually(() => one.world.daemon.roster.presence.hasNode('two') && two.world.daemon.roster.presence.hasNode('one'));
  return nodes;
}

async function positionAt({ world }: PgWorld): Promise<number | undefined> {
  const { body } = await world.http('GET', '/consumers');
  return body.consumers.find((one: { name: string }) => one.name === 'mirror')?.seq;
}

test(
  'DC8 a session on another node takes a consumer over at what was acknowledged a moment ago, and closes the other',
  pgOptions,
  async (t) => {
    const [one, two] = await pair(t);
    const first = await consumer(one);
    await one.world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'carl' });
    await first.until(({ user }) => user?.id === 'carl');
    first.send({ op: 'ack', seq: first.events[1].seq });
    await first.request({ op: 'ping' });
    await eventually(() => two.world.daemon.roster.directory.docs.get('consumer', 'mirror') !== undefined);
    const second = await consumer(two);
    assert.equal((await first.closed).code, 4409);
    assert.equal(second.frames[0].resumed, true);
    await second.until(({ user }) => user?.id === 'carl');
    assert.deepEqual(names(second), ['carl'], 'what the other one acknowledged does not come again');
    const third = await consumer(one);
    assert.equal((await second.closed).code, 4409);
    await two.world.upsert({ id: 'dora' });
    await third.until(({ user }) => user?.id === 'dora');
  },
);

test('DC8 of sessions that come to two nodes at once, one stays, and each name has one holder', pgOptions, async (t) => {
  const [one, two] = await pair(t);
  await consumer(one);
  for (let round = 0; round < 5; round++) {
    const clients = await Promise.allSettled([consumer(one), consumer(two)]);
    const opened = clients.flatMap((client) => (client.status === 'fulfilled' ? [client.value] : []));
    const codes: number[] = [];
    for (const client of opened) void client.closed.then(({ code }) => codes.push(code));
    await eventually(() => codes.length === opened.length - 1);
    await one.world.upsert({ id: `u${round}` });
    await Promise.any(opened.map((client) => client.until(({ user }) => user?.id === `u${round}`)));
    assert.deepEqual(
      codes,
      opened.slice(1).map(() => 4409),
      'the other one stays',
    );
  }
});

test(
  'DC8 DC3 a node that does not hear closes its session when it reads of the other, and what it then acknowledges takes nothing back',
  pgOptions,
  async (t) => {
    const [one, two] = await pair(t);
    const first = await consumer(one);
    await one.world.upsert({ id: 'ann' }, { id: 'bob' });
    await first.until(({ user }) => user?.id === 'bob');
    await eventually(() => two.world.daemon.roster.directory.docs.get('consumer', 'mirror') !== undefined);
    one.proxy.isAway = true;
    one.proxy.cutAll();
    first.send({ op: 'ack', seq: first.events[0].seq });
    await first.request({ op: 'ping' });
    const second = await consumer(two);
    await second.until(({ user }) => user?.id === 'bob');
    const { seq } = second.events[1];
    second.send({ op: 'ack', seq });
    await eventually(async () => (await positionAt(two)) === seq);
    one.proxy.isAway = false;
    assert.equal((await first.closed).code, 4409);
    await eventually(async () => (await positionAt(one)) === seq);
    await one.world.stop();
    assert.equal(await positionAt(two), seq);
    await second.request({ op: 'ping' });
  },
);

test('DC8 a consumer that is removed on one node ends on the other', pgOptions, async (t) => {
  const [one, two] = await pair(t);
  const client = await consumer(one);
  assert.equal((await two.world.http('DELETE', '/consumers/mirror')).status, 200);
  assert.equal((await client.closed).code, 4409);
  assert.equal((await two.world.http('DELETE', '/consumers/mirror')).body.code, 16);
});
