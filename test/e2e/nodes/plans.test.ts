/** PA5 on daemons that share a PostgreSQL: a plan outlives the node that works on it. */
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { propose, type SignedIn, type SomePlan, signIn } from '../../support/http/sync-plans-kit.ts';
import { PgProcesses } from '../../support/nodes/pg-processes.ts';
import { PgKit, pgOptions } from '../../support/store/pg-kit.ts';
import type { HttpAnswer } from '../../support/world.ts';

const kit = PgKit.ofProcess();
const USERS = 6_000;
/** The other node takes over when the lease of the killed one has ended. */
const TAKE_OVER_MS = 60_000;

async function becomes(by: SignedIn, id: string, what: string, is: (plan: SomePlan) => boolean): Promise<SomePlan> {
  let body: HttpAnswer['body'];
  await eventually(
    async () => {
      ({ body } = await by.call('GET', `/sync/plans/${id}`));
      // A node may not have heard of it yet.
      return body.sync_plan !== undefined && is(body.sync_plan);
    },
    () => `the plan never becomes ${what}: ${JSON.stringify(body)}`,
    TAKE_OVER_MS,
  );
  return body.sync_plan;
}

test('PA5 PA7 the node that makes a plan is killed, and then the one that applies it: another one goes on, and writes no user twice', {
  ...pgOptions,
  timeout: 300_000,
}, async (t) => {
  const nodes = await PgProcesses.open(t, kit.url());
  const [one, two] = [await nodes.start('one'), await nodes.start('two')];
  await eventually(() => /does a job from now on/.test(one.process.stderr), 'the first node does the tasks');
  const [ann, bob] = [await signIn(one.url), await signIn(two.url)];
  const text = `id,name\n${Array.from({ length: USERS }, (_, n) => `user${n},User ${n}`).join('\n')}\n`;
  const { id } = await propose(ann, text);
  await one.process.kill('SIGKILL');
  const { digest, summary } = await becomes(bob, id, 'planned', ({ state }) => state === 'planned');
  assert.equal(summary.counts.create, USERS);

  const back = await nodes.start('one');
  const annAgain = await signIn(back.url);
  assert.equal((await annAgain.call('POST', `/sync/plans/${id}/approve`, { digest })).status, 200);
  assert.equal((await annAgain.call('POST', `/sync/plans/${id}/apply`, {})).status, 200);
  const half = await becomes(annAgain, id, 'applied in part', ({ checkpoint }) => checkpoint?.at > 0);
  assert.equal(half.state, 'applying', 'it was over before its node was killed');
  await two.process.kill('SIGKILL');
  const left = async (): Promise<number> => (await readdir(join(nodes.data, 'two', 'work')).catch(() => [])).length;
  assert.equal(await left(), 1, 'the plan in full');
  await nodes.start('two');
  await eventually(async () => (await left()) === 0, 'it outlives the restart');
  const done = await becomes(annAgain, id, 'applied', ({ state }) => state === 'applied');
  const { created, unchanged, ...others } = done.report.counts;
  assert.equal(created + unchanged, USERS, JSON.stringify(done.report));
  assert.ok(Object.values(others).every((count) => count === 0) && done.report.exceptions.length === 0, JSON.stringify(done.report));
  for (const n of [0, half.checkpoint.at - 1, half.checkpoint.at + 150, USERS - 1]) {
    const { history } = (await annAgain.call('GET', `/users/user${n}/history`)).body;
    assert.deepEqual(
      history.map(({ source, job }: Record<string, unknown>) => [source, job]),
      [['plan', id]],
      `user${n}`,
    );
  }
});
