/** DP1, DP3: the configurations that `daemon/deploy` offers, without running what they configure. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { findProgram } from '../../../daemon/cli/cluster/programs.ts';
import { loadConfig } from '../../../daemon/cli/config/config.ts';
import { packageFolder } from '../../../daemon/cli/version.ts';
import { clusterOptions } from '../../support/nodes/cluster-process.ts';

const run = promisify(execFile);
const offered = (name: string): string => join(packageFolder(), 'daemon/deploy', name);

async function checkHaproxy(file: string): Promise<void> {
  await run((await findProgram('haproxy')) ?? '', ['-c', '-f', file]);
}

test('DP1 the configuration of HAProxy is valid as it is', clusterOptions, async () => {
  await checkHaproxy(offered('haproxy.cfg'));
});

test('DP3 the settings of the nodes in compose.yaml are settings of rosterd, with values that it takes', async () => {
  const text = await readFile(offered('compose.yaml'), 'utf8');
  // All nodes have these settings; the name is set for each.
  const [, settings = ''] = /environment: &settings\n((?: {4}.*\n)+)/.exec(text) ?? [];
  const pairs = [...settings.matchAll(/^ {4}(ROSTERD_\w+): "?(.*?)"?$/gm)].map(([, name = '', value = '']) => [
    name,
    value.replaceAll(/\$\{\w+:\?set it\}/g, 'abc'),
  ]);
  assert.ok(pairs.length >= 7, settings);
  const env = { ...Object.fromEntries(pairs), ROSTERD_NODE_NAME: 'node-1' };
  const { config } = loadConfig({ flags: {}, env, cwd: '/' });
  assert.deepEqual([config.nodeName, config.guestsPerIpMax, config.listen.port], ['node-1', 0, 8800]);
  assert.deepEqual(
    [...text.matchAll(/ROSTERD_NODE_NAME: (\S+) /g)].map(([, name]) => name),
    ['node-1', 'node-2', 'node-3'],
  );
});

test('DP3 compose.yaml makes a valid configuration of HAProxy for its nodes', clusterOptions, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [, edits = ''] = /(sed (?:-e '[^']*' )+)\/offered\.cfg/.exec(await readFile(offered('compose.yaml'), 'utf8')) ?? [];
  const { stdout } = await run('sh', ['-c', `${edits} '${offered('haproxy.cfg')}'`]);
  assert.deepEqual(
    stdout.split('\n').filter((line) => /^ *(bind|server) /.test(line)),
    [
      '    bind :8800',
      ...Array(3)
        .fill([1, 2, 3].map((n) => `    server node-${n} node-${n}:8800`))
        .flat(),
    ],
  );
  // Here, nobody knows the names of the nodes.
  const file = join(folder, 'haproxy.cfg');
  await writeFile(file, stdout.replaceAll(/ node-(\d):8800/g, ' 127.0.0.$1:8800'));
  await checkHaproxy(file);
});
