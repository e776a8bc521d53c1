/**
 * Two writers whose connections lose questions, lose answers, and deliver questions late, at random: every entry is stored once, and both
 * read the same (PL3). Repeat a failure with ROSTERD_SEED=<seed>; `--long` makes it long.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { sized } from '../../../support/long.ts';
import { assertContiguous } from '../../../support/store/log-contract.ts';
import { LogFollower, writeAll } from '../../../support/store/log-writer.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';
import type { Exchange, PgProxy } from '../../../support/store/pg-proxy.ts';
import { Random } from '../../../support/store/random.ts';

const kit = PgKit.ofProcess();
const ENTRIES = sized(80, 2_000);
const seed = Number(process.env.ROSTERD_SEED ?? Date.now() % 1_000_000);

interface Faults {
  lost: number;
  unanswered: number;
  late: number;
}

function disturb(proxy: PgProxy, random: Random, faults: Faults): void {
  const late = async (exchange: Exchange): Promise<void> => {
    exchange.cutClient();
    await delay(random.below(250));
    await exchange.forward().catch(() => {});
    exchange.cut();
  };
  const handle = async (exchange: Exchange): Promise<void> => {
    const dice = random.next();
    if (dice < 0.05) {
      faults.lost++;
      exchange.cut();
    } else if (dice < 0.1) {
      faults.unanswered++;
      await exchange.forward();
      exchange.cut();
    } else if (dice < 0.15) {
      faults.late++;
      await late(exchange);
    } else exchange.answer(await exchange.forward());
  };
  for (const statement of ['rosterd-append', 'rosterd-fence', 'rosterd-turn', 'commit']) proxy.on(statement, handle);
}

test('PL3 two writers and random faults: nothing lost, nothing doubled, one order', { ...pgOptions, timeout: 600_000 }, async () => {
  const random = new Random(seed);
  const app = randomUUID();
  const faults: Faults = { lost: 0, unanswered: 0, late: 0 };
  const nodes = [await kit.node(app, { deadlineMs: 60_000 }), await kit.node(app, { deadlineMs: 60_000 })];
  for (const { proxy } of nodes) disturb(proxy, random, faults);
  const followers = nodes.map(({ log }) => new LogFollower(log));
  const written = nodes.map(({ log }, n) => {
    const ids = Array.from({ length: ENTRIES }, (_, at) => `w${n}-${at}`);
    return writeAll(log, followers[n] ?? assert.fail(), ids).then(() => ids);
  });
  const ids = (await Promise.all(written)).flat();
  await Promise.all(followers.map((follower) => follower.reached(ids.length)));
  const text = `seed ${seed}: ${JSON.stringify(faults)}`;
  for (const { entries, ids: read } of followers) {
    assertContiguous(entries, 0);
    assert.deepEqual([...read].sort(), ids.toSorted(), text);
  }
  assert.deepEqual(followers[0]?.ids, followers[1]?.ids, text);
  assert.ok(faults.lost > 0 && faults.unanswered > 0 && faults.late > 0, text);
  console.log(text);
  for (const follower of followers) await follower.stop();
});
