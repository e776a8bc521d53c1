// What a test of an application does with the emulator: it connects a user with the client library, has the daemon fail, and skips time.
import assert from 'node:assert/strict';
import { apiSecret, RosterClient } from 'rosterd/client';
import { WebSocket } from 'ws';

const { ROSTERD_URL: url, ROSTERD_API_KEY: apiKey, ROSTERD_API_SECRET: secret, ROSTERD_EMULATOR_URL: emulator } = process.env;

async function ask(path, body) {
  const response = await fetch(`${emulator}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    ...(body === undefined ? {} : { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${path}: ${response.status}`);
  return await response.json();
}

const server = new RosterClient({ url, apiKey, secret: apiSecret(secret), webSocket: WebSocket });
const ann = new RosterClient({ url, apiKey, webSocket: WebSocket });
await ann.connectUser({ id: 'ann', name: 'Ann' }, async () => (await ask('/tokens', { user_id: 'ann' })).token);

const renamed = new Promise((resolve) => ann.on('user.updated', ({ user }) => resolve(user.name)));
await ask('/faults', { fault: 'unavailable', operation: 'QueryUsers' });
await assert.rejects(server.queryUsers({}), { status: 503 });
await server.upsertUsers([{ id: 'ann', name: 'Anna' }, { id: 'bob' }]);
assert.equal(await renamed, 'Anna');

await server.banUser('ann', { banned_by_id: 'bob', timeout: 60 });
const { position } = await ask('/events');
await ask('/clock', { advance_ms: 3_600_000 });
const { events } = await ask(`/events?after=${encodeURIComponent(position)}&wait_ms=60000`);
assert.equal(events[0].type, 'user.unbanned');

await ann.disconnectUser();
console.log(`${events.length} event after an hour, ${(await ask('')).app.users} users`);
