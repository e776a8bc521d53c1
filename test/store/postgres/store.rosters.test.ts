/** Two directories on one log, as two nodes have it: every acknowledged command has its effect, on both (SQ8, SQ9, PL4, PL8, PR11, PR12). */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Roster } from '../../../daemon/pipeline/roster.ts';
import { RosterError } from '../../../protocol/base/errors.ts';
import type { Command } from '../../../protocol/log/command.ts';
import { PostgresPeers } from '../../../store/postgres/peers.ts';
import { eventually } from '../../support/eventually.ts';
import { rosterWith } from '../../support/open-roster.ts';
import { seeded, testOption } from '../../support/random.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

async function roster(t: TestContext, { log, snapshots }: PgNode, snapshotEveryFacts = 100_000): Promise<Roster> {
  const opened = await rosterWith({ log, snapshots, snapshotEveryFacts, onFatal: () => {} });
  t.after(() => opened.close());
  return opened;
}

const upsert = (id: string, name: string, ifRev?: number): Command => ({
  kind: 'upsert',
  actor: { kind: 'server' },
  users: [{ id, name, custom: {}, ...(ifRev === undefined ? {} : { if_rev: ifRev }) }],
  problems: [],
});

/** The same state, byte for byte, at the same place. */
async function assertSame(one: Roster, other: Roster): Promise<void> {
  await eventually(
    () => one.directory.seq === other.directory.seq,
    () => `${one.directory.seq} and ${other.directory.seq}`,
  );
  const lines = ({ directory }: Roster): string[] => {
    const view = directory.freeze();
    const all = [...view.lines()].map((line) => JSON.stringify(line)).sort();
    view.release();
    return all;
  };
  assert.deepEqual(lines(one), lines(other));
}

test('SQ8 on a node 250 ms behind, no acknowledged upsert is without effect, and no valid condition is refused', pgOptions, async (t) => {
  const app = randomUUID();
  const [front, behind] = [await kit.node(app), await kit.node(app, { recentBytes: 0, pulseMs: 60_000 })];
  const nodes = [await roster(t, front), await roster(t, behind)] as const;
  behind.proxy.on('rosterd-block', async (exchange) => {
    await delay(250);
    exchange.answer(await exchange.forward());
  });
  await nodes[0].submit(upsert('ann', 'Ann'), 'live');
  for (let n = 0; n < 8; n++) {
    await nodes[0].submit(upsert('ann', 'Rival'), 'live');
    // The node behind still has the name that it is asked to set.
    const { users } = await nodes[1].submit(upsert('ann', 'Ann'), 'live');
    assert.equal(users[0]?.change, 'updated', `round ${n}`);
    const changed = await nodes[0].submit(upsert('bob', `Bob ${n}`), 'live');
    const rev = changed.users[0]?.user.rev ?? assert.fail();
    assert.equal((await nodes[1].submit(upsert('bob', `Bob ${n}!`, rev), 'live')).users[0]?.user.rev, rev + 1);
  }
  await assertSame(...nodes);
});

test('SQ9 two nodes that write to the same users all the time: each command is answered, and both agree', pgOptions, async (t) => {
  const app = randomUUID();
  const stores = [await kit.node(app), await kit.node(app)] as const;
  const nodes = [await roster(t, stores[0]), await roster(t, stores[1])] as const;
  const write = async (node: Roster, mark: string): Promise<number> => {
    let effects = 0;
    for (let n = 0; n < 60; n++) {
      const { users } = await node.submit(upsert(`u${n % 7}`, `${mark} ${n}`), 'live');
      effects += users[0]?.change === 'unchanged' ? 0 : 1;
    }
    return effects;
  };
  const effects = await Promise.all([write(nodes[0], 'one'), write(nodes[0], 'two'), write(nodes[1], 'three')]);
  assert.deepEqual(effects, [60, 60, 60]);
  await assertSame(...nodes);
  const revs = Array.from({ length: 7 }, (_, n) => nodes[1].directory.user(`u${n}`)?.name);
  assert.equal(
    revs.every((name) => name !== undefined),
    true,
  );
  assert.equal(nodes[0].directory.seq, 180, 'one fact for each');
});

