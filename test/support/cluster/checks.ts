/** What has to be true of a cluster in the end, once nothing goes wrong any more. */
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import type { HookReceiver } from '../hooks/hook-receiver.ts';
import { comparable, DirectoryCopy } from '../live/copy.ts';
import type { Frame } from '../live/received.ts';
import { serverToken } from '../world.ts';
import type { Cluster } from './cluster.ts';
import type { ClusterNode } from './node.ts';
import { Observer, type Seen } from './observer.ts';

const CATCH_UP_MS = 60_000;
/** The user of the last event. */
const LAST = 'last';

export async function positionOf(node: ClusterNode): Promise<{ epoch: string; seq: number }> {
  const { status, body } = await node.call('GET', '/sync/position');
  assert.equal(status, 200);
  return { epoch: body.epoch, seq: body.seq };
}

/** Everything after `from`, as the log has it, once a last write of its own is seen by the observers, which end then. */
export async function historyOf(
  cluster: Cluster,
  from: { epoch: string; seq: number },
  observers: readonly Observer[] = [],
): Promise<readonly Seen[]> {
  const written = await cluster.nodes[0]?.call('POST', '/api/v2/users', { users: { [LAST]: { id: LAST } } });
  assert.equal(written?.status, 201, JSON.stringify(written?.body));
  const reader = new Observer(cluster, () => 0, from);
  const all = [...observers, reader];
  try {
    await Promise.all(all.map((observer) => observer.sees(LAST, CATCH_UP_MS)));
  } finally {
    await Promise.all(all.map((observer) => observer.end()));
  }
  assert.deepEqual(reader.breaches, []);
  return reader.seen;
}

/** Each of the observers was sent exactly the history since it began, in order. */
export function observedBreaches(observers: readonly Observer[], history: readonly Seen[]): string[] {
  const wrong: string[] = [];
  // A subscriber that began at a node that was a little behind was sent the end of what came before.
  const begin = history[0]?.seq ?? 0;
  for (const [n, { seen: all, breaches }] of observers.entries()) {
    const seen = all.filter(({ seq }) => seq >= begin);
    wrong.push(...breaches.map((breach) => `observer ${n}: ${breach}`));
    const first = seen[0]?.seq ?? 0;
    const right = history.filter(({ seq }) => seq >= first);
    for (let at = 0; at < Math.max(seen.length, right.length); at++) {
      const [got, wanted] = [JSON.stringify(seen[at]), JSON.stringify(right[at])];
      if (got === wanted) continue;
      wrong.push(`observer ${n}: event ${at} of ${right.length} is ${got}, and should be ${wanted}`);
      break;
    }
  }
  return wrong;
}

/** Every node has the same users, with the same content, and those that were written are as the history leaves them. */
export async function equalDirectories(cluster: Cluster, history: readonly Seen[]): Promise<Map<string, Frame>> {
  const copies: Map<string, Frame>[] = [];
  for (const node of cluster.nodes) {
    const copy = new DirectoryCopy(() => node.url.replace('http', 'ws'), { api_key: cluster.app, token: serverToken() });
    await copy.connect();
    copies.push(comparable(copy.users.values()));
    copy.cut();
  }
  for (const copy of copies) assert.deepEqual(copy, copies[0]);
  const [users = new Map<string, Frame>()] = copies;
  const last = new Map(history.map((seen) => [seen.user, seen]));
  for (const { user, type, mark, rev } of last.values()) {
    if (type === 'user.deleted') assert.equal(users.has(user), false, `${user} was deleted`);
    else if (mark !== undefined) assert.deepEqual([users.get(user)?.rev, users.get(user)?.custom.mark], [rev, mark], user);
  }
  return users;
}

/** Every event of the history arrived, in order for each user, and whatever came again was the same with the same id. */
export async function deliveredBreaches(receiver: HookReceiver, history: readonly Seen[]): Promise<string[]> {
  const wanted = new Set(history.filter(({ type }) => type !== 'user.hidden').map(({ seq }) => seq));
  const missing = (): number[] => {
    const taken = new Set(receiver.taken.map(({ seq }) => seq));
    return [...wanted].filter((seq) => !taken.has(seq));
  };
  for (const end = performance.now() + CATCH_UP_MS; missing().length > 0 && performance.now() < end; ) await delay(50);
  const wrong = missing().map((seq) => `the webhook of event ${seq} was never sent`);
  const [ids, bodies, last] = [new Map<number, string>(), new Map<string, string>(), new Map<string, number>()];
  for (const { seq, id, body, user } of receiver.arrived.filter(({ seq }) => wanted.has(seq))) {
    const before = last.get(user) ?? 0;
    if (!ids.has(seq) && seq < before) wrong.push(`the webhook of event ${seq} of ${user} came for the first time after that of ${before}`);
    last.set(user, Math.max(before, seq));
    // Whether the user is online is that of the moment, and not part of the event (WH24).
    const text = JSON.stringify(body).replace(/"online":(true|false)/g, '"online":…');
    const idBefore = ids.get(seq);
    if (idBefore !== undefined && idBefore !== id) wrong.push(`the webhook of event ${seq} came as ${idBefore} and as ${id}`);
    if ((bodies.get(id) ?? text) !== text) wrong.push(`the webhook ${id} came as ${bodies.get(id)} and as ${text}`);
    ids.set(seq, id);
    bodies.set(id, text);
  }
  return [...wrong, ...receiver.problems];
}
