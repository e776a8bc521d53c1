/** ND11 and ND14 over a rolling restart: three nodes are stopped and started one after the other, and applications notice nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { RosterClient } from '../../protocol/client/roster-client.ts';
import { apiSecret } from '../../protocol/client/tokens/secret.ts';
import { Balancer } from '../support/cluster/balancer.ts';
import { Cluster, clusterOptions } from '../support/cluster/cluster.ts';
import type { ClusterNode } from '../support/cluster/node.ts';
import { eventually } from '../support/eventually.ts';
import { sized } from '../support/long.ts';
import { testOption } from '../support/random.ts';
import { API_SECRET } from '../support/world.ts';

const WELL_MS = 30_000;
const CALLERS = 6;
const PAUSE_MS = 15;
/** Of a balancer's attention, of the 4 s that there are. */
const NOTICED_MS = 1_000;
const LOOK_MS = 100;

/** ND14: it goes on listening and says that it is not ready, for longer than a load balancer takes to notice. */
async function stays503(node: ClusterNode): Promise<void> {
  const look = async (): Promise<number> => (await node.call('GET', '/readyz')).status;
  let status = await look();
  while (status === 200) status = await look();
  const sinceMs = performance.now();
  for (let tookMs = 0; tookMs < NOTICED_MS; tookMs = performance.now() - sinceMs) {
    assert.equal(status, 503, `after ${tookMs} ms`);
    await delay(LOOK_MS);
    status = await look();
  }
}

test('ND11 ND14 a rolling restart under load fails no request of the client library, and loses no event', {
  ...clusterOptions,
  timeout: 1_200_000,
}, async (t) => {
  const cluster = await Cluster.start(t, { nodes: 3 });
  await cluster.well(WELL_MS);
  const balancer = await Balancer.open(cluster.nodes);
  t.after(() => balancer.close());
  const client = (): RosterClient =>
    new RosterClient({ url: balancer.url, apiKey: cluster.app, webSocket: WebSocket, secret: apiSecret(API_SECRET) });
  const failures: string[] = [];
  let [isOver, reads] = [false, 0];
  const written: string[] = [];
  const call = async (name: string): Promise<void> => {
    const own = client();
    for (let n = 0; !isOver; n++) {
      const id = `${name}-${n}`;
      try {
        await own.upsertUsers([{ id, name: id }]);
        written.push(id);
        const { users } = await own.queryUsers({ id: { $eq: id } });
        reads++;
        if (users.length !== 1) failures.push(`${id} was not found by who wrote it`);
      } catch (error) {
        failures.push(`${id}: ${error instanceof Error ? `${error.message} (${error.cause})` : error}`);
      }
      await delay(PAUSE_MS);
    }
  };
  const subscribers = [0, 1, 2].map(() => {
    const own = client();
    const seen: string[] = [];
    let resyncs = 0;
    own.on('user.updated', ({ user }) => void (user.id === 'probe' || seen.push(user.id)));
    own.on('resync', () => resyncs++);
    return { own, seen, resyncs: () => resyncs };
  });
  for (const { own } of subscribers) {
    t.after(() => own.disconnectUser());
    await own.connect();
    await own.subscribe({ sub: 'all', all: true, snapshot: false });
  }
  const callers = Array.from({ length: CALLERS }, (_, n) => call(`caller-${n}`));
  t.after(() => {
    isOver = true;
  });
  const turns = testOption('turns', sized(1, 3));
  for (let turn = 0; turn < turns; turn++) {
    for (const node of cluster.nodes) {
      const ending = node.end('SIGTERM');
      await stays503(node);
      const ended = await ending;
      assert.equal(ended?.code, 0, ended?.stderr.slice(-1_000));
      await node.start();
      await node.well(WELL_MS);
    }
  }
  isOver = true;
  await Promise.all(callers);
  assert.deepEqual(failures.slice(0, 10), [], `${failures.length} of ${written.length + reads} requests failed`);
  for (const { seen, resyncs } of subscribers) {
    await eventually(
      () => seen.length >= written.length,
      () => `${seen.length} of ${written.length} were seen`,
    );
    assert.deepEqual([seen.length, new Set(seen), resyncs()], [written.length, new Set(written), 0]);
  }
  t.diagnostic(`${turns * cluster.nodes.length} restarts, ${written.length} writes and ${reads} reads, none failed`);
});
