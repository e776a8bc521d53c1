/** ND1, ND3, ND6–ND8 on PostgreSQL itself: two daemons, each behind a proxy of its own. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { PostgresBlobs } from '../../../store/postgres/blobs.ts';
import type { PostgresStoreOptions } from '../../../store/postgres/defaults.ts';
import { eventually } from '../../support/eventually.ts';
import { PgKit, type PgNode, pgOptions } from '../../support/store/pg-kit.ts';
import { API_KEY, serverToken, World } from '../../support/world.ts';

const kit = PgKit.ofProcess();

interface Daemon {
  readonly world: World;
  readonly node: PgNode;
}

async function daemon(t: TestContext, app: string, options: Partial<PostgresStoreOptions> = {}): Promise<Daemon> {
  const node = await kit.node(app, options);
  const { log, snapshots } = node;
  const world = await World.start(t, {
    openStore: async () => {
      const blobs = new PostgresBlobs({ app, links: log.links, deadlineMs: 5_000 });
      const close = (): Promise<void> => log.close().then(() => blobs.close());
      return { log, clock: log.clock, snapshots, blobs, loaded: await snapshots.load(), close };
    },
    flags: { 'rate-limits': 'off' },
  });
  return { world, node };
}

/** Writes one user after the other, until it is told to end. Returns the names that were acknowledged, by id. */
function writing(
  world: World,
  mark: string,
): { end: () => Promise<{ acknowledged: Map<string, number>; refused: number; longestMs: number }> } {
  let isOver = false;
  const acknowledged = new Map<string, number>();
  let [refused, longestMs] = [0, 0];
  const work = (async () => {
    for (let n = 0; !isOver; n++) {
      const started = performance.now();
      const { status, headers } = await world.upsert({ id: `${mark}${n}` });
      longestMs = Math.max(longestMs, performance.now() - started);
      if (status === 201) acknowledged.set(`${mark}${n}`, Number(headers.get('x-rosterd-position')?.split(':')[1]));
      else {
        assert.equal(status, 503);
        assert.equal(headers.get('retry-after'), '5');
        refused++;
      }
      await delay(5);
    }
  })();
  return {
    end: async () => {
      isOver = true;
      await work;
      return { acknowledged, refused, longestMs };
    },
  };
}

test(
  'ND6 ND7 ND8 PostgreSQL is away for 4 s under a subscriber and a writer: the socket stays, the order holds, nothing acknowledged is lost',
  pgOptions,
  async (t) => {
    const app = randomUUID();
    const [one, other] = [await daemon(t, app, { deadlineMs: 1_500 }), await daemon(t, app)];
    const subscriber = await one.world.subscriber({ subs: [{ sub: 'all', all: true, snapshot: false }] });
    const writers = [writing(one.world, 'one'), writing(other.world, 'other')];
    await delay(300);
    const awaySince = performance.now();
    one.node.proxy.isAway = true;
    one.node.proxy.cutAll();
    const seen = { stale: 0, unready: '' };
    for (const end = Date.now() + 4_000; Date.now() < end; await delay(50)) {
      const read = await one.world.http('GET', '/sync/position');
      assert.equal(read.status, 200);
      seen.stale = Math.max(seen.stale, Number(read.headers.get('x-rosterd-stale')));
      const { status, body } = await one.world.http('GET', '/readyz');
      if (status === 503) seen.unready = body.reason;
    }
    assert.ok(seen.stale > 3_500, `${seen.stale} ms`);
    const [, awayMs] = /the storage has been away for (\d+) ms/.exec(seen.unready) ?? assert.fail(seen.unready);
    assert.ok(Number(awayMs) > 3_000 && Number(awayMs) <= performance.now() - awaySince, `${awayMs} ms`);
    one.node.proxy.isAway = false;
    await eventually(() => one.node.log.status.state === 'ready');
    await delay(500);
    const [mine, theirs] = await Promise.all(writers.map(({ end }) => end()));
    assert.ok(mine !== undefined && theirs !== undefined);
    // A write that had just met a conflict waits up to 5 s for what the other node stored (SQ5), and is then decided again.
    assert.ok(mine.refused >= 1 || mine.longestMs > 3_000, `${mine.refused} refused, ${mine.longestMs} ms`);
    assert.ok(mine.longestMs < 5_000 + 1_500 + 20_000, `${mine.longestMs} ms`);
    assert.deepEqual([theirs.refused, theirs.acknowledged.size > 10], [0, true], 'the other node has its storage');
    const last = Math.max(...mine.acknowledged.values(), ...theirs.acknowledged.values());
    await subscriber.until(({ seq }) => seq !== undefined && seq >= last, 'the last event');
    const seqs = subscriber.events.map(({ seq }) => Number(seq));
    assert.deepEqual(
      seqs,
      seqs.map((_, at) => at + 1),
      'every event, once and in order',
    );
    const bySeq = new Map(subscriber.events.map(({ seq, user }) => [Number(seq), user.id]));
    for (const [id, seq] of [...mine.acknowledged, ...theirs.acknowledged]) assert.equal(bySeq.get(seq), id);
    assert.equal((await one.world.http('GET', '/readyz')).status, 200);
    t.diagnostic(`${mine.acknowledged.size} and ${theirs.acknowledged.size} acknowledged, ${mine.refused} refused, ${seqs.length} events`);
  },
);

