/** PN1, BR5: the summary of a plan. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlanWrite } from '../../../daemon/sync/plan/plan-lines.ts';
import { Tally } from '../../../daemon/sync/plan/tally.ts';

const write = (does: PlanWrite['do'], id: string, changes: PlanWrite['changes'] = {}): PlanWrite =>
  ({ do: does, line: 1, id, rev: 0, user: { id }, changes }) as PlanWrite;

test('PN1 fields are counted by the updates that change them, the most frequent first, and the first users are examples', () => {
  const tally = new Tally();
  for (let n = 0; n < 5; n++) {
    tally.write(
      write('update', `u${n}`, { name: ['a', 'b'], ...(n < 2 ? { image: ['i', null] } : {}), ...(n < 2 ? { color: [null, 'red'] } : {}) }),
    );
    tally.write(write('create', `c${n}`, { role: [null, 'user'] }));
    tally.missing(`m${n}`);
  }
  tally.removal('deactivate');
  tally.removal('soft-delete');
  tally.removal('soft-delete');
  tally.removal('hard-delete');
  const { counts, fields, examples } = tally.summary();
  assert.deepEqual(fields, [
    { field: 'name', changed: 5, removed: 0 },
    { field: 'color', changed: 2, removed: 0 },
    { field: 'image', changed: 2, removed: 2 },
  ]);
  assert.deepEqual([counts.update, counts.create, counts.deactivate, counts.soft_delete, counts.hard_delete], [5, 5, 1, 2, 1]);
  const ids = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id);
  assert.deepEqual(
    [ids(examples.update), ids(examples.create), examples.missing],
    [
      ['u0', 'u1', 'u2'],
      ['c0', 'c1', 'c2'],
      ['m0', 'm1', 'm2'],
    ],
  );
});

test('BR5 the ten most frequent reasons are shown, each with its first five lines', () => {
  const tally = new Tally();
  for (let kind = 0; kind < 12; kind++) {
    const reason = `reason ${'abcdefghijkl'[kind]}`;
    for (let line = 1; line <= 12 - kind; line++) tally.error({ error: { line, code: 'c', reason } });
  }
  const errors = tally.errors();
  assert.equal(tally.counts.errors, 78);
  assert.deepEqual(
    errors.map(({ reason, count }) => `${reason.at(-1)} ${count}`),
    [...'abcdefghij'].map((letter, kind) => `${letter} ${12 - kind}`),
  );
  assert.deepEqual(
    [errors[0]?.lines, errors[9]?.lines],
    [
      [1, 2, 3, 4, 5],
      [1, 2, 3],
    ],
  );
});

test('BR5 five reasons of one kind are told apart, the others count together; so are a thousand kinds', () => {
  const tally = new Tally();
  for (let n = 0; n < 20; n++) tally.error({ error: { line: n, code: 'c', reason: `the user u${n} has "${n}" in ${n} teams` } });
  const errors = tally.errors();
  assert.deepEqual([errors[0]?.reason, errors[0]?.count, errors.length], ['the user … has "…" in … teams', 15, 6]);
  const many = new Tally();
  const word = (n: number): string => [...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join('');
  for (let n = 0; n < 1_200; n++) many.error({ error: { line: n, code: 'c', reason: word(n) } });
  assert.deepEqual([many.errors()[0]?.reason, many.errors()[0]?.count, many.errors()[1]?.count], ['others', 200, 1]);
  for (let n = 0; n < 1_200; n++) many.write(write('update', 'u', { [`f${n}`]: [1, 2] }));
  const { fields } = many.summary();
  assert.deepEqual([fields.length, fields[0]], [1_001, { field: 'others', changed: 200, removed: 0 }]);
});
