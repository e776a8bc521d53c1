/** ND5, ND8, CK3, DK4, MX1: what `/readyz` answers. */
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

test('ND8 DK4 a node is well only when it serves and nothing is wrong', async () => {
  const trouble = { reason: 'away' };
  for (const need of [undefined, 'write']) {
    const wellWhen = async (ready: boolean, wrong?: { reason: string }): Promise<boolean> => {
      const condition = { staleMs: undefined, isTooStale: false, trouble: wrong, writeTrouble: async () => wrong };
      return (await readiness({ ready, clockGap: { ms: 0 } }, condition, need)).isWell;
    };
    const found = [await wellWhen(true), await wellWhen(false), await wellWhen(true, trouble), await wellWhen(false, trouble)];
    assert.deepEqual(found, [true, false, false, false]);
  }
});

test('DK4 /readyz?need=write is 503 with the reason while only writes are refused; a need that there is not is one, too', async () => {
  const { backend, condition, send } = httpWorld();
  const ready = async (need?: string): Promise<unknown[]> => {
    const { status, body } = await send('GET', '/readyz', { token: null, query: need === undefined ? {} : { need } });
    return [status, body];
  };
  assert.deepEqual(await ready('write'), [200, { status: 'ok' }]);
  condition.refusal = { reason: 'writes are refused (no space is left on the disk)' };
  assert.deepEqual(await ready('write'), [503, { status: 'not ready', ...condition.refusal }]);
  assert.deepEqual(await ready(), [200, { status: 'ok' }]);
  condition.refusal = undefined;
  backend.clockGap.ms = 1_500;
  assert.deepEqual(await ready('write'), [200, { status: 'ok', clock_behind_log_ms: 1_500 }]);
  for (const need of ['writes', ''])
    assert.deepEqual(await ready(need), [
      503,
      { status: 'not ready', reason: 'the query parameter need can only be write', clock_behind_log_ms: 1_500 },
    ]);
});

test('MX1 /readyz says that the daemon stops, and what else is wrong', async () => {
  const { backend, condition, send } = httpWorld();
  backend.ready = false;
  const answer = async () => (await send('GET', '/readyz', { token: null })).body;
  assert.deepEqual(await answer(), { status: 'not ready', reason: 'draining: the daemon stops' });
  condition.trouble = { reason: 'log away: the storage has been away for 3001 ms (no route)' };
  assert.deepEqual(await answer(), {
    status: 'not ready',
    reason: 'draining: the daemon stops; log away: the storage has been away for 3001 ms (no route)',
  });
  assert.deepEqual((await send('GET', '/healthz', { token: null })).body, { status: 'ok' });
});
