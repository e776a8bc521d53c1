/** Leases as rows: LS1 to LS4. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { PostgresLeases } from '../../../store/postgres/leases.ts';
import { eventually } from '../../support/eventually.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

async function twoNodes(t: TestContext): Promise<{ app: string; nodes: PgNode[]; one: PostgresLeases; two: PostgresLeases }> {
  const app = randomUUID();
  const nodes = [await kit.node(app), await kit.node(app)];
  const [one, two] = nodes.map(({ log }) => new PostgresLeases(app, log.links, 'node'));
  assert.ok(one !== undefined && two !== undefined);
  t.after(() => Promise.all([one.close(), two.close()]));
  return { app, nodes, one, two };
}

/** Makes the lease end by the clock of the server. */
const end = (app: string, job: string) =>
  kit.postgres.sql(`update rosterd.lease set until = clock_timestamp() where app = '${app}' and job = '${job}'`);

test('LS1 one holder at a time, for each job and application', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t);
  assert.notEqual(one.holder, two.holder);
  const takes = await Promise.all([one.take('a'), two.take('a'), one.take('a'), two.take('a')]);
  assert.deepEqual(takes, takes[0] ? [true, false, true, false] : [false, true, false, true]);
  const [holder, other] = takes[0] ? [one, two] : [two, one];
  assert.equal(await other.take('b'), true);
  assert.equal(await holder.take('b'), false);
  await end(app, 'a');
  assert.equal(await other.take('a'), true);
  assert.equal(await holder.take('a'), false);
});

test('LS2 a lease lasts ten seconds by the clock of the server, and as long again when it is extended', pgOptions, async (t) => {
  const { app, one } = await twoNodes(t);
  const serverMs = async (what: string) => Number(await kit.postgres.sql(`select extract(epoch from ${what}) * 1000`));
  const endMs = () => serverMs(`(select until from rosterd.lease where app = '${app}')`);
  const beforeMs = await serverMs('clock_timestamp()');
  await one.take('a');
  const first = await endMs();
  const afterMs = await serverMs('clock_timestamp()');
  assert.ok(first >= beforeMs + 10_000 && first <= afterMs + 10_000, `${[beforeMs, first, afterMs]}`);
  await delay(300);
  await one.take('a');
  assert.ok((await endMs()) > first + 250, 'it was extended');
});

test('LS3 tables refuse the writes of a holder before', pgOptions, async (t) => {
  const { app, one, two } = await twoNodes(t);
  const check = (token: number) => kit.postgres.sql(`select rosterd.check_lease('${app}', 'a', ${token})`);
  await one.take('a');
  assert.equal(await one.stamp('a', 5), true);
  await check(5);
  assert.equal(await two.stamp('a', 6), false, 'it does not have the lease');
  await end(app, 'a');
  await two.take('a');
  assert.equal(await one.stamp('a', 7), false);
  await check(5);
  assert.equal(await two.stamp('a', 8), true);
  assert.equal(await two.stamp('a', 6), false, 'tokens only grow');
  await assert.rejects(check(5), /another process does the job "a" now/);
  await check(8);
});

test('LS4 a lease that is given back is free at once; nobody gives back that of another', pgOptions, async (t) => {
  const { one, two } = await twoNodes(t);
  await one.take('a');
  await two.release('a');
  assert.equal(await two.take('a'), false);
  await one.release('a');
  assert.equal(await two.take('a'), true);
  await one.release('a');
  assert.equal(await one.take('a'), false);
});

test('LS1 after its connection was lost, a process asks on another one', pgOptions, async (t) => {
  const { nodes, one } = await twoNodes(t);
  assert.equal(await one.take('a'), true);
  nodes[0]?.proxy.cutAll();
  await eventually(() => one.take('a').catch(() => false));
});
