/** CE4 and CE5: custom events on live connections. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { RosterClient } from '../../../../protocol/client/roster-client.ts';
import type { UserEvent } from '../../../../protocol/client/types.ts';
import { API_KEY, userToken, World } from '../../../support/world.ts';

test('CE4 a custom event reaches the live clients of its user and servers, in order, and nobody else', async (t) => {
  const world = await World.start(t);
  const server = await world.subscriber({ subs: [{ sub: 'all', all: true }] });
  const ann = await world.chat('ann');
  const bob = await world.chat('bob', {}, { subs: [{ sub: 'friends', ids: ['ann'] }] });
  const query = new URLSearchParams({
    json: JSON.stringify({ user_id: 'ann', user_details: { id: 'ann' } }),
    api_key: API_KEY,
    authorization: userToken('ann'),
    'stream-auth-type': 'jwt',
  });
  const listener = await world.open(`/connect?${query}`);
  await listener.until(({ type }) => type === 'health.check');
  const flat = { event: { type: 'wave', n: 1, created_at: '0001-01-01T00:00:00Z' } };
  assert.equal((await world.http('POST', '/users/ann/event', flat)).status, 200);
  const nested = { event: { type: 'wave', custom: { n: 2, user: 'mine' } } };
  assert.equal((await world.http('POST', '/api/v2/chat/users/ann/event', nested)).status, 200);
  await world.upsert({ id: 'ann', name: 'Last' });
  for (const [who, client] of Object.entries({ server, ann, bob, listener })) {
    await client.until(({ type, user }) => type === 'user.updated' && user.name === 'Last');
    const waves = client.frames.filter(({ type }) => type === 'wave');
    if (who === 'bob') {
      assert.deepEqual(waves, []);
      continue;
    }
    const data = waves.map((frame) => (who === 'listener' ? frame.n : frame.custom.n));
    assert.deepEqual(data, [1, 2], who);
    assert.ok(
      waves.every(({ user, created_at }) => user.id === 'ann' && created_at !== flat.event.created_at),
      who,
    );
    const seqs = client.events.map(({ seq }) => seq).concat(waves.map(({ seq }) => seq));
    assert.equal(new Set(seqs).size, seqs.length, who);
  }
  assert.deepEqual(
    server.frames.filter(({ type }) => type === 'wave').map(({ sub }) => sub),
    [['all'], ['all']],
  );
});

test('CE5 who was away gets the custom events it missed, and the client library hands them out once', { timeout: 30_000 }, async (t) => {
  const world = await World.start(t);
  const client = new RosterClient({ url: world.liveUrl, apiKey: API_KEY, webSocket: WebSocket, random: () => 0 });
  t.after(() => client.disconnectUser());
  await client.connectUser({ id: 'ann' }, userToken('ann'));
  const seen: unknown[] = [];
  const own: unknown[] = [];
  client.on('event', ({ type, custom }: UserEvent) => {
    if (custom !== undefined) seen.push([type, custom.n]);
  });
  client.onCustom('wave', ({ custom }) => own.push(custom?.n));
  const event = (type: string, n: number) => world.http('POST', '/users/ann/event', { event: { type, n } });
  const got = (n: number) =>
    new Promise<void>((resolve) => {
      client.on('event', ({ custom }) => {
        if (custom?.n === n) resolve();
      });
    });
  const first = got(1);
  await event('wave', 1);
  await first;
  const position = client.position;
  assert.ok(position);
  client.disconnectUser();
  await event('wave', 2);
  // A type that is a name of the library's own is handed out all the same, and confuses nobody.
  const states: unknown[] = [];
  client.on('state', (state) => states.push(state));
  await event('state', 3);
  const last = got(3);
  await client.connectUser({ id: 'ann' }, userToken('ann'));
  await last;
  assert.deepEqual(seen, [
    ['wave', 1],
    ['wave', 2],
    ['state', 3],
  ]);
  assert.deepEqual(own, [1, 2]);
  assert.ok(states.every((state) => typeof state === 'object' && state !== null && 'kind' in state));
});
