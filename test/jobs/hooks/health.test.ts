/** WH13, WH22: when a hook is down, and when it is probed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Health } from '../../../daemon/jobs/hooks/health.ts';

const NEVER = Number.POSITIVE_INFINITY;

test('WH13 five failures in a row make a hook down, and one success ends it', () => {
  const health = new Health(() => 0.5);
  for (let count = 1; count <= 5; count++) {
    assert.equal(health.isDown, false);
    health.failed(count, `reason ${count}`, false);
  }
  assert.equal(health.isDown, true);
  assert.deepEqual([new Health(() => 0).reason, health.reason], ['', 'reason 5']);
  assert.deepEqual(health.lastError, { reason: 'reason 5', atMs: 5 });
  health.succeeded(6);
  assert.deepEqual([health.isDown, health.probeAtMs, health.lastSuccessMs], [false, NEVER, 6]);
  assert.deepEqual(health.lastError, { reason: 'reason 5', atMs: 5 }, 'what went wrong last is still known');
  for (let count = 1; count <= 4; count++) health.failed(count, '', false);
  assert.equal(health.isDown, false, 'earlier failures do not count any more');
});

test('WH13 pauses between probes double from a second to five minutes, and are spread between half of it and the whole', () => {
  for (const [random, share] of [
    [0, 0.5],
    [0.5, 0.75],
    [0.999, 0.9995],
  ] as const) {
    const health = new Health(() => random);
    assert.equal(health.probeAtMs, NEVER, 'nothing failed yet');
    health.failed(0, '', false);
    const pauses = [health.probeAtMs];
    for (let probe = 0; probe < 30; probe++) {
      health.failed(1_000_000, '', true);
      pauses.push(health.probeAtMs - 1_000_000);
    }
    const seconds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
    assert.deepEqual(
      pauses.slice(0, 11).map(Math.round),
      seconds.map((s) => Math.round(s * 1_000 * share)),
    );
    assert.equal(Math.round(pauses.at(-1) ?? 0), Math.round(300_000 * share));
  }
});

test('WH13 while a probe is in flight there is no other, and failures of other requests do not put it off', () => {
  const health = new Health(() => 0);
  health.failed(0, '', false);
  assert.equal(health.probeAtMs, 500);
  health.failed(400, '', false);
  assert.equal(health.probeAtMs, 500);
  health.isProbing = true;
  assert.equal(health.probeAtMs, NEVER);
  health.isProbing = false;
  health.failed(600, '', true);
  assert.equal(health.probeAtMs, 1_600);
});

test('WH12 a receiver counts as alive for a minute after a success', () => {
  const health = new Health(() => 0);
  assert.equal(health.wasAlive(0), false);
  health.succeeded(1_000);
  assert.deepEqual([health.wasAlive(1_000), health.wasAlive(61_000), health.wasAlive(61_001)], [true, true, false]);
});

test('WH22 after a change of the hook, the next probe is due now and pauses begin anew; a clock that was set back puts none off', () => {
  const health = new Health(() => 0);
  health.lookAgain(5);
  health.bound(5);
  assert.equal(health.probeAtMs, NEVER, 'nothing has failed');
  for (let probe = 0; probe < 10; probe++) health.failed(1_000_000, '', true);
  health.bound(0);
  assert.equal(health.probeAtMs, 300_000);
  health.bound(900_000);
  assert.equal(health.probeAtMs, 300_000);
  health.lookAgain(7);
  assert.equal(health.probeAtMs, 7);
  health.failed(7, '', true);
  assert.equal(health.probeAtMs, 7 + 1_000);
  health.note(8, 'the disk is full');
  assert.deepEqual([health.lastError, health.probeAtMs], [{ reason: 'the disk is full', atMs: 8 }, 1_007]);
});
