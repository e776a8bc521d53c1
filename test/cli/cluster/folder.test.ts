/** CU4, CU5: the folder of a cluster, and the guard over its processes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Guard, openFolder } from '../../../daemon/cli/cluster/folder.ts';
import { ClusterFailed } from '../../../daemon/cli/cluster/trouble.ts';
import { eventually } from '../../support/eventually.ts';

async function temporary(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test('CU5 a new or an empty folder is taken; one that holds something, or a file, is refused by name', async (t) => {
  const parent = await temporary(t);
  const wanted = join(parent, 'new', 'cluster');
  assert.equal(await openFolder(wanted, undefined), wanted);
  assert.equal(await openFolder(wanted, undefined), wanted);
  await writeFile(join(wanted, 'precious'), '');
  const refused = (error: unknown): boolean =>
    error instanceof ClusterFailed && error.message.startsWith(`${wanted} is in use: it holds precious.`);
  await assert.rejects(openFolder(wanted, undefined), refused);
  await assert.rejects(openFolder(join(wanted, 'precious'), undefined), ClusterFailed);
  const own = await openFolder(undefined, undefined);
  t.after(() => rm(own, { recursive: true, force: true }));
  assert.ok(own.startsWith(join(tmpdir(), 'rosterd-cluster-')));
});

/** A process that only ends when it is killed. */
function sleeper(t: TestContext) {
  const child = spawn('sleep', ['60'], { stdio: 'ignore' });
  t.after(() => child.kill('SIGKILL'));
  const ended = once(child, 'exit');
  return { pid: child.pid ?? 0, ended, isAlive: () => child.exitCode === null && child.signalCode === null };
}

/** A guard in a process of its own, which is killed. */
async function guardedBy(t: TestContext, folder: string, lines: string): Promise<void> {
  const module = join(import.meta.dirname, '../../../daemon/cli/cluster/folder.ts');
  const script = `const { Guard } = await import(${JSON.stringify(module)}); const guard = new Guard(${JSON.stringify(folder)}); ${lines}
    setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300);`;
  const command = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], { stdio: 'ignore' });
  t.after(() => command.kill('SIGKILL'));
  await once(command, 'exit');
}

test('CU4 when the command is killed, what it started is killed, and its temporary folder goes', async (t) => {
  const folder = await temporary(t);
  const [one, two, three] = [sleeper(t), sleeper(t), sleeper(t)];
  await guardedBy(
    t,
    folder,
    `guard.add(${one.pid}); guard.add(${two.pid}); guard.add(${three.pid}); guard.gone(${two.pid}); guard.gone(1);`,
  );
  await Promise.all([one.ended, three.ended]);
  assert.ok(two.isAlive(), 'it is no part any more');
  await eventually(
    () => !existsSync(folder),
    () => `${folder} is still there`,
  );
});

test('CU4 a guard that is told of an end in order does nothing', async (t) => {
  const folder = await temporary(t);
  const child = sleeper(t);
  const guard = new Guard(folder);
  guard.add(child.pid);
  await guard.done();
  assert.deepEqual([child.isAlive(), existsSync(folder)], [true, true]);
});
