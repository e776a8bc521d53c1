/** PL9: the time by the clock of the server, from answers that took their time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { ServerClock } from '../../../../store/postgres/log/server-clock.ts';
import { PgKit, pgOptions } from '../../../support/store/pg-kit.ts';

const kit = PgKit.ofProcess();

/** A server whose clock is ahead of the steady one by `aheadMs`, which a test may change. */
function bench(aheadMs: number) {
  const world = { steadyMs: 1_000, aheadMs };
  const clock = new ServerClock(() => world.steadyMs);
  /** A question that takes `thereMs` to the server, and `backMs` back. */
  const ask = (thereMs: number, backMs: number): void => {
    const told = clock.asked();
    world.steadyMs += thereMs;
    const serverMs = world.steadyMs + world.aheadMs;
    world.steadyMs += backMs;
    told(serverMs);
  };
  const offMs = (): number => clock.nowMs() - (world.steadyMs + world.aheadMs);
  return { world, clock, ask, offMs };
}

test('PL9 the first answer counts by the middle of its round trip, quicker ones come closer', () => {
  const { ask, offMs } = bench(5_000_000);
  ask(50, 50);
  assert.equal(offMs(), 0);
  const lopsided = bench(5_000_000);
  lopsided.ask(0, 100);
  assert.equal(lopsided.offMs(), -50);
  lopsided.ask(1, 1);
  assert.equal(lopsided.offMs(), -1);
  lopsided.ask(0, 0);
  assert.equal(lopsided.offMs(), 0);
});

test('PL9 a slow answer, in whichever direction, moves nothing', () => {
  const { ask, offMs } = bench(-700);
  ask(1, 1);
  for (const [there, back] of [
    [0, 4_000],
    [4_000, 0],
    [0, 30_000],
    [1, 1],
    [200, 0],
  ] as const) {
    ask(there, back);
    assert.equal(offMs(), 0, `${there} and ${back}`);
  }
});

test('PL9 a clock of the server that is set, or another server, counts from the next answer on; a slow drift is followed', () => {
  const { world, ask, offMs } = bench(0);
  ask(1, 1);
  world.aheadMs += 3_600_000;
  ask(2, 2);
  assert.ok(Math.abs(offMs()) <= 2, `${offMs()}`);
  world.aheadMs -= 7_200_000;
  ask(2, 2);
  assert.ok(Math.abs(offMs()) <= 2, `${offMs()}`);
  for (let second = 0; second < 1_000; second++) {
    world.aheadMs += 0.2;
    ask(1, 1);
    assert.ok(Math.abs(offMs()) <= 1.2, `${offMs()} after ${second} s`);
  }
});

test('PL9 no time is told before the server has told it', () => {
  assert.throws(() => new ServerClock().nowMs(), /has not told the time yet/);
});

test('PL9 the log has the time of the server, whatever the clock of this machine says', pgOptions, async (t) => {
  const { log, proxy } = await kit.node(undefined, { pulseMs: 50 });
  const serverMs = async (): Promise<number> => Number(await kit.postgres.sql('select extract(epoch from clock_timestamp()) * 1000'));
  // The server may have told the time at any moment between question and answer: half of the 700 ms below would be too much.
  const between = async (): Promise<void> => {
    const before = await serverMs();
    const now = log.clock.nowMs();
    const later = await serverMs();
    assert.ok(now >= before - 200 && now <= later + 200, `${now} is not between ${before} and ${later}`);
  };
  await between();
  const { now } = Date;
  t.mock.method(Date, 'now', () => now() + 3_600_000);
  await between();
  proxy.on('rosterd-beat', async (exchange) => {
    const answer = await exchange.forward();
    await delay(700);
    exchange.answer(answer);
  });
  await delay(1_600);
  await between();
});
