/** Three nodes behind HAProxy in place of one daemon: `npm run test:clients -- --cluster`. Empty, and gone when it is stopped. */
import { setTimeout as delay } from 'node:timers/promises';
import { serverToken } from '../../daemon/cli/token.ts';
import { ClusterProcess } from '../support/nodes/cluster-process.ts';
import { writeUser } from '../support/restarting.ts';
import type { ClientDirectory } from './directory.ts';
import { controlled } from './restarting.ts';

const NODES = ['node-1', 'node-2', 'node-3'];
const LOOK_EVERY_MS = 50;

export async function startClusterDirectory(): Promise<ClientDirectory> {
  const { cluster, stop } = await started();
  const env = { ROSTERD_URL: cluster.url, ROSTERD_API_KEY: cluster.apiKey, ROSTERD_API_SECRET: await cluster.apiSecret() };
  return { env, stop };
}

/** A restart is one of all nodes at once, so that it meets every connection exactly once; most come back to another node. */
export async function startRestartingCluster(): Promise<ClientDirectory> {
  const { cluster, stop } = await started();
  const { url, apiKey } = cluster;
  const token = serverToken(await cluster.apiSecret());
  let written = 0;
  return await controlled({
    ...{ url, apiKey, token },
    restart: async (signal) => {
      await cluster.end(signal, NODES);
      await cluster.revive(NODES);
      // The proxy looks for nodes that are back once in a second.
      while (!(await fetch(`${url}/readyz`)).ok) await delay(LOOK_EVERY_MS);
    },
    write: async (users) => {
      const ids = Array.from({ length: users }, () => `u${++written}`);
      for (const id of ids) await writeUser(id, { url, apiKey, token });
      return ids;
    },
    remove: stop,
  });
}

async function started(): Promise<{ readonly cluster: ClusterProcess; readonly stop: () => Promise<void> }> {
  const ends: (() => Promise<unknown>)[] = [];
  const cluster = await ClusterProcess.start({ after: (end) => void ends.push(end) });
  return {
    cluster,
    stop: async () => {
      for (const end of ends) await end();
    },
  };
}
