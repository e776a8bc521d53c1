/**
 * ND11 over faults: three daemons on a pair of PostgreSQL servers, real processes all of them, with a network that breaks between them.
 * Whatever fails, in the end nothing that was acknowledged is lost, nothing was applied twice, and everyone was sent the same.
 *
 * Half of the kinds by default; `npx tsx test/run.ts test/cluster/faults.test.ts --faults 1000 --hang-s 14400` for more, with `--seed 7` the
 * same ones, and with `--lines 1` a line about each.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deliveredBreaches, equalDirectories, historyOf, observedBreaches } from '../support/cluster/checks.ts';
import { type Cluster, clusterOptions } from '../support/cluster/cluster.ts';
import { NODE_FAULTS, SERVER_FAULTS } from '../support/cluster/faults.ts';
import { hookedCluster } from '../support/cluster/hooked.ts';
import { JobRounds } from '../support/cluster/jobs.ts';
import { Observer } from '../support/cluster/observer.ts';
import { agree, Visitor, visit } from '../support/cluster/visitors.ts';
import { Ledger, Writer } from '../support/cluster/writers.ts';
import { sized } from '../support/long.ts';
import { seeded, testOption } from '../support/random.ts';

const GRACE_MS = 1_000;
/** A node is gone after this time without a sign (PE3). */
const GONE_MS = 10_000;
const WELL_MS = 30_000;
const FLAGS = {
  'presence-grace-ms': String(GRACE_MS),
  'retention-bytes': '8GiB',
  'snapshot-changes': '1000',
};

const FAULTS = { ...NODE_FAULTS, ...SERVER_FAULTS };
/** How often something happens to a node while something happens to the servers. */
const BOTH = 0.3;

/** The kinds in an order of chance, all of them before one comes again. */
function* kinds(all: readonly string[], random: () => number): Generator<string, never> {
  for (;;) {
    const left = [...all];
    while (left.length > 0) yield left.splice(Math.floor(random() * left.length), 1)[0] ?? '';
  }
}

const first = (breaches: readonly string[]): readonly string[] => breaches.slice(0, 10);

test('ND11 PR11 PR12 JB9 WH24 whatever fails, nothing is lost, repeated, reordered or made up', {
  ...clusterOptions,
  timeout: 14_400_000,
}, async (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const total = testOption('faults', sized(8, 24));
  t.diagnostic(`seed ${seed}, ${total} faults`);
  const isTold = testOption('lines', 0) === 1;
  const random = seeded(seed);
  const { cluster, receiver, start } = await hookedCluster(t, WELL_MS, FLAGS);
  const [one] = cluster.nodes;
  assert.ok(one !== undefined);
  const observers = [0, 1, 2].map((n) => new Observer(cluster, seeded(seed + 10 + n)));
  const ledger = new Ledger();
  const writers = [...observers, ...observers].map(
    (observer, n) => new Writer({ cluster, random: seeded(seed + 20 + n), name: `w${n}`, ledger, observer, pauseMs: 40 }),
  );
  const jobs = new JobRounds(cluster, seeded(seed + 30), 200);
  const visitors = Array.from({ length: 6 }, (_, n) => new Visitor(cluster, seeded(seed + 40 + n), `visitor-${n}`));
  t.after(() => Promise.all([jobs.abandon(), ...[...observers, ...writers, ...visitors].map((part) => part.end())]));

  let slowest = { what: '', ms: 0 };
  const [order, nodeOrder] = [kinds(Object.keys(FAULTS), random), kinds(Object.keys(NODE_FAULTS), random)];
  for (let n = 0; n < total; n++) {
    const kind = order.next().value;
    const also = kind in SERVER_FAULTS && random() < BOTH ? nodeOrder.next().value : undefined;
    const node = cluster.nodes[Math.floor(random() * cluster.nodes.length)] ?? one;
    const beside = cluster.nodes.find((other) => other !== node) ?? one;
    const what = `${kind} (${node.name})${also === undefined ? '' : `, and ${also} (${beside.name})`}`;
    if (isTold) console.error(`${new Date().toISOString()} ${n} ${what}`);
    const second = also === undefined ? undefined : NODE_FAULTS[also]?.({ cluster, random: seeded(seed + n), node: beside });
    await Promise.all([FAULTS[kind]?.({ cluster, random, node }), second]);
    const started = performance.now();
    await cluster.well(WELL_MS).catch((error: unknown) => {
      throw new Error(`fault ${n} of seed ${seed}: ${what}`, { cause: error });
    });
    const ms = performance.now() - started;
    if (ms > slowest.ms) slowest = { what, ms };
    observers[n % observers.length]?.cut();
  }

  await Promise.all([...writers, jobs, ...visitors].map((part) => part.end()));
  const ids = visitors.map(({ id }) => id);
  await agree(cluster.nodes, ids, [], GRACE_MS + GONE_MS + 5_000);
  await cluster.well(WELL_MS);
  const history = await historyOf(cluster, start, observers);

  const wrong = [...ledger.breaches(history), ...observedBreaches(observers, history), ...jobs.check(history)];
  wrong.push(...(await deliveredBreaches(receiver, history)), ...cluster.nodes.flatMap(({ ends }) => ends));
  assert.deepEqual(first(wrong), [], `${wrong.length} breaches with seed ${seed}`);
  const users = await equalDirectories(cluster, history);
  assert.ok(ledger.acknowledged.size > total, 'the writers hardly wrote');
  assert.ok(jobs.rounds > 0, 'no job was done');

  await presenceWhenQuiet(cluster, ids);
  const resumes = observers.reduce((sum, observer) => sum + observer.resumes, 0);
  const statuses = [...ledger.statuses].map(([status, count]) => `${status}: ${count}`).join(', ');
  t.diagnostic(
    `${ledger.acknowledged.size} marks and ${ledger.deleted.size} deletes acknowledged (answers ${statuses}), ${history.length} events × ` +
      `${observers.length} observers with ${resumes} resumes, ${jobs.rounds} rounds of jobs, ${receiver.taken.length} webhooks taken, ` +
      `${users.size} users; the slowest recovery took ${Math.round(slowest.ms)} ms (${slowest.what})`,
  );
});

/** PR11: the nodes say the same within a second. PR12: also about the users of a node that was killed, after their grace. */
async function presenceWhenQuiet(cluster: Cluster, ids: readonly string[]): Promise<void> {
  const { nodes } = cluster;
  const [one, two] = [nodes[0], nodes[1]];
  const [ann = '', bob = ''] = ids;
  assert.ok(one !== undefined && two !== undefined);
  const clients = [await visit(cluster, one, ann), await visit(cluster, two, bob)];
  await agree(nodes, ids, [ann, bob], 1_000);
  await one.end('SIGKILL');
  const others = nodes.filter((node) => node !== one);
  await agree(others, ids, [bob], GRACE_MS + GONE_MS + 1_000);
  await one.start();
  await agree(nodes, ids, [bob], 5_000);
  for (const client of clients) client.terminate();
  await agree(nodes, ids, [], GRACE_MS + 1_000);
}
