/** FM5: the demo leaves nothing behind when it is interrupted, and does not look at settings of others. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { Typing } from '../support/clone.ts';

const ROOT = resolve(import.meta.dirname, '../..');

test('FM5 an interrupted demo leaves no process and no file behind', { timeout: 120_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-interrupted-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  // The settings would keep any daemon from starting.
  const env = { ...process.env, TMPDIR: folder, ROSTERD_LISTEN: 'nowhere', ROSTERD_DATA: join(folder, 'data') };
  const demo = new Typing(`exec "${process.execPath}" --import "${import.meta.resolve('tsx')}" daemon/main.ts demo`, ROOT, env);
  t.after(() => demo.killAll('SIGKILL'));
  await demo.says(/A job brings in the file/);
  // tsx has a folder of its own there.
  const left = async () => (await readdir(folder)).filter((name) => !name.startsWith('tsx-'));
  assert.equal((await left()).length, 1);
  // To all of them, as Ctrl-C does.
  demo.killAll('SIGINT');
  const { code, stderr } = await demo.finished;
  assert.equal(code, 130, stderr);
  assert.equal(stderr, 'rosterd: interrupted; everything is removed\n');
  assert.deepEqual(await left(), []);
  await demo.gone();
});
