/** ND5, ND8, CK3: what `/readyz` answers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readiness } from '../../../daemon/edge/nodes/readiness.ts';
import { httpWorld } from '../../support/http/fake-backend.ts';

test('ND5 ND8 CK3 /readyz is 503 with the reason while something is wrong, and /healthz is not', async () => {
  const { backend, condition, send } = httpWorld();
  assert.deepEqual((await send('GET', '/readyz')).body, { status: 'ok' });
  condition.trouble = { reason: 'the storage has been away for 3001 ms (no route)' };
  const away = await send('GET', '/readyz', { token: null });
  assert.deepEqual([away.status, away.body], [503, { status: 'not ready', reason: 'the storage has been away for 3001 ms (no route)' }]);
  assert.deepEqual((await send('GET', '/healthz')).body, { status: 'ok' });
  condition.trouble = undefined;
  backend.clockGap.ms = 1_500;
  const behind = await send('GET', '/readyz');
  assert.deepEqual([behind.status, behind.body], [200, { status: 'ok', clock_behind_log_ms: 1_500 }]);
});

test('ND8 a node is well only when it serves and nothing is wrong', () => {
  const wellWhen = (ready: boolean, trouble?: { reason: string }): boolean =>
    readiness({ ready, clockGap: { ms: 0 } }, { staleMs: undefined, isTooStale: false, trouble }).isWell;
  const trouble = { reason: 'away' };
  assert.deepEqual([wellWhen(true), wellWhen(false), wellWhen(true, trouble), wellWhen(false, trouble)], [true, false, false, false]);
});
