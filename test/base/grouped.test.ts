import assert from 'node:assert/strict';
import { test } from 'node:test';
import { grouped } from '../../daemon/base/grouped.ts';
import { seeded } from '../support/random.ts';

test('SY1 the thousands of a count are set apart as in English', () => {
  const random = seeded(1);
  const some = Array.from({ length: 2_000 }, (_, at) => Math.floor(random() * 10 ** (1 + (at % 9))));
  for (const value of [0, 5, 999, 1_000, 1_000_000, 2 ** 53 - 1, -1_234, 1_234.567, 0.25, ...some]) {
    assert.equal(grouped(value), value.toLocaleString('en-US'));
  }
});