test(
  'ND1 ND3 on a node 250 ms behind, after 200 writes elsewhere: every effect, every condition, every read with a position',
  pgOptions,
  async (t) => {
    const app = randomUUID();
    const [front, behind] = [await daemon(t, app), await daemon(t, app, { recentBytes: 0 })];
    behind.node.proxy.on('rosterd-block', async (exchange) => {
      await delay(250);
      exchange.answer(await exchange.forward());
    });
    const read = async (id: string, position: string): Promise<string> => {
      const payload = encodeURIComponent(JSON.stringify({ filter_conditions: { id } }));
      const answer = await fetch(`${behind.world.daemon.url}/users?api_key=${API_KEY}&payload=${payload}`, {
        headers: { authorization: serverToken(), ...(position === '' ? {} : { 'x-rosterd-position': position }) },
      });
      const { users } = (await answer.json()) as { users: { name?: string }[] };
      assert.equal(answer.status, 200);
      return users[0]?.name ?? '';
    };
    let [staleWithout, staleWith] = [0, 0];
    for (let n = 0; n < 200; n++) {
      const id = `u${n % 20}`;
      const { headers } = await front.world.upsert({ id, name: `front ${n}` });
      const position = headers.get('x-rosterd-position') ?? '';
      if (n % 20 !== 19) continue;
      staleWithout += (await read(id, '')) === `front ${n}` ? 0 : 1;
      staleWith += (await read(id, position)) === `front ${n}` ? 0 : 1;
    }
    assert.ok(staleWithout > 0, 'the node is behind');
    assert.equal(staleWith, 0);
    const [withoutEffect, refusals] = [[] as string[], [] as string[]];
    for (let n = 0; n < 10; n++) {
      // What it shows at this moment may be what it is asked to write.
      const id = `u${n}`;
      await front.world.upsert({ id, name: 'rival' });
      const { body } = await behind.world.upsert({ id, name: `front ${180 + n}` });
      if (body.updated.length !== 1) withoutEffect.push(id);
      const changed = await front.world.upsert({ id: `u${n + 10}`, name: 'again' });
      const rev = Number(changed.headers.get('x-rosterd-position')?.split(':')[1]);
      const conditional = { users: { [`u${n + 10}`]: { id: `u${n + 10}`, name: 'mine' } }, if_rev: { [`u${n + 10}`]: rev } };
      const { status } = await behind.world.http('POST', '/api/v2/users', conditional);
      if (status !== 200) refusals.push(`${status}`);
    }
    assert.deepEqual([withoutEffect, refusals], [[], []]);
    t.diagnostic(`${staleWithout} of 10 reads without a position were stale, ${staleWith} of 10 with one`);
  },
);
