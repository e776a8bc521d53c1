/** ND12, SR7 and RL18: live connections of other nodes, and the limits that nodes share. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import { eventually } from '../../support/eventually.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import { type PgWorld, pgWorld } from '../../support/store/pg-world.ts';
import { API_KEY, serverToken, userToken } from '../../support/world.ts';

const kit = PgKit.ofProcess();

/** Two nodes that have heard of each other. */
async function pair(t: TestContext, more: Record<string, string> = {}): Promise<[PgWorld, PgWorld]> {
  const app = randomUUID();
  const flags = { 'presence-grace-ms': '0', ...more };
  const nodes: [PgWorld, PgWorld] = [
    await pgWorld(t, kit, app, { flags, node: 'one' }),
    await pgWorld(t, kit, app, { flags, node: 'two' }),
  ];
  const [one, two] = nodes;
  await eventually(() => one.world.daemon.roster.presence.hasNode('two') && two.world.daemon.roster.presence.hasNode('one'));
  return nodes;
}

async function idOf(client: LiveClient): Promise<string> {
  return (await client.until((frame) => frame.connection_id !== undefined)).connection_id;
}

const isPresence = (id: string, online: boolean) => (frame: Frame) =>
  frame.type === 'user.presence.changed' && frame.user.id === id && frame.user.online === online;

function watch({ world }: PgWorld, connection: string, id: string, token: string) {
  const payload = encodeURIComponent(JSON.stringify({ filter_conditions: { id }, presence: true }));
  return world.http('GET', `/users?payload=${payload}&connection_id=${encodeURIComponent(connection)}`, undefined, token);
}

test('ND12 a query on another node makes a connection watch the users that were found, only that of its caller', pgOptions, async (t) => {
  const [one, two] = await pair(t);
  const json = encodeURIComponent(JSON.stringify({ user_details: { id: 'ann' } }));
  const ann = await one.world.open(`/connect?json=${json}&api_key=${API_KEY}&authorization=${userToken('ann')}`);
  const server = await one.world.subscriber();
  // The other node has just written it, and asks before this one may have it.
  await two.world.upsert({ id: 'bob' }, { id: 'eve' });
  assert.match(await idOf(ann), /^[\da-f-]{36}\.one$/);
  // On a busy machine the other node may need more than a moment to answer.
  const watched = async (connection: string, token: string) => {
    const { status, body } = await watch(two, connection, 'bob', token);
    if (status !== 503) assert.equal(body.users?.length, 1, JSON.stringify(body));
    return status === 200;
  };
  await eventually(async () => await watched(await idOf(ann), userToken('ann')));
  await eventually(async () => await watched(await idOf(server), serverToken()));
  const bob = await two.world.chat('bob');
  await Promise.all([ann.until(isPresence('bob', true)), server.until(isPresence('bob', true))]);
  bob.terminate();
  await Promise.all([ann.until(isPresence('bob', false)), server.until(isPresence('bob', false))]);
  const refused = await watch(two, await idOf(ann), 'bob', userToken('eve'));
  const here = await watch(one, await idOf(ann), 'bob', userToken('eve'));
  assert.deepEqual([refused.status, refused.body.errors], [400, here.body.errors]);
});

test('ND12 any node says why a connection was sent an event', pgOptions, async (t) => {
  const [one, two] = await pair(t);
  const client = await one.world.subscriber({ subs: [{ sub: 'ids', ids: ['bob'], snapshot: false }] });
  await two.world.upsert({ id: 'bob' });
  const { seq } = two.world.daemon.roster.position;
  const why = ({ world }: PgWorld, connection: string, event = seq) =>
    world.http('GET', `/debug/why?event=${event}&connection=${encodeURIComponent(connection)}`);
  const id = await idOf(client);
  const there = await why(two, id);
  assert.deepEqual([there.status, there.body.subscriptions], [200, [{ sub: 'ids', want: 'ids', result: 'sent' }]]);
  const listed = async ({ world }: PgWorld) => (await world.http('GET', '/debug/connections')).body.connections;
  assert.deepEqual(await listed(two), await listed(one), 'DW4 on whichever node one asks');
  const question = { resume: { ...two.world.daemon.roster.position, seq: 0 }, subs: [{ sub: 'all', all: true }] };
  const resumes = await Promise.all([one, two].map(async ({ world }) => (await world.http('POST', '/debug/resume', question)).body));
  assert.deepEqual(resumes[0].events, resumes[1].events, 'DW5 on whichever node one asks');
  assert.equal(resumes[0].events.last.seq, seq);
  const here = await why(one, id);
  assert.deepEqual({ ...there.body, duration: '' }, { ...here.body, duration: '' });
  assert.equal((await why(two, id, seq + 9)).body.code, 16);
  const refusals = await Promise.all([why(one, 'nobody'), why(two, `${randomUUID()}.one`), why(two, `${randomUUID()}.nowhere`)]);
  for (const { status, body } of refusals) assert.deepEqual([status, body.errors], [400, refusals[0]?.body.errors]);
});

test(
  'ND12 a node that does not answer may still have the connection: the request can be sent again, within moments',
  pgOptions,
  async (t) => {
    const [one, two] = await pair(t);
    await two.world.upsert({ id: 'bob' });
    const id = await idOf(await one.world.subscriber());
    // It is still among the nodes, and does not hear.
    one.proxy.isAway = true;
    one.proxy.cutAll();
    const startMs = performance.now();
    const [watched, why] = await Promise.all([
      watch(two, id, 'bob', serverToken()),
      two.world.http('GET', `/debug/why?event=1&connection=${id}`),
    ]);
    // 2 s on an idle machine; the other node is given up after ten.
    assert.ok(performance.now() - startMs < 9_000);
    for (const { status, body, headers } of [watched, why]) {
      assert.deepEqual([status, headers.get('retry-after')], [503, '5']);
      assert.match(body.message, /the node "one" did not answer within 2000 ms: the connection may still be open/);
    }
    one.proxy.isAway = false;
  },
);

test('SR7 one socket more than a user may have closes its oldest, on whatever node that is', pgOptions, async (t) => {
  const [one, two] = await pair(t);
  const clients: LiveClient[] = [];
  for (let n = 0; n < LIMITS.socketsPerUser; n++) clients.push(await (n % 2 === 0 ? one : two).world.chat('ann'));
  await eventually(() => [one, two].every(({ world }) => world.daemon.roster.presence.nodesOf('ann').length === 1));
  clients.push(await two.world.chat('ann'));
  const [oldest, ...others] = clients;
  assert.equal((await oldest?.closed)?.code, 4409);
  for (const client of others) await client.request({ op: 'ping' });
});

test('RL18 the headers of two nodes show half of a limit each, and all of it when one is left', pgOptions, async (t) => {
  const [one, two] = await pair(t, { 'rate-limits': 'clients' });
  await one.world.upsert({ id: 'ann' });
  const limit = async ({ world }: PgWorld) =>
    (await world.http('GET', '/users', undefined, userToken('ann'))).headers.get('x-ratelimit-limit');
  assert.deepEqual([await limit(one), await limit(two)], ['30', '30']);
  await two.world.stop();
  await eventually(() => !one.world.daemon.roster.presence.hasNode('two'));
  assert.equal(await limit(one), '60');
});
