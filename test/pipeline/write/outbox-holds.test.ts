/** WH3: what the log keeps for webhooks. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holdOutboxes } from '../../../daemon/pipeline/write/outbox-holds.ts';
import type { Fact } from '../../../protocol/log/entry.ts';
import { MemoryLog } from '../../../store/memory-log.ts';
import { rosterWith } from '../../support/open-roster.ts';

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

test('WH3 so it is from the entry on that says so, and from the opening on', async () => {
  const log = new MemoryLog({ retentionFacts: 1_000_000 });
  const held: [string, number | undefined][] = [];
  log.keepAfter = (name, after) => void held.push([name, after]);
  const roster = await rosterWith({ log });
  const hook = { id: 'main', hook_type: 'webhook', enabled: true, webhook_url: 'https://x.example/', event_types: [] };
  const made = await roster.submit({ kind: 'settings', set: { event_hooks: [hook as never] } }, 'live');
  const doc = { id: 'main', epoch: log.head.epoch, seq: made.seq, updated_at: 1 };
  const moved = await roster.submit({ kind: 'docs', changes: [{ kind: 'outbox', id: 'main', doc }] }, 'live');
  while (roster.position.seq < moved.seq) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(held.splice(0), [
    ['webhook main', made.seq - 1],
    ['webhook main', made.seq],
  ]);
  await roster.close();
  await (await rosterWith({ log })).close();
  assert.deepEqual(held.at(-1), ['webhook main', made.seq]);
});
