/** AP9: the limits that a run begins with. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { beginPacers } from '../../../daemon/sync/apply/known-limits.ts';
import type { KnownLimit } from '../../../daemon/sync/pacer.ts';
import { type AskRequest, type Reply, replyOf } from '../../../daemon/sync/transport.ts';

const never = new AbortController().signal;

async function begun(answer: unknown): Promise<{ told: string[]; asked: AskRequest[]; went: boolean }> {
  const told: string[] = [];
  const asked: AskRequest[] = [];
  const pacer = (name: string) => ({
    begin: ({ limit, remaining, reset }: KnownLimit) => told.push(`${name} ${limit} ${remaining} ${reset}`),
  });
  const server = {
    ask: async (request: AskRequest): Promise<Reply | undefined> => {
      asked.push(request);
      return answer === undefined ? undefined : replyOf(200, JSON.stringify(answer));
    },
  };
  const retrier = { request: async (send: (signal: AbortSignal) => Promise<Reply>) => await send(never) };
  const pacers = { UpdateUsers: pacer('UpdateUsers'), GetTask: pacer('GetTask') };
  const went = await beginPacers(pacers as never, server as never, retrier as never, undefined as never);
  return { told, asked, went };
}

const LIMIT = { limit: 300, remaining: 7, reset: 1_800_000_000 };

test('AP9 each operation begins with what is left of its own limit, where that is known', async () => {
  const both = await begun({ server_side: { UpdateUsers: LIMIT, GetTask: { ...LIMIT, limit: 60 }, Other: LIMIT } });
  assert.deepEqual(both.told, ['UpdateUsers 300 7 1800000000', 'GetTask 60 7 1800000000']);
  assert.deepEqual(both.asked, [{ method: 'GET', path: '/rate_limits', query: { server_side: 'true', endpoints: 'UpdateUsers,GetTask' } }]);
  assert.deepEqual([(await begun({ server_side: { GetTask: LIMIT } })).told.length, both.went], [1, true]);
});

test('AP9 what is no limit is left alone, and the run goes on; without an answer it does not', async () => {
  for (const wrong of ['limit', 'remaining', 'reset']) {
    for (const value of [undefined, '7', null]) {
      const { told, went } = await begun({ server_side: { UpdateUsers: { ...LIMIT, [wrong]: value } } });
      assert.deepEqual([told, went], [[], true], `${wrong}: ${value}`);
    }
  }
  for (const answer of [{}, { server_side: 'none' }, { server_side: { UpdateUsers: 7 } }, [], 'text'])
    assert.deepEqual((await begun(answer)).told, [], JSON.stringify(answer));
  assert.equal((await begun(undefined)).went, false);
});
