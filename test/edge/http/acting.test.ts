/** OG1–OG2: changes say where they came from. */
import assert from 'node:assert/strict';
import { describe, it, test } from 'node:test';
import { originOf } from '../../../daemon/edge/http/acting.ts';
import { createInsideSender } from '../../../daemon/jobs/transfer/inside-sender.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';
import type { Entry, Origin } from '../../../protocol/log/entry.ts';
import { sendGolden } from '../../support/http/golden.ts';
import { World } from '../../support/world.ts';

describe('OG1 the origin of a request', () => {
  const long = 'x'.repeat(200);
  const cases: readonly [string, Parameters<typeof originOf>, Origin][] = [
    ['a server', [{ kind: 'server' }, undefined], { source: 'server' }],
    ['a server that names its client', [{ kind: 'server' }, 'php-7.2'], { source: 'server', client: 'php-7.2' }],
    ['a client', [{ kind: 'user', id: 'ann' }, ''], { source: 'client', by: 'ann' }],
    [
      'a client with a long name',
      [{ kind: 'user', id: 'ann' }, long],
      { source: 'client', by: 'ann', client: long.slice(0, LIMITS.clientNameChars) },
    ],
    ['nobody known', [{ kind: 'anonymous' }, undefined], { source: 'client' }],
  ];
  for (const [name, [caller, client], origin] of cases) {
    it(name, () => assert.deepEqual(originOf(caller, client), origin));
  }
});

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
    (await send([{ line: 1, id: 'dan', bytes: 12, user: { id: 'dan', custom: {} } }], new AbortController().signal)).status,
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
