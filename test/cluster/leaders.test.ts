/** JB9, JB10 and WH24 over kills: the node that has just taken up a job is killed, every few seconds, while there is work. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { deliveredBreaches, historyOf } from '../support/cluster/checks.ts';
import { clusterOptions } from '../support/cluster/cluster.ts';
import { hookedCluster } from '../support/cluster/hooked.ts';
import { JobRounds } from '../support/cluster/jobs.ts';
import type { ClusterNode } from '../support/cluster/node.ts';
import { eventually } from '../support/eventually.ts';
import { sized } from '../support/long.ts';
import { seeded, testOption } from '../support/random.ts';

const WELL_MS = 30_000;
/** Longer than a lease lasts: work is to be done between two kills. */
const PAUSE_MS = 4_000;

/** The node that was the last to take up a job, of any kind. */
function newestLeader(nodes: readonly ClusterNode[]): ClusterNode | undefined {
  const tokenOf = ({ said }: ClusterNode): number =>
    Math.max(-1, ...[...said.matchAll(/"token":(\d+)[^\n]*this node does a job from now on/g)].map(([, token]) => Number(token)));
  const [newest] = [...nodes].sort((a, b) => tokenOf(b) - tokenOf(a));
  return newest !== undefined && tokenOf(newest) >= 0 ? newest : undefined;
}

/** What a node said before it was killed does not count, so there may be none for a moment. */
async function leaderOf(nodes: readonly ClusterNode[]): Promise<ClusterNode> {
  await eventually(() => newestLeader(nodes) !== undefined, 'nobody does the jobs');
  return newestLeader(nodes) ?? assert.fail();
}

test('JB9 JB10 WH24 leaders are killed every few seconds, and every job is done once', {
  ...clusterOptions,
  timeout: 3_600_000,
}, async (t) => {
  const seed = testOption('seed', Date.now() % 1_000_000);
  const kills = testOption('kills', sized(4, 12));
  t.diagnostic(`seed ${seed}, ${kills} kills`);
  const random = seeded(seed);
  const { cluster, receiver, start } = await hookedCluster(t, WELL_MS);
  const jobs = [0, 1].map((n) => new JobRounds(cluster, seeded(seed + n), 200, `jobs-${n}`));
  t.after(() => Promise.all(jobs.map((rounds) => rounds.abandon())));
  for (let kill = 0; kill < kills; kill++) {
    await delay(random() * 2 * PAUSE_MS);
    const leader = await leaderOf(cluster.nodes);
    await leader.end('SIGKILL');
    await leader.start();
  }
  await cluster.well(WELL_MS);
  await Promise.all(jobs.map((rounds) => rounds.end()));
  const history = await historyOf(cluster, start);
  const wrong = [...jobs.flatMap((rounds) => rounds.check(history)), ...(await deliveredBreaches(receiver, history))];
  assert.deepEqual([...wrong, ...cluster.nodes.flatMap(({ ends }) => ends)].slice(0, 10), [], `${wrong.length} breaches with seed ${seed}`);
  const rounds = jobs.reduce((sum, { rounds }) => sum + rounds, 0);
  assert.ok(rounds > 0, 'no job was done');
  t.diagnostic(`${rounds} rounds of an import, an export and a delete; ${history.length} events, ${receiver.taken.length} webhooks taken`);
});
