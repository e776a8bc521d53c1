/** CU3–CU5: one process of a cluster: it is waited for, reported, and ended. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Part } from '../../../daemon/cli/cluster/part.ts';
import { ClusterFailed } from '../../../daemon/cli/cluster/trouble.ts';
import { eventually } from '../../support/eventually.ts';

const never = new AbortController().signal;

async function started(t: TestContext, script: string) {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const deaths: string[] = [];
  const part = new Part({
    ...{ name: 'part', command: ['/bin/sh', '-c', script], folder, env: process.env, stopSignal: 'SIGTERM' },
    died: ({ name, ending }) => void deaths.push(`${name}: ${ending}`),
  });
  t.after(() => part.kill());
  const says = (text: string) => part.ready(async () => (await part.said()).includes(text), 10_000, never);
  return { part, deaths, says };
}

test('CU5 a part that ends before it is ready fails with the end of its output', async (t) => {
  const { part, deaths } = await started(t, 'for n in 1 2 3 4 5 6 7; do echo line $n; done; exit 3');
  await assert.rejects(
    part.ready(async () => false, 10_000, never),
    (error) => error instanceof ClusterFailed && /^part ended \(exit code 3\):\nline 3\n[\s\S]*line 7$/.test(error.message),
  );
  assert.deepEqual(deaths, ['part: exit code 3']);
});

test('CU5 a part that is never ready fails after the patience, and an interrupt ends the wait', async (t) => {
  const { part } = await started(t, 'echo waiting; exec sleep 60');
  await assert.rejects(
    part.ready(async () => false, 100, never),
    /part is not ready after 0.1 s/,
  );
  const stop = AbortSignal.abort(new Error('interrupted'));
  await assert.rejects(
    part.ready(async () => false, 10_000, stop),
    /interrupted/,
  );
});

test('CU5 a program that is not there is told as such', async (t) => {
  const { part } = await started(t, 'exec /nowhere/at/all');
  await assert.rejects(
    part.ready(async () => false, 10_000, never),
    /\/nowhere\/at\/all.*not found/,
  );
});

test('CU3 a part that dies is reported with its end; one that was stopped is not', async (t) => {
  const dead = await started(t, 'echo up; exec sleep 60');
  await dead.says('up');
  process.kill(dead.part.pid, 'SIGKILL');
  await eventually(
    () => dead.deaths.length > 0,
    () => 'no report',
  );
  assert.deepEqual(dead.deaths, ['part: SIGKILL']);
  await dead.part.stop(1_000);
  const stopped = await started(t, 'trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done');
  await stopped.says('up');
  await stopped.part.stop(10_000);
  assert.deepEqual([stopped.deaths, stopped.part.ending, await stopped.part.said()], [[], 'exit code 0', 'up\nbye']);
});

test('CU4 a part that does not end when it is asked to is killed at the deadline', async (t) => {
  const { part, says } = await started(t, 'trap "" TERM; echo up; while :; do sleep 0.05; done');
  await says('up');
  await part.stop(100);
  assert.equal(part.ending, 'SIGKILL');
});
