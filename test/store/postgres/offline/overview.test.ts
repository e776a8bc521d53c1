/** OP1: what the database knows of the nodes and of the server. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import { clusterFacts } from '../../../../store/postgres/offline/overview.ts';
import { appendOne, draft } from '../../../support/store/entries.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

/** A node that has applied `applied` facts and was heard of so long ago. */
const node = (app: string, name: string, applied: number, msAgo: number, settings = '') =>
  kit.postgres.sql(`insert into rosterd.node (app, name, boot, version, applied, seen, config_mac)
    values ('${app}', '${name}', 'boot', 'v-${name}', ${applied}, clock_timestamp() - ${msAgo} * interval '1 ms', '${settings}')`);

const lease = (app: string, job: string, holder: string, leftMs: number) =>
  kit.postgres.sql(`insert into rosterd.lease (app, job, holder, until)
    values ('${app}', '${job}', '${holder}', clock_timestamp() + ${leftMs} * interval '1 ms')`);

test('OP1 each node with its lag, its jobs and whether it lives; the log with its position and what it requires', pgOptions, async () => {
  const app = randomUUID();
  const { log } = await kit.node(app, { begin: { epoch: 'e', seq: 4 } });
  for (const id of ['a', 'b', 'c']) await appendOne(log, draft(id));
  await node(app, 'blue', 7, 200, 'x=1 y=1');
  await node(app, 'red', 5, 60_000, 'x=1 y=1 z=1');
  await node(app, 'green', 4, 1_000, 'x=2 y=1 z=2');
  // Of a node that applied what was stored after the look at the end.
  await node(app, 'hasty', 99, -60_000);
  await node(randomUUID(), 'stranger', 1, 0);
  await lease(app, 'tasks', 'blue 1', 60_000);
  await lease(app, 'history', 'blue 1', 60_000);
  await lease(app, 'webhooks', 'green 2', 60_000);
  await lease(app, 'presence', 'green 2', -1);
  await lease(app, 'other', 'bl 3', 60_000);
  const { nodes, server, ...facts } = await clusterFacts(kit.url(), app);
  assert.deepEqual(facts, {
    ...{ app, epoch: 'e', seq: 7, tail: 4, format: ENTRY_FORMATS.newest, requiresSync: false },
    differing: ['x'],
  });
  assert.deepEqual(
    nodes.map(({ name, isAlive, version, applied, lag, jobs }) => [name, isAlive, version, applied, lag, jobs.join(' ')]),
    [
      ['blue', true, 'v-blue', 7, 0, 'history tasks'],
      ['green', true, 'v-green', 4, 3, 'webhooks'],
      ['hasty', true, 'v-hasty', 99, 0, ''],
      ['red', false, 'v-red', 5, 2, ''],
    ],
  );
  const seen = new Map(nodes.map(({ name, seenMs }) => [name, seenMs]));
  assert.equal(seen.get('hasty'), 0);
  const [blue = 0, red = 0] = [seen.get('blue'), seen.get('red')];
  assert.ok(Number.isInteger(blue) && blue >= 200 && red - blue >= 59_000, `${blue} and ${red}`);
  await kit.postgres.sql(`update rosterd.head set is_synced = true, tail = 5 where app = '${app}'`);
  const later = await clusterFacts(kit.url(), app);
  assert.deepEqual([later.requiresSync, later.tail], [true, 5]);
});

test('OP1 the server with what its promises rest on; on a standby the nodes are not known', pgOptions, async () => {
  const app = randomUUID();
  const { log } = await kit.node(app);
  await appendOne(log, draft('a'));
  await node(app, 'blue', 1, 0);
  await lease(app, 'tasks', 'blue 1', 60_000);
  const { server } = await clusterFacts(kit.url(), app);
  const name = `127.0.0.1:${kit.postgres.port}/postgres`;
  const { version, ...rest } = server;
  assert.match(version, /^\d+/);
  const expected = { name, isStandby: false, hasPooler: false, synchronousCommit: 'on', standbyNames: '', standbys: 0 };
  assert.deepEqual(rest, expected);
  assert.deepEqual((await clusterFacts(kit.url(), app)).nodes[0]?.jobs, ['tasks']);
  await kit.closeNodes();
  await kit.postgres.standBy();
  const standby = await clusterFacts(kit.url(), app);
  assert.deepEqual([standby.server.isStandby, standby.nodes, standby.seq], [true, [], 1]);
  await kit.postgres.promote();
});
