/** SN7: numbers in order in one typed array. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NumberList } from '../../../../daemon/core/directory/indexes/number-list.ts';
import { seeded } from '../../../support/random.ts';

test('SN7 a list of numbers says what was new and what was there, and splits in the middle', () => {
  const random = seeded(7);
  const list = new NumberList(Float64Array);
  const model = new Set<number>();
  for (let step = 0; step < 5_000; step++) {
    const value = Math.floor(random() * 200) * 2 ** 40;
    if (random() < (step % 2_000 < 1_000 ? 0.8 : 0.2)) {
      assert.equal(list.add(value), !model.has(value));
      model.add(value);
    } else assert.equal(list.remove(value), model.delete(value));
    assert.equal(list.count, model.size);
  }
  const sorted = [...model].sort((one, other) => one - other);
  assert.deepEqual([...list], sorted);
  for (const at of [0, 1, sorted.length - 1]) {
    const value = sorted[at] ?? 0;
    assert.deepEqual([list.placeOf(value), list.next(value), list.placeOf(value + 1)], [at, value, at + 1]);
  }
  assert.equal(list.next(2 ** 50), -1);
  const upper = list.split();
  assert.deepEqual([...list, ...upper], sorted);
  assert.ok(Math.abs(list.count - upper.count) <= 1);
});
