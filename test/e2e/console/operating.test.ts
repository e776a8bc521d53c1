/** CO30–CO32 on a real daemon: its state and samples, its connections, and the end of one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { World } from '../../support/world.ts';

test('CO30 a node says how it is doing', async (t) => {
  const world = await World.start(t);
  const { body } = await world.http('GET', '/nodes');
  assert.equal(body.nodes.length, 1);
  const [{ is_here, state }] = body.nodes;
  assert.equal(is_here, true);
  assert.equal(state.trouble, null);
  assert.equal(state.write_trouble, null);
  assert.ok(state.data_free_bytes > 0);
  assert.equal(state.epoch, world.daemon.roster.position.epoch);
  assert.equal((await world.http('GET', '/nodes?after=soon')).status, 400);
});

test('CO31 CO32 connections are listed, found and closed; the client is told that it may come back', async (t) => {
  const world = await World.start(t);
  const ann = await world.chat('ann');
  await world.chat('bob');
  await world.subscriber({ durable: 'mirror', subs: [{ sub: 'all', all: true }] });
  const { body } = await world.http('GET', '/connections?sort=oldest');
  assert.equal(body.total, 3);
  assert.deepEqual(
    body.connections.map(({ user_id, transport, consumer }: Record<string, unknown>) => [user_id, transport, consumer]),
    [
      ['ann', 'live', null],
      ['bob', 'live', null],
      [null, 'live', 'mirror'],
    ],
  );
  const [first, , durable] = body.connections;
  assert.equal(first.address, '127.0.0.1');
  assert.equal(durable.subscriptions, 1);
  assert.ok(durable.sent_seq >= durable.acknowledged_seq);
  const pages = await world.http('GET', '/connections?sort=oldest&limit=2');
  const next = await world.http('GET', `/connections?sort=oldest&limit=2&next=${encodeURIComponent(pages.body.next)}`);
  assert.deepEqual(
    next.body.connections.map(({ connection_id }: { connection_id: string }) => connection_id),
    [durable.connection_id],
  );
  for (const wrong of ['sort=size', 'next=far', 'limit=-1']) {
    assert.equal((await world.http('GET', `/connections?${wrong}`)).status, 400, wrong);
  }
  const closed = await world.http('DELETE', `/connections/${first.connection_id}`);
  assert.equal(closed.body.code, 1012);
  assert.equal((await ann.closed).code, 1012);
  await eventually(async () => (await world.http('GET', '/connections?search=ann')).body.total === 0, 'it is gone from the list');
  assert.equal((await world.http('DELETE', `/connections/${first.connection_id}`)).status, 404);
});
