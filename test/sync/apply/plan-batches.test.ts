/** AP1, AP4, AP6: a plan, cut into batches. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { removalBatches, writeBatches } from '../../../daemon/sync/apply/plan-batches.ts';
import type { PlanLine } from '../../../daemon/sync/plan/plan-lines.ts';
import { BATCH_LIMITS } from '../../../daemon/sync/source.ts';
import { LIMITS } from '../../../protocol/base/limits.ts';

/** A plan with these lines behind its header. */
function planOf(lines: readonly PlanLine[]): never {
  const numbered = lines.map((line, index) => ({ at: index + 2, line }));
  return {
    async *lines() {
      for (let at = 0; at < numbered.length; at += 3) yield numbered.slice(at, at + 3);
    },
  } as never;
}

const write = (n: number, more: object = {}): PlanLine =>
  ({ do: 'update', line: n + 100, id: `u${n}`, rev: n, user: { id: `u${n}` }, ...more }) as PlanLine;
const error = (n: number): PlanLine => ({ error: { line: n, code: 4, reason: 'r' } });
const removal = (id: string, does: 'deactivate' | 'soft-delete' = 'deactivate', rev: number | null = 7): PlanLine => ({
  do: does,
  id,
  rev,
});

async function all<Batch>(batches: AsyncGenerator<Batch>): Promise<Batch[]> {
  const found: Batch[] = [];
  for await (const batch of batches) found.push(batch);
  return found;
}

test('AP4 a user to write has its place in the source, its JSON, its revision where there is one, and the fields that differ', async () => {
  const lines = [
    write(1, { changes: { name: ['a', 'b'], 'custom.x': [null, 1] } }),
    write(2, { rev: null, user: { id: 'u2', name: 'Zoë' } }),
    error(9),
  ];
  const [batch, ...others] = await all(writeBatches(planOf(lines), 1, 10));
  assert.deepEqual([others, batch?.lastAt, batch?.errors], [[], 4, [{ line: 9, code: 4, reason: 'r' }]]);
  assert.deepEqual(batch?.users, [
    { line: 101, id: 'u1', json: '{"id":"u1"}', bytes: 11, rev: 1 },
    { line: 102, id: 'u2', json: '{"id":"u2","name":"Zoë"}', bytes: 25 },
  ]);
  assert.deepEqual([...(batch?.fields ?? [])], [['u1', ['name', 'custom.x']]]);
});

test('AP6 batches of writes have so many users, cover every line but removals, and begin behind what is done', async () => {
  const lines = [write(1), write(2), error(3), write(4), write(5), removal('x'), error(6), removal('y')];
  const shape = async (afterAt: number): Promise<unknown> =>
    (await all(writeBatches(planOf(lines), afterAt, 2))).map(({ users, errors, lastAt }) => [
      users.map(({ id }) => id).join(),
      errors.length,
      lastAt,
    ]);
  assert.deepEqual(await shape(1), [
    ['u1,u2', 0, 3],
    ['u4,u5', 1, 6],
    ['', 1, 8],
  ]);
  assert.deepEqual(await shape(2), [
    ['u2,u4', 1, 5],
    ['u5', 1, 8],
  ]);
  assert.deepEqual([await shape(6), await shape(8)], [[['', 1, 8]], []]);
});

test('AP6 a batch ends with a thousand errors, or before its request would be too big with the revisions', async () => {
  const errors = await all(writeBatches(planOf(Array.from({ length: 2_001 }, (_, n) => error(n))), 1, 10));
  assert.deepEqual(
    errors.map((batch) => batch.errors.length),
    [1_000, 1_000, 1],
  );
  const userBytes = 50_000;
  const big = Array.from({ length: 100 }, (_, n) => write(n, { user: { id: `u${n}`, text: 'x'.repeat(userBytes) } }));
  const batches = await all(writeBatches(planOf(big), 1, 100));
  const most = Math.max(...batches.map(({ users }) => users.reduce((sum, { bytes }) => sum + bytes, 0)));
  const revisionBytes = LIMITS.batchUsers * (LIMITS.idChars + 24);
  assert.ok(most - userBytes - 100 < BATCH_LIMITS.bytes - revisionBytes && most >= BATCH_LIMITS.bytes - revisionBytes, `${most}`);
});

test('AP1 batches of removals are of one kind and of so many users, and begin behind what is done', async () => {
  const lines = [
    write(1),
    removal('a'),
    removal('b', 'deactivate', null),
    removal('c'),
    removal('d', 'soft-delete'),
    error(1),
    removal('e', 'soft-delete'),
  ];
  const shape = async (afterAt: number): Promise<unknown> =>
    (await all(removalBatches(planOf(lines), afterAt, 2))).map(({ removal: kind, users, lastAt }) => [
      kind,
      users.map(({ line, id, rev }) => `${line} ${id} ${rev}`).join(),
      lastAt,
    ]);
  assert.deepEqual(await shape(1), [
    ['deactivate', '3 a 7,4 b undefined', 4],
    ['deactivate', '5 c 7', 5],
    ['soft-delete', '6 d 7,8 e 7', 8],
  ]);
  assert.deepEqual(await shape(4), [
    ['deactivate', '5 c 7', 5],
    ['soft-delete', '6 d 7,8 e 7', 8],
  ]);
  assert.deepEqual([await shape(7), await shape(8)], [[['soft-delete', '8 e 7', 8]], []]);
  assert.deepEqual(await all(removalBatches(planOf([write(1)]), 1, 2)), []);
});
