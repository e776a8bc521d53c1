/** Several processes on one log: PL3–PL5, and the contract between them. Repeat a failure with ROSTERD_SEED=<seed>. */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { LogUnavailable } from '../../../../store/log.ts';
import { eventually } from '../../../support/eventually.ts';
import { appendOne, draft, readCount, readToHead } from '../../../support/store/entries.ts';
import { assertContiguous } from '../../../support/store/log-contract.ts';
import { CONFLICTS_BEFORE_TURN, LogFollower, writeAll } from '../../../support/store/log-writer.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';
import { Random } from '../../../support/store/random.ts';

const kit = PgKit.ofProcess();
const names = (writer: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${writer}${n}`);

test('LG4 two writers on one log: nothing lost, nothing doubled, the same order for both, no endless loop', pgOptions, async () => {
  const app = randomUUID();
  const nodes = await Promise.all([kit.node(app), kit.node(app)]);
  const followers = nodes.map(({ log }) => new LogFollower(log));
  const streaks = await Promise.all(nodes.map(({ log }, n) => writeAll(log, followers[n] ?? assert.fail(), names(`w${n}-`, 150), 1 + n)));
  await Promise.all(followers.map((follower) => follower.reached(450)));
  assert.deepEqual([...(followers[0]?.ids ?? [])].sort(), [...names('w0-', 150), ...names('w1-', 150)].sort());
  assert.deepEqual(followers[0]?.ids, followers[1]?.ids);
  for (const { entries } of followers) assertContiguous(entries, 0);
  assert.ok(Math.max(...streaks) <= CONFLICTS_BEFORE_TURN, `streaks of ${streaks.join(' and ')} conflicts`);
  for (const follower of followers) await follower.stop();
});

test('PL5 a writer that is always slower than the others gets its turn, and nobody appends in it', pgOptions, async () => {
  const app = randomUUID();
  const [slow, fast] = [await kit.node(app), await kit.node(app)];
  slow.proxy.lagMs = 15;
  const followers = [new LogFollower(slow.log), new LogFollower(fast.log)] as const;
  let isOver = false;
  const flood = (async () => {
    for (let n = 0; !isOver; n++) await writeAll(fast.log, followers[1], [`f${n}`]);
  })();
  const longest = await writeAll(slow.log, followers[0], names('s', 5));
  assert.equal(longest, CONFLICTS_BEFORE_TURN, 'it lost every race, and no turn');
  const during = await slow.log.turn(async (head) => {
    await delay(300);
    return (await slow.log.end()) - head;
  });
  assert.equal(during, 0, 'nobody was first in the turn');
  isOver = true;
  await flood;
  for (const follower of followers) await follower.stop();
});

test('PL5 a turn in which nothing happens ends by itself, and its append is a conflict or stored, never lost', pgOptions, async () => {
  const app = randomUUID();
  const [lazy, other] = [await kit.node(app, { turnMs: 300 }), await kit.node(app)];
  const started = performance.now();
  let isTaken = false;
  let goOn = (): void => {};
  const late = lazy.log.turn(async (head) => {
    isTaken = true;
    await new Promise<void>((resolve) => (goOn = resolve));
    return await lazy.log.append(head, draft('late'));
  });
  await eventually(() => isTaken);
  const first = await other.log.append(0, draft('first'));
  const waitedMs = performance.now() - started;
  assert.equal(first.status, 'appended', 'it does not wait for the end of the work');
  assert.ok(waitedMs > 250, `waited ${Math.round(waitedMs)} ms`);
  goOn();
  assert.deepEqual(await late, { status: 'conflict', head: 1 });
  assert.deepEqual(
    (await readToHead(other.log)).map(({ id }) => id),
    ['first'],
  );
});

test('PL5 turns of several processes come one after another, with appends beside them', pgOptions, async () => {
  const app = randomUUID();
  const nodes = await Promise.all([kit.node(app), kit.node(app), kit.node(app)]);
  let inTurn = 0;
  await Promise.all(
    nodes.flatMap(({ log }, n) =>
      names(`t${n}-`, 6).map((id) =>
        log.turn(async (head) => {
          assert.equal(++inTurn, 1, 'one at a time');
          await delay(5);
          // Its commit ends the turn, and the next one may begin before this process hears of it.
          inTurn--;
          const result = await log.append(head, draft(id));
          assert.equal(result.status, 'appended', id);
        }),
      ),
    ),
  );
  const { log } = nodes[0] ?? assert.fail();
  const ids = (await readCount(log, 0, 18)).map(({ id }) => id);
  assert.equal(new Set(ids).size, 18);
});

test('PL5 an append beside a turn that is being taken is no part of it, and is not lost with it', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app), await kit.node(app)];
  let isTaken = false;
  const holding = other.log.turn(async () => {
    isTaken = true;
    await delay(400);
  });
  await eventually(() => isTaken);
  const turned = one.log.turn(async (head) => head);
  await delay(100);
  const result = await one.log.append(0, draft('a'));
  assert.deepEqual([result.status, await turned], ['appended', 0]);
  await holding;
  assert.equal(await kit.postgres.sql(`select id from rosterd.entry where app = '${app}'`), 'a\n');
});

test('PL5 a turn without an append, and one whose work fails, let go at once', pgOptions, async () => {
  const app = randomUUID();
  const [one, other] = [await kit.node(app, { turnMs: 10_000 }), await kit.node(app)];
  const failing = one.log.turn(async () => Promise.reject(new Error('of the work')));
  for (const [n, turn] of [one.log.turn(async () => {}), assert.rejects(failing, /of the work/)].entries()) {
    await turn;
    if (n > 0) await readCount(other.log, n * 2 - 1, 1);
    const started = performance.now();
    assert.equal((await other.log.append(n * 2, draft(`other${n}`))).status, 'appended');
    assert.ok(performance.now() - started < 9_000, 'it did not wait for the end of the idle turn');
    await readCount(one.log, n * 2, 1);
    assert.equal((await one.log.append(n * 2 + 1, draft(`own${n}`))).status, 'appended');
    assert.equal(
      await kit.postgres.sql(`select count(*) from rosterd.entry where app = '${app}'`),
      `${n * 2 + 2}\n`,
      'no open transaction',
    );
  }
});

test('LG13 a node behind and the writer in front are told the same end', pgOptions, async () => {
  const app = randomUUID();
  const [front, behind] = [await kit.node(app), await kit.node(app, { pulseMs: 60_000 })];
  behind.proxy.on('rosterd-block', async (exchange) => {
    await delay(250);
    exchange.answer(await exchange.forward());
  });
  for (let n = 0; n < 10; n++) {
    await appendOne(front.log, draft(`e${n}`));
    assert.deepEqual(await Promise.all([behind.log.end(), front.log.end()]), [n + 1, n + 1]);
  }
});

test('PL4 what one node stores is announced to the others within milliseconds, without a heartbeat', pgOptions, async () => {
  const app = randomUUID();
  const [writer, reader] = [await kit.node(app), await kit.node(app, { pulseMs: 60_000 })];
  const waits: number[] = [];
  const stored = new Map<string, number>();
  const follower = new LogFollower(reader.log, ({ id }) => void waits.push(performance.now() - (stored.get(id) ?? 0)));
  for (let n = 0; n < 50; n++) {
    await appendOne(writer.log, draft(`e${n}`));
    stored.set(`e${n}`, performance.now());
    await delay(3);
  }
  await follower.reached(50);
  waits.sort((a, b) => a - b);
  // A heartbeat comes once a minute here.
  assert.ok((waits[25] ?? 60_000) < 5_000, `median ${waits[25]} ms`);
  await follower.stop();
});

test('PL4 a node that hears nothing learns from its heartbeat', pgOptions, async () => {
  const app = randomUUID();
  const [writer, deaf] = [await kit.node(app), await kit.node(app, { pulseMs: 200 })];
  writer.proxy.on('rosterd-say', async () => {});
  await appendOne(writer.log, draft('a', { facts: 3 }));
  assert.deepEqual(
    (await readCount(deaf.log, 0, 1)).map(({ id }) => id),
    ['a'],
  );
});

test('LG12 LG7 what one process removes, the others no longer read', pgOptions, async () => {
  const app = randomUUID();
  const [leader, other] = [await kit.node(app, { retention: { bytes: 0 } }), await kit.node(app, { recentBytes: 0 })];
  for (let n = 0; n < 20; n++) await appendOne(leader.log, draft(`e${n}`));
  for (const seq of [10, 15]) {
    await leader.snapshots.save({ position: { epoch: leader.log.head.epoch, seq }, lines: () => [{ seq }] });
    await leader.log.snapshotSaved(seq);
  }
  assert.equal(leader.log.tail, 10, 'only up to the older of two');
  await assert.rejects(readCount(other.log, 5, 1), /no longer kept; the log starts after 10/);
  assert.equal(other.log.tail, 10);
  assertContiguous(await readCount(other.log, 10, 10), 10);
});

test('LG10 a process that leaves in the middle of many appends answers each, and the others go on', pgOptions, async () => {
  const app = randomUUID();
  const seed = Number(process.env.ROSTERD_SEED ?? 7);
  const random = new Random(seed);
  const [leaving, staying] = [await kit.node(app), await kit.node(app)];
  const appends = names('x', 100).map((id, n) => leaving.log.append(n, draft(id, { bytes: random.below(3_000) })));
  const closing = leaving.log.close();
  const results = await Promise.allSettled(appends);
  await closing;
  assert.ok(
    results.every((result) => result.status === 'fulfilled' && result.value.status === 'appended'),
    `seed ${seed}`,
  );
  assert.equal((await readCount(staying.log, 0, 100)).length, 100);
  await appendOne(staying.log, draft('next'));
  await assert.rejects(leaving.log.append(101, draft('no')), (error) => !(error instanceof LogUnavailable));
});
