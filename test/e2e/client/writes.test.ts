/** CN10: the client library writes on conditions, and repeats a write under its key. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { RosterClientError } from '../../../protocol/client/client-error.ts';
import { RosterClient } from '../../../protocol/client/roster-client.ts';
import { API_KEY, serverToken, World } from '../../support/world.ts';

test('CN10 ifRev and idempotencyKey reach the daemon', async (t) => {
  const world = await World.start(t);
  const server = new RosterClient({ url: world.liveUrl, apiKey: API_KEY, webSocket: WebSocket });
  t.after(() => server.disconnectUser());
  await server.connect(serverToken());
  await server.upsertUser({ id: 'ann', name: 'Ann' }, { ifRev: { ann: 0 } });
  const [ann] = await server.subscribe({ sub: 'all', all: true });
  assert.ok(ann);
  const stale = (error: unknown): boolean => error instanceof RosterClientError && error.status === 412;
  await assert.rejects(server.upsertUsers([{ id: 'ann', name: 'Other' }], { ifRev: { ann: ann.rev + 1 } }), stale);
  const patch = { id: 'ann', set: { name: 'Anna' } };
  const options = { ifRev: { ann: ann.rev }, idempotencyKey: 'rename-ann-1' };
  assert.deepEqual((await server.partialUpdateUser(patch, options)).updated, ['ann']);
  await server.upsertUser({ id: 'ann', name: 'Later' });
  assert.deepEqual((await server.partialUpdateUser(patch, options)).updated, ['ann'], 'answered as before');
  assert.equal(world.daemon.roster.directory.user('ann')?.name, 'Later', 'and not carried out again');
  await assert.rejects(server.partialUpdateUsers([patch], { ifRev: { ann: ann.rev } }), stale);
});
