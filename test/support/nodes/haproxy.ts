/** HAProxy before nodes, with the configuration that `daemon/deploy` offers, but that calls of one address go to all nodes in turn. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { findProgram } from '../../../daemon/cli/cluster/programs.ts';
import { haproxyConfig } from '../../../daemon/cli/cluster/proxy.ts';
import { proxyFolder, runProxy } from './proxy.ts';

const CALLS = '    balance source\n    hash-type consistent\n';
/** Which node answered. */
export const NODE_HEADER = 'x-node';

/** Resolves when it passes requests on. `listen`: `host:port`. */
export async function startRoundRobin(t: TestContext, listen: string, nodeUrls: readonly string[]): Promise<void> {
  const offered = haproxyConfig({ listen, nodes: nodeUrls.map((url) => new URL(url).host) });
  assert.ok(offered.includes(CALLS), 'the calls of one address go to one node');
  const config = join(await proxyFolder(t), 'haproxy.cfg');
  await writeFile(config, offered.replace(CALLS, `    balance roundrobin\n    http-response set-header ${NODE_HEADER} %s\n`));
  await runProxy(t, `http://${listen}`, (await findProgram('haproxy')) ?? '', ['-db', '-f', config]);
}