test('SQ9 a name that must be unique goes to one of two nodes', pgOptions, async (t) => {
  const app = randomUUID();
  const nodes = [await roster(t, await kit.node(app)), await roster(t, await kit.node(app))] as const;
  await nodes[0].submit({ kind: 'settings', set: { enforce_unique_usernames: 'app' } }, 'live');
  for (let n = 0; n < 15; n++) {
    const results = await Promise.allSettled(nodes.map((node, at) => node.submit(upsert(`u${n}-${at}`, `Name ${n}`), 'live')));
    const refusals = results.filter((result) => result.status === 'rejected');
    assert.equal(refusals.length, 1, `round ${n}`);
    assert.ok(refusals[0]?.reason instanceof RosterError && refusals[0].reason.kind === 'duplicate_username');
  }
  await assertSame(...nodes);
});

test('PL8 a node that starts from the stored snapshot and the log after it has the same directory', pgOptions, async (t) => {
  const app = randomUUID();
  const first = await roster(t, await kit.node(app, { retention: { bytes: 0 } }), 40);
  for (let n = 0; n < 150; n++) await first.submit(upsert(`u${n % 30}`, `name ${n}`), 'live');
  // It makes no snapshot any more; what follows is in the log alone.
  await first.close();
  const second = await roster(t, await kit.node(app));
  for (let n = 0; n < 10; n++) await second.submit(upsert(`u${n}`, `later ${n}`), 'live');
  const store = await kit.node(app);
  const loaded = await store.snapshots.load();
  assert.ok(loaded !== undefined && loaded.position.seq > 0 && loaded.position.seq <= 150, `${loaded?.position.seq}`);
  await assertSame(second, await roster(t, store));
});

test('PR11 PR12 with three nodes and 1,000 users coming and going, every node says the same within a second', pgOptions, async (t) => {
  const app = randomUUID();
  const seed = testOption('seed', Math.floor(Math.random() * 2 ** 31));
  t.diagnostic(`--seed ${seed}`);
  const random = seeded(seed);
  const nodes: { roster: Roster; node: PgNode; online: Map<string, number> }[] = [];
  for (const name of ['one', 'two', 'three']) {
    const node = await kit.node(app);
    const peers = new PostgresPeers({ app, node: name, version: '1.0.0', links: node.log.links });
    const opened = await rosterWith({ log: node.log, snapshots: node.snapshots, peers, onFatal: () => {} });
    t.after(() => opened.close());
    nodes.push({ roster: opened, node, online: new Map() });
  }
  const [one, two, three] = nodes;
  assert.ok(one && two && three);
  const ids = Array.from({ length: 1_000 }, (_, n) => `user-${n}`);
  for (let at = 0; at < ids.length; at += 100) {
    const users = ids.slice(at, at + 100).map((id) => ({ id, custom: {} }));
    await one.roster.submit({ kind: 'upsert', actor: { kind: 'server' }, users, problems: [] }, 'bulk');
  }
  const expected = (of = nodes) => [...new Set(of.flatMap(({ online }) => [...online.keys()]))].sort();
  const same = async (of: typeof nodes) => {
    const wanted = expected(of).join();
    const wrong = () => of.filter(({ roster: { presence } }) => [...presence.visible].sort().join() !== wanted);
    await eventually(
      () => wrong().length === 0,
      () => `${wrong().length} nodes say something else`,
    );
  };
  for (let round = 0; round < 5; round++) {
    for (let step = 0; step < 2_000; step++) {
      const { roster: at, online } = nodes[Math.floor(random() * 3)] ?? one;
      const id = ids[Math.floor(random() * ids.length)] ?? '';
      const sockets = online.get(id) ?? 0;
      if (sockets > 0 && random() < 0.6) {
        at.presence.left(id);
        if (sockets === 1) online.delete(id);
        else online.set(id, sockets - 1);
      } else {
        at.presence.arrived(id);
        online.set(id, sockets + 1);
      }
      if (step % 100 === 0) await delay(1);
    }
    await same(nodes);
  }
  // The third one is dead to the others, as after a kill, and its ten seconds are over.
  three.node.proxy.isAway = true;
  three.node.proxy.cutAll();
  await delay(1_100);
  await kit.postgres.sql(`update rosterd.node set seen = clock_timestamp() - interval '11 s' where app = '${app}' and name = 'three'`);
  await same([one, two]);
  three.node.proxy.isAway = false;
  await same(nodes);
});
