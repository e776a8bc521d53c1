/**
 * DP1, DP2, ND12: several nodes behind a real HAProxy and a real nginx, as `daemon/deploy` configures them. Both stand before the same
 * cluster, so that each node has to die only once. By default there are two nodes: each connection loses its own all the same.
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { serverToken } from '../../daemon/cli/token.ts';
import type { Transport } from '../../daemon/cli/watch/socket-io.ts';
import { watch } from '../../daemon/cli/watch/watch.ts';
import { apiSecret } from '../../protocol/client/tokens/secret.ts';
import { eventually } from '../support/eventually.ts';
import { serverClient } from '../support/live/client-kit.ts';
import { IoClient } from '../support/live/io-client.ts';
import { sized } from '../support/long.ts';
import { ClusterProcess, nginxOptions } from '../support/nodes/cluster-process.ts';
import { startNginx } from '../support/nodes/nginx.ts';
import { writeAll } from '../support/nodes/writing.ts';

const NODES = ['node-1', 'node-2', 'node-3'].slice(0, sized(2, 3));
const WRITES = 20;

interface Reader {
  readonly name: string;
  readonly heard: string[];
}

/** Everything that `rosterd watch` hears over one transport. */
async function watcher(t: TestContext, name: string, transport: Transport, url: string, cluster: ClusterProcess): Promise<Reader> {
  const [heard, talk, stop, secret] = [[] as string[], [] as string[], new AbortController(), await cluster.apiSecret()];
  const options = {
    url,
    apiKey: cluster.apiKey,
    token: () => serverToken(secret),
    interest: { all: true as const },
    transports: [transport],
  };
  const ended = watch(options, {
    random: Math.random,
    onEvent: ({ user }) => void heard.push((user as { id: string }).id),
    onTalk: (text) => void talk.push(text),
    stop: stop.signal,
  });
  t.after(async () => {
    stop.abort();
    await ended;
  });
  await eventually(
    () => talk.some((text) => text.startsWith('connected;')),
    () => `${name}: ${talk}`,
  );
  return { name, heard };
}

/** The client library, over a WebSocket. */
async function subscriber(t: TestContext, url: string, cluster: ClusterProcess): Promise<Reader> {
  const { client } = serverClient(t, url, { apiKey: cluster.apiKey, secret: apiSecret(await cluster.apiSecret()) });
  const heard: string[] = [];
  client.on('event', ({ user }) => heard.push(user.id));
  client.on('resync', () => heard.push('resync'));
  await client.connect();
  await client.subscribe({ sub: 'all', all: true, snapshot: false });
  return { name: 'client library', heard };
}

/** One of each kind, over the proxy at `url`. */
async function readersOver(t: TestContext, url: string, cluster: ClusterProcess): Promise<Reader[]> {
  return [
    await subscriber(t, url, cluster),
    await watcher(t, 'WebSocket', 'websocket', url, cluster),
    await watcher(t, 'first long polling', 'polling', url, cluster),
    await watcher(t, 'second long polling', 'polling', url, cluster),
  ].map(({ name, heard }) => ({ name: `${name} over ${url}`, heard }));
}

/** Kills every node once, so that each connection loses its node, and checks that no reader misses or repeats anything. */
async function survives(t: TestContext, urls: readonly string[], cluster: ClusterProcess): Promise<void> {
  const readers = (await Promise.all(urls.map((url) => readersOver(t, url, cluster)))).flat();
  const secret = apiSecret(await cluster.apiSecret());
  const writers = urls.map((url) => serverClient(t, url, { apiKey: cluster.apiKey, secret }).client);
  const written: string[] = [];
  for (const node of NODES) {
    await cluster.end('SIGKILL', [node]);
    for (const [n, writer] of writers.entries()) {
      const ids = Array.from({ length: WRITES }, (_, at) => `${node}-${n}-${at}`);
      await writeAll(writer, ids);
      written.push(...ids);
    }
    for (const { name, heard } of readers) {
      await eventually(
        () => heard.length >= written.length,
        () => `${name} has heard ${heard.length} of ${written.length} after the death of ${node}`,
        30_000,
      );
      assert.deepEqual(heard, written, name);
    }
    await cluster.revive([node]);
  }
}

/** Long polling works only when all requests of a connection come to one node. Connections of one address are not all at the same one. */
async function polls(url: string, cluster: ClusterProcess): Promise<void> {
  const auth = {
    api_key: cluster.apiKey,
    token: serverToken(await cluster.apiSecret()),
    subs: [{ sub: 'all', all: true, snapshot: false }],
  };
  const clients = Array.from({ length: 9 }, () => new IoClient(url, auth, { transports: ['polling'] }));
  try {
    const opened = await Promise.all(clients.map((client) => client.opened()));
    const nodes = new Set(opened.map(({ connection_id: id }) => String(id).split('.').at(-1)));
    assert.ok(nodes.size > 1, `all are at ${[...nodes]}`);
    const answers = clients.map((client) => client.socket.timeout(10_000).emitWithAck('upsert', { users: [{ id: 'polled' }] }));
    for (const answer of await Promise.all(answers)) assert.equal(answer.error, undefined, JSON.stringify(answer));
  } finally {
    for (const { socket } of clients) socket.disconnect();
  }
}

test('DP1 DP2 ND12 behind HAProxy and nginx every transport works, and resumes over the death of each node', nginxOptions, async (t) => {
  const cluster = await ClusterProcess.start(t, '--nodes', String(NODES.length));
  const urls = [cluster.url, await startNginx(t, cluster.nodeUrls)];
  for (const url of urls) await polls(url, cluster);
  await survives(t, urls, cluster);
});
