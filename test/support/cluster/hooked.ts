/** A cluster of three nodes whose events go to a webhook, too. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { HookReceiver } from '../hooks/hook-receiver.ts';
import { API_SECRET } from '../world.ts';
import { positionOf } from './checks.ts';
import { Cluster } from './cluster.ts';

export interface HookedCluster {
  readonly cluster: Cluster;
  readonly receiver: HookReceiver;
  /** The position before anything that the test does. */
  readonly start: { readonly epoch: string; readonly seq: number };
}

/** Resolves when all nodes are well, for which they have `wellMs`. */
export async function hookedCluster(t: TestContext, wellMs: number, flags: Readonly<Record<string, string>> = {}): Promise<HookedCluster> {
  const receiver = await new HookReceiver(API_SECRET).live();
  t.after(() => receiver.die());
  const cluster = await Cluster.start(t, { nodes: 3, flags: { 'webhooks-allow-private': 'true', ...flags } });
  await cluster.well(wellMs);
  const [one] = cluster.nodes;
  assert.ok(one !== undefined);
  const hook = { id: 'main', hook_type: 'webhook', enabled: true, webhook_url: receiver.url, event_types: [] };
  assert.equal((await one.call('PATCH', '/api/v2/app', { event_hooks: [hook] })).status, 200);
  return { cluster, receiver, start: await positionOf(one) };
}
