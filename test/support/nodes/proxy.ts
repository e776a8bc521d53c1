/** A proxy before nodes, as a process of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { eventually } from '../eventually.ts';

/** For the files of a proxy; removed after the test. */
export async function proxyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-proxy-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Resolves when requests to `url` are passed on. It ends with the test. */
export async function runProxy(t: TestContext, url: string, file: string, args: readonly string[]): Promise<void> {
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (more: string) => {
    said += more;
  });
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  let isUp = false;
  const look = async (): Promise<void> => {
    while (!isUp && child.exitCode === null)
      isUp = await fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      );
  };
  void look();
  await eventually(
    () => isUp,
    () => said,
  );
}
