/** ND5, ND6, ND8, ND9, DK4: what a node says while its storage is away, or its clock wrong. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NodeCondition } from '../../../daemon/pipeline/write/node-condition.ts';
import type { LogStatus } from '../../../store/log.ts';

function bench({ hasClock = true, canLook = true } = {}) {
  const world = { wallMs: 1_000_000, steadyMs: 50, sharedMs: 1_000_000, status: { state: 'ready' } as LogStatus, refusal: '', looks: 0 };
  const logged: string[] = [];
  const look = async (): Promise<string | undefined> => {
    world.looks++;
    return world.refusal || undefined;
  };
  const condition = new NodeCondition({
    log: {
      get status() {
        return world.status;
      },
    },
    clock: hasClock ? { nowMs: () => world.sharedMs } : undefined,
    logger: { info: () => logged.push('info'), error: (details) => logged.push(JSON.stringify(details)) },
    writeRefusal: canLook ? look : undefined,
    staleMaxMs: 60_000,
    wallMs: () => world.wallMs,
    nowMs: () => world.steadyMs,
  });
  const pass = (ms: number): void => {
    world.wallMs += ms;
    world.steadyMs += ms;
    world.sharedMs += ms;
  };
  return { world, condition, logged, pass };
}

const awaySince = (since: number): LogStatus => ({ state: 'away', since, reason: 'no route to host' });

test('ND6 ND8 ND9 the age of what is known counts from the absence that the log told; after 3 s the node is not ready, after the bound too stale', () => {
  const { world, condition, pass } = bench();
  assert.deepEqual([condition.staleMs, condition.isTooStale, condition.trouble], [undefined, false, undefined]);
  world.status = awaySince(world.wallMs - 400);
  assert.equal(condition.staleMs, 400);
  pass(2_600);
  assert.deepEqual([condition.staleMs, condition.trouble], [3_000, undefined]);
  pass(1);
  assert.deepEqual(condition.trouble, {
    reason: 'log away: the storage has been away for 3001 ms (no route to host)',
    storage_away_ms: 3_001,
  });
  pass(56_999);
  assert.equal(condition.isTooStale, false);
  pass(1);
  assert.deepEqual([condition.staleMs, condition.isTooStale], [60_001, true]);
  world.status = { state: 'ready' };
  assert.deepEqual([condition.staleMs, condition.isTooStale, condition.trouble], [undefined, false, undefined]);
  pass(10);
  world.status = awaySince(world.wallMs - 5);
  assert.equal(condition.staleMs, 5, 'another absence begins anew');
});

test('ND9 a wall clock that is set in the middle of an absence makes nothing older or younger', () => {
  const { world, condition, pass } = bench({ hasClock: false });
  world.status = awaySince(world.wallMs);
  assert.equal(condition.staleMs, 0);
  pass(1_000);
  world.wallMs += 3_600_000;
  assert.deepEqual([condition.staleMs, condition.isTooStale], [1_000, false]);
  world.wallMs -= 7_200_000;
  assert.equal(condition.staleMs, 1_000);
});

test('ND5 a clock that is more than 500 ms off makes the node not ready, with the difference and what to do; the log tells it once', () => {
  const { world, condition, logged } = bench();
  const off = (ms: number): object | undefined => {
    world.wallMs = world.sharedMs + ms;
    condition.check();
    condition.check();
    return condition.trouble;
  };
  assert.deepEqual([off(500), off(-500), logged], [undefined, undefined, []]);
  assert.deepEqual(off(812), {
    reason:
      'the clock of this machine is 812 ms ahead of that of the storage, and 500 ms are allowed: synchronise both with the same time servers (NTP)',
    clock_ahead_ms: 812,
  });
  off(900);
  assert.deepEqual(logged.splice(0), ['{"clock_ahead_ms":812}']);
  assert.equal(off(0), undefined);
  assert.deepEqual(logged.splice(0), ['info']);
  assert.match(JSON.stringify(off(-3_600_000)), /3600000 ms behind that of the storage.*"clock_ahead_ms":-3600000/);
  world.status = awaySince(world.wallMs - 4_000);
  assert.match(JSON.stringify(condition.trouble), /away for 4000 ms.*; the clock of this machine.*"storage_away_ms":4000/, 'both');
});

test('ND5 where no other clock is, no clock is wrong', () => {
  const { world, condition, logged } = bench({ hasClock: false });
  world.wallMs += 3_600_000;
  condition.check();
  assert.deepEqual([condition.trouble, condition.clockAheadMs, logged], [undefined, 0, []]);
});

test('ND10 a log that failed makes the node not ready for as long as it still runs', () => {
  const { world, condition } = bench();
  world.status = { state: 'failed', reason: 'the history was replaced' };
  assert.match(condition.trouble?.reason ?? '', /must start again \(the history was replaced\)/);
  assert.equal(condition.staleMs, undefined);
});

test('DK4 writes are refused for whatever is wrong, and where nothing else is, for what a look at the storage says', async () => {
  const { world, condition } = bench();
  assert.equal(await condition.writeTrouble(), undefined);
  world.refusal = 'no space is left on the disk';
  assert.deepEqual(await condition.writeTrouble(), { reason: 'writes are refused (no space is left on the disk)' });
  assert.equal(condition.trouble, undefined, 'reads are served');
  assert.equal(world.looks, 2);
  world.status = { state: 'read-only', reason: 'no standby' };
  assert.deepEqual(await condition.writeTrouble(), { reason: 'the storage refuses writes (no standby)' });
  assert.equal(world.looks, 2, 'what is known needs no look');
  const blind = bench({ canLook: false });
  assert.equal(await blind.condition.writeTrouble(), undefined);
  blind.world.status = awaySince(blind.world.wallMs - 4_000);
  assert.match((await blind.condition.writeTrouble())?.reason ?? '', /^log away: the storage has been away for 4000 ms/);
});
