/** WH3: what the log keeps for webhooks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdOutboxes } from '../../../daemon/pipeline/write/outbox-holds.ts';
import type { Fact } from '../../../protocol/log/entry.ts';

test('WH3 the log keeps what comes after the position of each outbox of its epoch, and nothing for one that is gone or of another', () => {
  const held: [string, number | undefined][] = [];
  const log = { head: { epoch: 'e', seq: 50 }, keepAfter: (name: string, after: number | undefined) => void held.push([name, after]) };
  const outbox = (id: string, epoch?: string): Fact => {
    const doc = epoch === undefined ? null : { id, epoch, seq: 7, updated_at: 1 };
    return { t: 'doc', kind: 'outbox', id, doc };
  };
  const user = { id: 'u', rev: 1, role: 'user', teams: [], custom: {}, created_at: 1, updated_at: 1 };
  const other: Fact = { t: 'doc', kind: 'role', id: 'r', doc: null };
  holdOutboxes(log, [outbox('a', 'e'), { t: 'user', event: 'updated', user }, outbox('b', 'old'), other, outbox('c')]);
  assert.deepEqual(held, [
    ['webhook a', 7],
    ['webhook b', undefined],
    ['webhook c', undefined],
  ]);
});
