/** LV64: compressed messages between a real daemon and clients that offer permessage-deflate, or do not. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { LiveClient } from '../../support/live/live-client.ts';
import { API_KEY, serverToken, World } from '../../support/world.ts';

const CLIENTS = 60;
const ROUNDS = 6;

interface Subscribed {
  readonly client: LiveClient;
  readonly socket: Socket;
}

async function subscribed(world: World, options: Record<string, unknown>): Promise<Subscribed> {
  const { hostname, port } = new URL(world.liveUrl);
  const socket = connect(Number(port), hostname);
  const client = await LiveClient.open(`${world.liveUrl}/live`, { ...options, createConnection: () => socket });
  const subs = [{ sub: 'all', all: true, snapshot: false }];
  await client.request({ op: 'connect', api_key: API_KEY, token: serverToken(), subs });
  return { client, socket };
}

test('LV64 clients with and without compression are told the same, and those with it are sent a fraction of the bytes', async (t) => {
  const world = await World.start(t);
  // The clients compress each of their own messages, however small.
  const offers = { perMessageDeflate: { threshold: 0 } };
  const packed = await Promise.all(Array.from({ length: CLIENTS }, () => subscribed(world, offers)));
  const plain = await subscribed(world, { perMessageDeflate: false });
  const reset = await subscribed(world, { perMessageDeflate: { serverNoContextTakeover: true } });
  const all = [...packed, plain, reset];
  t.after(() => all.map(({ client }) => client.terminate()));
  assert.ok(packed.every(({ client }) => client.ws.extensions === 'permessage-deflate'));
  assert.deepEqual([plain.client.ws.extensions, reset.client.ws.extensions], ['', '']);

  for (let round = 0; round < ROUNDS; round++) {
    await world.upsert(...Array.from({ length: 100 }, (_, n) => ({ id: `u${n}`, name: `Zoë ${n}`, custom: { round, city: 'Berlin' } })));
    await world.upsert({ id: `single-${round}`, name: 'one' });
  }
  for (const { client } of all) await client.until(({ user }) => user?.id === `single-${ROUNDS - 1}`);
  const told = plain.client.events;
  assert.equal(told.length, ROUNDS * 101);
  for (const { client } of all) assert.deepEqual(client.events, told);
  // Some of them get the bytes as they are.
  const [least = 0] = packed.map(({ socket }) => socket.bytesRead).sort((a, b) => a - b);
  assert.ok(least < plain.socket.bytesRead * 0.25, `${least} of ${plain.socket.bytesRead} bytes`);
  assert.ok(reset.socket.bytesRead > plain.socket.bytesRead * 0.9);
});

test('LV64 with live_compression off, no offer is accepted', async (t) => {
  const world = await World.start(t, { flags: { 'live-compression': 'false' } });
  const { client } = await subscribed(world, {});
  t.after(() => client.terminate());
  assert.equal(client.ws.extensions, '');
});
