/** FM5: the demo to its end and interrupted. It leaves nothing behind and does not look at the settings of its caller. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Typing } from '../../support/clone.ts';
import { nodeOptions, programFile } from '../../support/run/program.ts';

async function play(t: TestContext): Promise<{ demo: Typing; left: () => Promise<string[]> }> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-demo-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // These settings would keep any daemon from starting.
  const env = { ...process.env, TMPDIR: folder, ROSTERD_LISTEN: 'nowhere', ROSTERD_DATA: join(folder, 'data') };
  const program = [process.execPath, ...nodeOptions(), programFile('daemon/main.ts')];
  const demo = new Typing(`exec ${program.map((word) => `"${word}"`).join(' ')} demo`, folder, env);
  t.after(() => demo.killAll('SIGKILL'));
  // tsx has a folder of its own there.
  return { demo, left: async () => (await readdir(folder)).filter((name) => !name.startsWith('tsx-')) };
}

test('FM5 the demo tells its story to the end, in plain text where there is no terminal', { timeout: 120_000 }, async (t) => {
  const { demo, left } = await play(t);
  const { code, stdout, stderr } = await demo.finished;
  assert.equal(code, 0, stdout + stderr);
  assert.equal(stderr, '');
  assert.match(stdout, /is killed with SIGKILL/);
  const [, created, updated, unchanged] = /done: ([\d,]+) created, (\d+) updated, ([\d,]+) unchanged, 0 failed/.exec(stdout) ?? [];
  const total = [created, updated, unchanged].reduce((sum, text = '') => sum + Number(text.replaceAll(',', '')), 0);
  assert.equal(total, 10_000, stdout);
  const [, directory, copy] = /directory {3}(10000-[0-9a-f]{16})\n +subscriber {2}(\S+)\n/.exec(stdout) ?? [];
  assert.ok(directory !== undefined && directory === copy, stdout);
  assert.match(stdout, /\n10,000 users, 10,000 changes, one crash: nothing lost, nothing twice\. All of it was checked, in [\d.]+ s\.\n$/);
  assert.ok(!stdout.includes('\x1b'), 'no colours');
  assert.deepEqual(await left(), []);
  await demo.gone();
});

test('FM5 an interrupted demo leaves no process and no file behind', { timeout: 120_000 }, async (t) => {
  const { demo, left } = await play(t);
  await demo.says(/A job brings in the file/);
  assert.equal((await left()).length, 1);
  // To all of them, as Ctrl-C does.
  demo.killAll('SIGINT');
  const { code, stderr } = await demo.finished;
  assert.equal(code, 130, stderr);
  assert.equal(stderr, 'rosterd: interrupted; everything is removed\n');
  assert.deepEqual(await left(), []);
  await demo.gone();
});
