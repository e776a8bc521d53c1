/** LG5: the last ids, oldest first; what comes again stays in its place. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RecentIds } from '../../../daemon/core/directory/recent-ids.ts';

test('LG5 only the last ids are kept, in their order', () => {
  const ids = new RecentIds(3);
  for (const id of ['a', 'b', 'a', 'c']) ids.add(id);
  assert.deepEqual([...ids], ['a', 'b', 'c']);
  ids.add('d');
  ids.add('e');
  assert.deepEqual([...ids], ['c', 'd', 'e']);
  assert.deepEqual(
    ['a', 'b', 'c', 'e'].map((id) => ids.has(id)),
    [false, false, true, true],
  );
  for (let n = 0; n < 1_000; n++) ids.add(`n${n}`);
  assert.deepEqual([...ids], ['n997', 'n998', 'n999']);
});
