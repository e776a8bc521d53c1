/** SN7: a set of rows is what a set of numbers would be, in any of its forms. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RowSet } from '../../../../daemon/core/directory/indexes/row-set.ts';
import { seeded } from '../../../support/random.ts';

function walked(set: RowSet): number[] {
  const rows: number[] = [];
  for (let row = set.next(0); row !== -1; row = set.next(row + 1)) rows.push(row);
  return rows;
}

test('SN7 a set of rows holds what was added and not removed, in order, while it grows, spreads and shrinks', () => {
  const random = seeded(7);
  const set = new RowSet();
  const model = new Set<number>();
  // Dense at first, sparse later, over four pages; it grows, shrinks, and grows again.
  for (const [steps, below, share] of [
    [3_000, 1_000, 0.6],
    [40_000, 30_000, 0.9],
    [20_000, 250_000, 0.9],
    [300_000, 250_000, 0.05],
    [20_000, 250_000, 0.9],
  ] as const) {
    for (let step = 0; step < steps; step++) {
      const row = Math.floor(random() * below);
      if (random() < share) {
        set.add(row);
        model.add(row);
      } else {
        set.remove(row);
        model.delete(row);
      }
    }
    assert.equal(set.count, model.size);
    const sorted = [...model].sort((one, other) => one - other);
    assert.deepEqual(walked(set), sorted);
    for (const from of [31, 32, 65_535, 65_536, 131_072, 249_999, 300_000])
      assert.equal(set.next(from), sorted.find((row) => row >= from) ?? -1);
  }
  for (const row of model) set.remove(row);
  assert.deepEqual([set.count, walked(set)], [0, []]);
});
