/** CU1–CU5: `rosterd cluster` from its start to its end, and what dies in between. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freePort } from '../../daemon/cli/cluster/free-port.ts';
import { RosterClientError } from '../../protocol/client/client-error.ts';
import type { RosterClient } from '../../protocol/client/roster-client.ts';
import { apiSecret } from '../../protocol/client/tokens/secret.ts';
import { eventually } from '../support/eventually.ts';
import { Scrape } from '../support/http/scrape.ts';
import { serverClient } from '../support/live/client-kit.ts';
import { sized } from '../support/long.ts';
import { ClusterProcess, clusterOptions, isAlive } from '../support/nodes/cluster-process.ts';
import { RosterdProcess } from '../support/process.ts';

const NODES = sized(2, 3);

/** Writes one user after the other until it is stopped. Returns the ids of those that were acknowledged. */
async function write(client: RosterClient, stop: AbortSignal): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let n = 0; !stop.aborted; n++) {
    const id = `user-${n}`;
    const error = await client.upsertUser({ id }).catch((thrown: unknown) => thrown);
    if (!(error instanceof Error)) acknowledged.push(id);
    else assert.ok(error instanceof RosterClientError && error.retry === 'later', String(error));
  }
  return acknowledged;
}

test(
  'CU1 CU2 CU3 CU4 MX2 over the death of a node and of the primary no acknowledged write is lost; Ctrl-C leaves nothing behind',
  clusterOptions,
  async (t) => {
    const cluster = await ClusterProcess.start(t, '--nodes', String(NODES));
    assert.equal(cluster.nodeUrls.length, NODES);
    // Beside the nodes, two database servers and HAProxy.
    assert.ok(cluster.pids.length === NODES + 3 && cluster.pids.every(isAlive));
    const options = { apiKey: cluster.apiKey, secret: apiSecret(await cluster.apiSecret()) };
    const subscriber = serverClient(t, cluster.url, options).client;
    const heard: string[] = [];
    subscriber.on('user.updated', ({ user }) => heard.push(user.id));
    subscriber.on('resync', () => heard.push('resync'));
    await subscriber.connect();
    await subscriber.subscribe({ sub: 'all', all: true });
    const stop = new AbortController();
    const writing = write(serverClient(t, cluster.url, options).client, stop.signal);
    const more = async (count = heard.length + 20): Promise<void> => {
      await eventually(
        () => heard.length >= count,
        () => `${heard.length} of ${count}: ${cluster.process.stderr}`,
        60_000,
      );
    };
    await more();
    const scrapes = await Promise.all(cluster.metricsUrls.map((url) => Scrape.of(url)));
    assert.equal(scrapes.length, NODES);
    for (const scrape of scrapes) {
      assert.ok(
        (scrape.value('rosterd_cluster_log_lag_entries') ?? -1) >= 0 &&
          scrape.value('rosterd_cluster_append_conflicts_total') !== undefined,
      );
      assert.deepEqual([scrape.value('rosterd_writable'), scrape.all('rosterd_journal_bytes')], [1, []], 'the journal is the database');
    }
    assert.ok(scrapes.some((scrape) => (scrape.value('rosterd_journal_append_duration_seconds_count') ?? 0) > 0));
    process.kill(cluster.pid('node-2'), 'SIGKILL');
    await cluster.says(`node-2 (pid ${cluster.pid('node-2')}) has ended: SIGKILL`);
    await more();
    process.kill(cluster.pid('postgres-a'), 'SIGKILL');
    await cluster.says(/postgres-a \(pid \d+\) has ended: /);
    process.kill(cluster.process.child.pid ?? 0, 'SIGUSR2');
    await cluster.says('postgres-a stays away: postgres-b is not a primary');
    await cluster.promote();
    process.kill(cluster.process.child.pid ?? 0, 'SIGUSR2');
    await cluster.says('postgres-a runs again');
    await cluster.says('node-2 runs again');
    await more();
    stop.abort();
    const acknowledged = await writing;
    await eventually(
      () => heard.includes(acknowledged.at(-1) ?? ''),
      () => `${heard.at(-1)}, not ${acknowledged.at(-1)}`,
    );
    assert.deepEqual(
      acknowledged.filter((id) => !subscriber.users.has(id)),
      [],
    );
    assert.deepEqual(heard, [...new Set(heard)], 'no event came twice, and nothing had to start over');
    const { pids } = cluster;
    const { code, stderr } = await cluster.process.kill('SIGINT');
    assert.deepEqual([code, pids.filter(isAlive), await cluster.left()], [0, [], []], stderr);
  },
);

test('CU4 when the command itself is killed, its parts and its folder go, too', clusterOptions, async (t) => {
  const cluster = await ClusterProcess.start(t, '--nodes', '1');
  const { pids } = cluster;
  await cluster.process.kill('SIGKILL');
  await eventually(
    () => !pids.some(isAlive),
    () => `${pids.filter(isAlive)} are alive`,
  );
  await eventually(async () => (await cluster.left()).length === 0, 'the folder is still there');
});

test('CU4 an interrupt during the start ends what was started; a folder of the caller is kept', clusterOptions, async (t) => {
  // The user postgres may enter the folder above it.
  const folder = join(tmpdir(), `rosterd-kept-${randomUUID()}`);
  t.after(() => rm(folder, { recursive: true, force: true }));
  const starting = RosterdProcess.run(['cluster', '--port', String(await freePort()), '--data', folder]);
  t.after(() => starting.kill('SIGINT'));
  await eventually(
    () => starting.stderr.includes('starting PostgreSQL'),
    () => starting.stderr,
  );
  const ended = await starting.kill('SIGINT');
  assert.deepEqual([ended.code, existsSync(folder)], [130, true], ended.stderr);
  assert.match(ended.stderr, new RegExp(`everything is kept in ${folder}\n$`));
});

test('CU5 on a taken port and in a used folder it says what to do, and starts nothing', clusterOptions, async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'rosterd-'));
  t.after(() => rm(place, { recursive: true, force: true }));
  await writeFile(join(place, 'precious'), '');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? String(address?.port) : '';
  const cases: [string[], RegExp][] = [
    [
      ['--port', port],
      new RegExp(`HAProxy cannot listen on 127\\.0\\.0\\.1:${port} \\(.*EADDRINUSE.*\\): choose another port with --port\n$`),
    ],
    [['--port', '0'], /whole number from 1 to 65535/],
    [['--nodes', '0'], /whole number from 1 to 20/],
    [['--data', place], /is in use: it holds precious\. Name a new or an empty folder with --data\n$/],
  ];
  for (const [flags, message] of cases) {
    const { code, stdout, stderr } = await RosterdProcess.run(['cluster', ...flags]).finished;
    assert.match(stderr, message);
    assert.deepEqual([code === 0, stdout], [false, '']);
  }
});
