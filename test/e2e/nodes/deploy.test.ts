/** DP1, DP3, PK9, PK10: the configurations that `daemon/deploy` offers, without running what they configure. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { findProgram } from '../../../daemon/cli/cluster/programs.ts';
import { loadConfig } from '../../../daemon/cli/config/config.ts';
import { packageFolder } from '../../../daemon/cli/version.ts';
import { run as runCli } from '../../support/cli-run.ts';
import { clusterOptions } from '../../support/nodes/cluster-process.ts';
import { instructionsOf } from '../../support/nodes/dockerfile.ts';
import { World } from '../../support/world.ts';

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

const analyze = await findProgram('systemd-analyze');
const analyzeOptions = analyze === undefined ? { skip: 'THERE IS NO SYSTEMD ON THIS MACHINE' } : {};

test('PK9 the unit is hardened to an exposure of 2.0 or less', analyzeOptions, async () => {
  const { stdout } = await run(analyze ?? '', ['security', '--offline=true', '--threshold=20', '--no-pager', offered('rosterd.service')]);
  assert.match(stdout, /Overall exposure level for rosterd.service: [01]\.\d OK/);
});

test('PK9 the commands of the unit are valid with the settings of the Debian package, and its stop outlasts that of the daemon', async (t) => {
  const unit = await readFile(offered('rosterd.service'), 'utf8');
  const settings = offered('debian/rosterd.json');
  const [[serve = ''] = [], [ready = ''] = []] = [/^ExecStart=\S+ (.*)$/m, /^ExecStartPost=-\S+ (.*)$/m].map((line) =>
    line.exec(unit)?.slice(1),
  );
  const { code, served } = await runCli('/', serve.replace('/etc/rosterd/rosterd.json', settings), {
    ROSTERD_API_KEY: 'key',
    ROSTERD_API_SECRET: 's'.repeat(40),
  });
  assert.deepEqual([code, served[0]?.config.data, served[0]?.config.listen.port], [0, '/var/lib/rosterd', 8800]);
  const world = await World.start(t);
  const asked = ready.replace('/etc/rosterd/rosterd.json', `${settings} --url ${world.daemon.url}`);
  assert.equal((await runCli('/', asked)).code, 0);
  const stopS = Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1]);
  const drainS = (served[0]?.config.drainMs ?? 0) / 1_000;
  assert.ok(stopS > drainS + 60, `${stopS} s are too short for a drain of ${drainS} s and a minute`);
});

test('PK10 what the Dockerfile copies exists, and its commands and settings are those of rosterd', async () => {
  const instructions = instructionsOf(await readFile(offered('Dockerfile'), 'utf8'));
  const all = (name: string): string[] => instructions.filter((one) => one.name === name).map(({ text }) => text);
  const copied = all('COPY').filter((text) => !text.startsWith('--from='));
  assert.ok(copied.length > 3);
  for (const source of copied.flatMap((text) => text.split(' ').slice(0, -1))) await stat(join(packageFolder(), source));
  const env = Object.fromEntries(
    [
      ...all('ENV')
        .join(' ')
        .matchAll(/(ROSTERD_\w+)=(\S+)/g),
    ].map(([, name = '', value = '']) => [name, value]),
  );
  const { config } = loadConfig({ flags: {}, env, cwd: '/' });
  assert.equal(config.data, all('VOLUME')[0]);
  assert.equal(String(config.listen.port), all('EXPOSE')[0]);
  assert.deepEqual(JSON.parse(all('CMD')[0] ?? ''), ['node', 'daemon/rosterd.js', 'serve']);
  assert.match(all('HEALTHCHECK')[0] ?? '', /CMD \["node", "daemon\/rosterd\.js", "doctor", "--ready"\]$/);
  assert.ok(
    instructions.findIndex(({ name }) => name === 'USER') > instructions.findLastIndex(({ name }) => name === 'RUN'),
    'it does not run as root',
  );
});

test('PK10 compose.yaml builds the Dockerfile, and its nodes write nothing but their data', async () => {
  const text = await readFile(offered('compose.yaml'), 'utf8');
  assert.match(text, /context: \.\.\/\.\.\n {4}dockerfile: daemon\/deploy\/Dockerfile\n {2}read_only: true\n/);
});
