/** FM4: a real process that is interrupted ends with its code, however many echoes of the signal find it on its way out. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../support/eventually.ts';
import { type Finished, RosterdProcess } from '../../support/process.ts';

/** Sends the signal every millisecond until the process is gone. */
async function shower(process: RosterdProcess, signal: NodeJS.Signals): Promise<Finished> {
  const timer = setInterval(() => process.child.kill(signal), 1);
  try {
    return await process.finished;
  } finally {
    clearInterval(timer);
  }
}

function run(t: TestContext, args: readonly string[]): RosterdProcess {
  const process = RosterdProcess.run(args);
  t.after(() => process.child.kill('SIGKILL'));
  return process;
}

test('FM4 a shower of signals does not change how a command ends', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-interrupts-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const daemon = run(t, ['serve', '--listen', '127.0.0.1:0', '--data', data]);
  const url = await daemon.listening();
  const watcher = run(t, ['watch', '--url', url, '--data', data]);
  await eventually(
    () => watcher.stderr.includes('connected'),
    () => watcher.stderr,
  );
  const watched = await shower(watcher, 'SIGINT');
  assert.equal(watched.code, 130, watched.stderr);
  const served = await shower(daemon, 'SIGTERM');
  assert.equal(served.code, 0, served.stderr);
});

test('FM4 a daemon whose terminal is closed stops in order', async (t) => {
  const data = await mkdtemp(join(tmpdir(), 'rosterd-interrupts-'));
  t.after(() => rm(data, { recursive: true, force: true }));
  const daemon = run(t, ['serve', '--listen', '127.0.0.1:0', '--data', data]);
  await daemon.listening();
  const { code, stderr } = await daemon.kill('SIGHUP');
  assert.equal(code, 0, stderr);
  assert.ok(existsSync(join(data, 'journal/clean')));
});
