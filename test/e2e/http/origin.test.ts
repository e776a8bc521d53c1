/** OG2: where a change came from, in the log of a real daemon. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createInsideSender } from '../../../daemon/jobs/transfer/inside-sender.ts';
import type { Entry, Origin } from '../../../protocol/log/entry.ts';
import { sendGolden } from '../../support/http/golden.ts';
import { World } from '../../support/world.ts';

test('OG2 requests, live connections and imports leave it in the log', async (t) => {
  const world = await World.start(t);
  const { roster } = world.daemon;
  const origins: (Origin | undefined)[] = [];
  roster.onApplied(({ facts }: Entry) => {
    for (const fact of facts) if (fact.t === 'user' && fact.event !== 'silent') origins.push(fact.from);
  });
  const headers = { 'X-Stream-Client': 'rosterd-test' };
  await sendGolden(world, { method: 'POST', path: '/users', headers, body: { users: { ann: { name: 'Ann' } } } }, 'server');
  await sendGolden(world, { method: 'PATCH', path: '/users', body: { users: [{ id: 'ann', set: { name: 'A' } }] } }, 'user ann');
  const chat = await world.chat('bob', { name: 'Bob' });
  await chat.request({ op: 'update', set: { name: 'B' } });
  const server = await world.subscriber();
  await server.request({ op: 'upsert', users: { cem: { id: 'cem' } } });
  const send = createInsideSender(roster, { existing: 'replace' }, 'import-1');
  assert.equal(
    (await send([{ line: 1, id: 'dan', userId: 'dan', bytes: 12, user: { id: 'dan', custom: {} } }], new AbortController().signal)).status,
    200,
  );
  await roster.submit({ kind: 'deactivate', ids: ['dan'], options: {} }, 'live');
  assert.deepEqual(origins, [
    { source: 'server', client: 'rosterd-test' },
    { source: 'client', by: 'ann' },
    { source: 'live', by: 'bob' },
    { source: 'live', by: 'bob' },
    { source: 'live' },
    { source: 'import', job: 'import-1' },
    { source: 'daemon' },
  ]);
});
