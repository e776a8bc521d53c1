/** CO35: the samples of nodes as the page keeps them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { askFrom, joinedSamples, minuteRows, type SampleColumns } from '../../../daemon/console/overview/sample-history.ts';

const columns = (...at: number[]): SampleColumns => ({ at, users: at.map((time) => time * 10) });

test('CO35 later samples are put behind those that are there, once, and old ones go', () => {
  const first = joinedSamples(undefined, columns(100, 105));
  const joined = joinedSamples(first, columns(105, 110));
  assert.deepEqual(joined, columns(100, 105, 110));
  assert.deepEqual(joinedSamples(joined, columns()), columns(100, 105, 110), 'nothing came');
  assert.deepEqual(joinedSamples(joined, columns(1_006)), columns(110, 1_006), 'fifteen minutes are kept');
  assert.deepEqual(joinedSamples(columns(), columns(7)), columns(7));
});

test('CO35 the nodes are asked for what the one furthest behind has not', () => {
  assert.equal(askFrom([]), 0);
  assert.equal(askFrom([columns(100, 105.9), columns(99.2)]), 99);
  assert.equal(askFrom([columns(100), columns()]), 0);
});

test('CO35 the table has one row a minute, the newest first', () => {
  const at = Array.from({ length: 180 }, (_, row) => 1_000 + row * 5);
  const rows = minuteRows(columns(...at));
  assert.equal(rows[0], 179);
  assert.equal(rows.length, 15);
  assert.deepEqual(minuteRows(columns()), []);
});
