/** What goes wrong in a cluster. Each fault has passed when it resolves, and the nodes have to become well by themselves. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';

export interface FaultTools {
  readonly cluster: Cluster;
  readonly random: () => number;
  /** Also a part of what is ended: the users connected there are cut off. */
  readonly node: ClusterNode;
}

type Fault = (tools: FaultTools) => Promise<void>;

const WAITING = "select pid from pg_stat_activity where wait_event = 'SyncRep'";

/** Between `least` and `most` milliseconds. */
function between(random: () => number, least: number, most: number): Promise<void> {
  return delay(least + random() * (most - least));
}

/** Cancels the waits of commits for the standby, at least one; to the client they look like a success with a warning. */
async function cancelWaits({ cluster }: FaultTools): Promise<void> {
  for (const end = Date.now() + 5_000; Date.now() < end; await delay(20)) {
    if ((await cluster.primary.sql(`select pg_cancel_backend(pid) from (${WAITING}) waiting`)).length > 0) return;
  }
}

async function failOver({ cluster }: FaultTools): Promise<void> {
  await cluster.promote();
  await cluster.remakeStandby();
}

/** A connection of a node that breaks as `how` says, for some time. */
function broken(how: (tools: FaultTools) => void, mostMs: number): Fault {
  return async (tools) => {
    how(tools);
    await between(tools.random, 200, mostMs);
    for (const wire of tools.node.wires) wire.heal();
  };
}

/** What happens to one node, or to its network. */
export const NODE_FAULTS: Readonly<Record<string, Fault>> = {
  'a node is killed': async ({ node, random }) => {
    await node.end('SIGKILL');
    await between(random, 0, 2_000);
    await node.start();
  },
  'a node stands still': async ({ node, random }) => {
    node.signal('SIGSTOP');
    await between(random, 500, 13_000);
    node.signal('SIGCONT');
  },
  'the connections of a node are cut': broken(({ node }) => {
    for (const wire of node.wires) wire.cut();
  }, 4_000),
  'nothing reaches the servers': broken(({ node }) => {
    for (const wire of node.wires) wire.hold('there');
  }, 9_000),
  'nothing comes back from the servers': broken(({ node }) => {
    for (const wire of node.wires) wire.hold('back');
  }, 9_000),
  'the network of a node is silent': broken(({ node }) => {
    for (const wire of node.wires) for (const way of ['there', 'back'] as const) wire.hold(way);
  }, 9_000),
  'what a node sent arrives late, after it has connected again': async ({ node, random }) => {
    for (const wire of node.wires) wire.hold('there', 'existing');
    await between(random, 6_000, 9_000);
    for (const wire of node.wires) wire.heal();
  },
};

/** What happens to the servers of the database. */
export const SERVER_FAULTS: Readonly<Record<string, Fault>> = {
  'the primary is killed': async ({ cluster, random }) => {
    await cluster.primary.kill();
    await between(random, 0, 3_000);
    await cluster.primary.start();
    await cluster.streaming();
  },
  'the primary is restarted at once': async ({ cluster }) => {
    await cluster.primary.stopAtOnce();
    await cluster.primary.start();
    await cluster.streaming();
  },
  'the primary stands still': async ({ cluster, random }) => {
    const { primary } = cluster;
    primary.freeze();
    await between(random, 500, 8_000);
    primary.thaw();
  },
  'the primary is dead, and the standby takes over': async (tools) => {
    await tools.cluster.primary.kill();
    await failOver(tools);
  },
  'the standby takes over while the old primary still runs': async (tools) => {
    const { cluster, node, random } = tools;
    const old = cluster.wire(node, cluster.primary);
    await cluster.promote();
    // This node finds the new one, the others go on asking the old one.
    old.cut();
    await between(random, 500, 4_000);
    if (random() < 0.5) for (const pid of await cluster.standby.sql(WAITING)) await cluster.standby.sql(`select pg_cancel_backend(${pid})`);
    old.heal();
    await cluster.remakeStandby();
  },
  'the standby is gone for a while': async ({ cluster, random }) => {
    await cluster.standby.kill();
    await between(random, 500, 8_000);
    await cluster.standby.start();
    await cluster.streaming();
  },
  'waits for the standby are cancelled': async (tools) => {
    const { cluster, random } = tools;
    cluster.standby.freeze();
    await cancelWaits(tools);
    await between(random, 0, 2_000);
    cluster.standby.thaw();
    await cluster.streaming();
  },
  'waits are cancelled, and then the standby takes over': async (tools) => {
    const { cluster, random } = tools;
    await cluster.standby.kill();
    await cancelWaits(tools);
    await between(random, 0, 1_500);
    await cluster.primary.kill();
    await cluster.standby.start();
    await failOver(tools);
  },
  'the primary restarts without its standby, and then that one takes over': async (tools) => {
    const { cluster, random } = tools;
    await cluster.standby.kill();
    await between(random, 100, 1_000);
    await cluster.primary.kill();
    await cluster.primary.start();
    await between(random, 500, 3_000);
    await cluster.primary.kill();
    await cluster.standby.start();
    await failOver(tools);
  },
};
