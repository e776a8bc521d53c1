/** LV45, LV46, LV18: subscriptions that are named again or late, and how many a connection may have. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { LiveClient } from '../../support/live/live-client.ts';
import { API_KEY, userToken, World } from '../../support/world.ts';

const seqs = (client: LiveClient): number[] => client.events.map(({ seq }) => seq);

/** A position, and three events after it. */
async function threeBehind(world: World): Promise<{ epoch: string; seq: number }> {
  const { epoch, seq } = world.daemon.roster.position;
  for (let n = 0; n < 3; n++) await world.upsert({ id: 'u', custom: { n } });
  return { epoch, seq };
}

test('LV45 a subscription that is named again without a snapshot goes on from here, on a resumed connection, too', async (t) => {
  const world = await World.start(t);
  const resume = await threeBehind(world);
  const client = await world.subscriber({ resume, subs: [{ sub: 's', ids: ['u'] }] });
  await client.until(({ caught_up }) => caught_up === true);
  const told = seqs(client);
  assert.equal(told.length, 3);
  const again = await client.request({ op: 'sub', sub: 's', ids: ['u', 'v'], snapshot: false });
  assert.equal(again.seq, told[2]);
  await world.upsert({ id: 'v' });
  await client.until(({ user }) => user?.id === 'v');
  assert.deepEqual(seqs(client).slice(0, -1), told, 'nothing was repeated');
  // Another name did miss the past.
  assert.equal((await client.request({ op: 'sub', sub: 'late', ids: ['u'], snapshot: false })).seq, resume.seq);
  await client.until(({ sub, seq }) => sub?.[0] === 'late' && seq === told[2]);
  assert.deepEqual(
    client.events.slice(-3).map(({ seq, sub }) => [seq, sub]),
    told.map((seq) => [seq, ['late']]),
  );
});

test('LV45 DC3 what was delivered can be acknowledged while the past is read for a subscription named late', async (t) => {
  const world = await World.start(t);
  const subs = [{ sub: 's', ids: ['u'] }];
  (await world.subscriber({ durable: 'mirror', subs })).terminate();
  await threeBehind(world);
  const client = await world.subscriber({ durable: 'mirror', subs });
  assert.equal(client.frames[0].resumed, true);
  await client.until(({ caught_up }) => caught_up === true);
  const last = seqs(client).at(-1) ?? 0;
  client.send({ op: 'sub', sub: 'late', ids: ['v'], snapshot: false });
  client.send({ op: 'ack', id: 'good', seq: last });
  client.send({ op: 'ack', id: 'bad', seq: last + 1_000 });
  assert.match((await client.until(({ re }) => re === 'bad')).error.message, new RegExp(`nothing beyond ${last} `));
  assert.ok(!client.frames.some(({ re }) => re === 'good'), 'an acknowledgement is answered only when it is refused');
});

test('LV46 a connection has at most 32 subscriptions, whoever it is of', async (t) => {
  const world = await World.start(t);
  await world.upsert({ id: 'x' });
  for (const client of [await world.subscriber(), await world.chat('ann')]) {
    for (let n = 0; n < LIMITS.subsPerConnection; n++) await client.request({ op: 'sub', sub: `s${n}`, ids: ['x'] });
    await assert.rejects(client.request({ op: 'sub', sub: 'more', ids: ['x'] }), /at most 32 subscriptions/);
    await client.request({ op: 'sub', sub: 's0', ids: ['x', 'y'] });
    await client.request({ op: 'unsub', sub: 's1' });
    await client.request({ op: 'sub', sub: 'more', ids: ['x'] });
  }
});

test('LV18 connections of GET /connect count like all others', { timeout: 30_000 }, async (t) => {
  const world = await World.start(t, { flags: { 'rate-limits': 'off' } });
  const json = encodeURIComponent('{"user_details":{"id":"ann"}}');
  const all: LiveClient[] = [];
  for (let n = 0; n <= LIMITS.socketsPerUser; n++) {
    const client = await world.open(`/connect?json=${json}&api_key=${API_KEY}&authorization=${userToken('ann')}`);
    await client.until(({ me }) => me !== undefined);
    all.push(client);
  }
  assert.equal((await all[0]?.closed)?.code, 4409);
  assert.equal(all.filter(({ ws }) => ws.readyState === ws.OPEN).length, LIMITS.socketsPerUser);
});
