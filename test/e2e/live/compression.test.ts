/** LV64: compressed messages between a real daemon and clients that offer permessage-deflate, or do not, over both transports. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { IoClient, type IoOptions } from '../../support/live/io-client.ts';
import { LiveClient } from '../../support/live/live-client.ts';
import type { Frame } from '../../support/live/received.ts';
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

/** Batches and single users in turn; the last event is `isLast`. */
async function change(world: World): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    await world.upsert(...Array.from({ length: 100 }, (_, n) => ({ id: `u${n}`, name: `Zoë ${n}`, custom: { round, city: 'Berlin' } })));
    await world.upsert({ id: `single-${round}`, name: 'one' });
  }
}

function isLast({ user }: Frame): boolean {
  return user?.id === `single-${ROUNDS - 1}`;
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

  await change(world);
  for (const { client } of all) await client.until(isLast);
  const told = plain.client.events;
  assert.equal(told.length, ROUNDS * 101);
  for (const { client } of all) assert.deepEqual(client.events, told);
  // Some of them get the bytes as they are.
  const [least = 0] = packed.map(({ socket }) => socket.bytesRead).sort((a, b) => a - b);
  assert.ok(least < plain.socket.bytesRead * 0.25, `${least} of ${plain.socket.bytesRead} bytes`);
  assert.ok(reset.socket.bytesRead > plain.socket.bytesRead * 0.9);
});

test('LV64 the same over Socket.IO, also while its clients ask for long answers and send long requests', async (t) => {
  const world = await World.start(t);
  const opened = async (options: IoOptions): Promise<IoClient> => {
    const client = new IoClient(world.daemon.url, { api_key: API_KEY, token: serverToken() }, options);
    t.after(() => client.close());
    await client.opened();
    await client.request('sub', { sub: 'all', all: true, snapshot: false });
    return client;
  };
  const packed = await Promise.all(Array.from({ length: 40 }, () => opened({ perMessageDeflate: { threshold: 0 } })));
  const upgraded = await Promise.all(Array.from({ length: 3 }, () => opened({ transports: ['polling', 'websocket'] })));
  const plain = await opened({ perMessageDeflate: false });
  assert.ok(packed.every(({ ws }) => ws.extensions === 'permessage-deflate'));
  assert.equal(plain.ws.extensions, '');

  const custom = { text: 'words and words '.repeat(200) };
  const busy = packed.slice(-3);
  const asking = busy.map(async (client, n) => {
    for (let round = 0; round < 2 * ROUNDS; round++) {
      const written = await client.request('upsert', { users: [{ id: `own-${n}`, custom: { ...custom, round } }] });
      assert.equal(written.error, undefined);
      const { users } = await client.request('sub', { sub: `again-${round}`, ids: [`own-${n}`, 'u1'] });
      assert.deepEqual(users[0]?.custom, { ...custom, round });
    }
  });
  await change(world);
  await Promise.all(asking);
  await world.upsert({ id: 'end', name: 'the end' });
  const all = [...packed, ...upgraded, plain];
  for (const client of all) await client.until(({ user }) => user?.id === 'end');
  const told = (client: IoClient) => client.events.map(({ sub, ...event }) => event);
  for (const client of all) assert.deepEqual(told(client), told(plain));
  const bytesOf = ({ ws }: IoClient): number => (ws as unknown as { _socket: Socket })._socket.bytesRead;
  const [least = 0] = packed.map(bytesOf).sort((a, b) => a - b);
  assert.ok(least < bytesOf(plain) * 0.25, `${least} of ${bytesOf(plain)} bytes`);
});

test('LV64 with live_compression off, no offer is accepted', async (t) => {
  const world = await World.start(t, { flags: { 'live-compression': 'false' } });
  const { client } = await subscribed(world, {});
  t.after(() => client.terminate());
  assert.equal(client.ws.extensions, '');
  const io = new IoClient(world.daemon.url, { api_key: API_KEY, token: serverToken() });
  t.after(() => io.close());
  await io.opened();
  assert.equal(io.ws.extensions, '');
});
