/** ND9: live connections go elsewhere while what the node knows is too old, and come back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StaleDrain } from '../../../daemon/edge/nodes/stale-drain.ts';

test('ND9 live connections are sent away once when the bound is passed, and let in again once when the storage is back', () => {
  const steps: string[] = [];
  const condition = { isTooStale: false, check: () => steps.push('check') };
  const drain = new StaleDrain({
    condition,
    admission: { pause: () => steps.push('pause'), resume: () => steps.push('resume') },
    sessions: { drain: async (ms) => void steps.push(`drain ${ms}`), reopen: () => steps.push('reopen') },
    windowMs: 4_000,
    logger: { info: () => steps.push('info'), error: () => steps.push('error') },
  });
  const look = (isTooStale: boolean): string[] => {
    condition.isTooStale = isTooStale;
    drain.look();
    return steps.splice(0);
  };
  assert.deepEqual(look(false), ['check']);
  assert.deepEqual(look(true), ['check', 'error', 'pause', 'drain 4000'], 'nobody new comes in after the first goodbye');
  assert.deepEqual(look(true), ['check']);
  assert.deepEqual(look(false), ['check', 'info', 'reopen', 'resume']);
  assert.deepEqual([look(false), look(true)], [['check'], ['check', 'error', 'pause', 'drain 4000']]);
});

test('ND9 it looks by itself until it is stopped', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let looks = 0;
  const drain = new StaleDrain({
    condition: { isTooStale: false, check: () => looks++ },
    admission: { pause: () => {}, resume: () => {} },
    sessions: { drain: async () => {}, reopen: () => {} },
    windowMs: 0,
    logger: { info: () => {}, error: () => {} },
  });
  drain.start();
  drain.start();
  t.mock.timers.tick(1_000);
  assert.equal(looks, 4);
  drain.stop();
  t.mock.timers.tick(1_000);
  assert.equal(looks, 4);
});
