/** PR7, PR9: presence of subscriptions that are named late, and of what a connection watches. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
import { API_KEY, serverToken, userToken, World } from '../../support/world.ts';

const isPresence = (id: string, online: boolean) => (frame: Frame) =>
  frame.type === 'user.presence.changed' && frame.user.id === id && frame.user.online === online;
const isState = ({ type }: Frame): boolean => type === 'presence.state';

function start(t: TestContext, flags: Record<string, string> = {}): Promise<World> {
  return World.start(t, { flags: { 'presence-grace-ms': '0', ...flags } });
}

/** A query with `presence`, in the name of whom the token is for. */
async function watch(world: World, client: LiveClient, ids: readonly string[], token: string): Promise<void> {
  const { connection_id } = await client.until((frame) => frame.connection_id !== undefined);
  const payload = encodeURIComponent(JSON.stringify({ filter_conditions: { id: { $in: ids } }, presence: true, limit: 100 }));
  const { status, body } = await world.http('GET', `/users?payload=${payload}&connection_id=${connection_id}`, undefined, token);
  assert.deepEqual([status, body.users.length], [200, ids.length]);
}

/** A connection of `GET /connect`. */
async function listener(world: World, id: string): Promise<LiveClient> {
  const json = encodeURIComponent(JSON.stringify({ user_details: { id } }));
  const client = await world.open(`/connect?json=${json}&api_key=${API_KEY}&authorization=${userToken(id)}`);
  await client.until(({ me }) => me !== undefined);
  return client;
}

test('PR9 a server that subscribes to everything hears of the users it watches, too', async (t) => {
  const world = await start(t);
  await world.upsert({ id: 'bob' }, { id: 'carl' });
  const server = await world.subscriber();
  await server.request({ op: 'sub', sub: 'all', all: true });
  await watch(world, server, ['bob'], serverToken());
  const carl = await world.chat('carl');
  const bob = await world.chat('bob');
  await server.until(isPresence('bob', true));
  bob.terminate();
  carl.terminate();
  await server.until(isPresence('bob', false));
  assert.ok(!server.frames.some((frame) => isPresence('carl', true)(frame) || isPresence('carl', false)(frame)));
  await world.upsert({ id: 'bob', name: 'Bob' });
  const updated = await server.until(({ user }) => user?.name === 'Bob');
  assert.deepEqual(updated.sub, ['all']);
});

for (const kind of ['/connect', '/live'] as const) {
  test(`PR10 who reads too slowly is told afterwards whether the users it watches by ${kind} are there`, async (t) => {
    const world = await start(t, { 'outbox-bytes-max': '64KiB' });
    const crowd = Array.from({ length: 90 }, (_, n) => `u${n}`);
    await world.upsert({ id: 'ann' }, { id: 'bob' }, { id: 'carl' }, ...crowd.map((id) => ({ id })));
    const carl = await world.chat('carl');
    const ann = kind === '/live' ? await world.chat('ann') : await listener(world, 'ann');
    await watch(world, ann, ['bob', 'carl', ...crowd], userToken('ann'));
    ann.ws.pause();
    const { stats } = world.daemon.roster.hub;
    for (let round = 0; stats.fellBehind === 0; round++) {
      assert.ok(round < 100, 'the reader never fell behind');
      await world.upsert(...crowd.map((id) => ({ id, custom: { round, pad: 'y'.repeat(4_000) } })));
    }
    const observer = await world.subscriber({ subs: [{ sub: 'all', all: true, presence: true }] });
    await world.chat('bob');
    carl.terminate();
    await observer.until(isPresence('bob', true));
    await observer.until(isPresence('carl', false));
    ann.ws.resume();
    const came = await ann.until(isPresence('bob', true), 'the presence of bob');
    await ann.until(isPresence('carl', false), 'the presence of carl');
    assert.deepEqual([came.sub, came.user.custom === undefined], [undefined, kind === '/connect']);
  });
}

test('PR7 a subscription that is named late on a resumed connection is told who is online', async (t) => {
  const world = await start(t);
  const bob = await world.chat('bob');
  const named = { sub: 'p', ids: ['bob', 'carl'], presence: true };
  const first = await world.subscriber({ subs: [named] });
  const { epoch } = first.frames[0];
  const { seq } = await first.request({ op: 'ping' });
  first.terminate();
  const observer = await world.subscriber({ subs: [{ sub: 'all', all: true, presence: true }] });
  bob.terminate();
  await world.chat('carl');
  await observer.until(isPresence('carl', true));
  const again = await world.subscriber({ resume: { epoch, seq } });
  await again.until(({ caught_up }) => caught_up === true);
  await again.request({ op: 'sub', ...named, snapshot: false });
  const state = await again.until(isState);
  assert.deepEqual(state, { type: 'presence.state', sub: ['p'], reset: true, online: ['carl'] });
  assert.ok(again.frames.indexOf(state) > again.frames.findIndex(({ user }) => user?.id === 'carl'), 'behind what was missed');
  const isQ = (frame: Frame): boolean => isState(frame) && frame.sub[0] === 'q';
  // A position that nothing follows: there is no past to wait for.
  const { seq: now } = await again.request({ op: 'ping' });
  const last = await world.subscriber({ resume: { epoch, seq: now } });
  await last.until(({ caught_up }) => caught_up === true);
  await last.request({ op: 'sub', ...named, sub: 'q', snapshot: false });
  assert.deepEqual((await last.until(isQ)).online, ['carl']);
  const fresh = await world.subscriber();
  await fresh.request({ op: 'sub', ...named, snapshot: false });
  await fresh.request({ op: 'ping' });
  assert.deepEqual(fresh.frames.filter(isState), [], 'who did not resume and wants no snapshot hears of changes only');
});
