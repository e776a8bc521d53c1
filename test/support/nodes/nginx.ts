/** nginx before the nodes of a cluster, with the configuration that `daemon/deploy` offers. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import { freePort } from '../../../daemon/cli/cluster/free-port.ts';
import { findProgram } from '../../../daemon/cli/cluster/programs.ts';
import { packageText } from '../../../daemon/cli/version.ts';
import { proxyFolder, runProxy } from './proxy.ts';

/** Resolves with its URL when it passes requests on. `edit` makes mistakes in the offered configuration. */
export async function startNginx(
  t: TestContext,
  nodeUrls: readonly string[],
  edit: (config: string) => string = (config) => config,
): Promise<string> {
  const folder = await proxyFolder(t);
  const listen = `127.0.0.1:${await freePort()}`;
  const nodes = nodeUrls.map((url) => new URL(url).host);
  const offered = packageText('daemon/deploy/nginx.conf');
  // An offered configuration holds for many connections, whatever this machine allows.
  const text = offered
    .replace(/listen 127\.0\.0\.1:8800/, `listen ${listen}`)
    .replaceAll(/^ *server 127\.0\.0\.1:881(\d)(.*)$/gm, (_, n, how) => `server ${nodes[n - 1] ?? '127.0.0.1:1 down'}${how}`)
    .replace(/^worker_rlimit_nofile .*$/m, '')
    .replace(/worker_connections \d+/, 'worker_connections 500');
  const config = join(folder, 'nginx.conf');
  await writeFile(config, edit(text));
  const file = (await findProgram('nginx')) ?? '';
  const args = ['-p', folder, '-e', 'stderr', '-g', `daemon off; pid ${join(folder, 'pid')};`, '-c', config];
  await promisify(execFile)(file, ['-t', ...args]);
  const url = `http://${listen}`;
  await runProxy(t, url, file, args);
  return url;
}
