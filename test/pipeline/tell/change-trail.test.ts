/** PR7: who changed while something about many users was gathered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChangeTrail } from '../../../daemon/pipeline/tell/change-trail.ts';

test('PR7 what changed after a mark is known, until there is too much of it', () => {
  const touched = new ChangeTrail();
  touched.add('early');
  const mark = touched.mark;
  touched.add('a');
  touched.add('b');
  touched.add('a');
  assert.deepEqual([...(touched.since(mark) ?? [])], ['a', 'b']);
  assert.deepEqual([...(touched.since(touched.mark) ?? ['x'])], []);
  touched.clear();
  assert.equal(touched.since(mark), undefined, 'it was forgotten');
  const later = touched.mark;
  for (let n = 0; n < 200_000; n++) touched.add(`u${n}`);
  assert.equal(touched.since(later), undefined, 'it is too long ago');
  const recent = touched.mark - 1_000;
  assert.equal(touched.since(recent)?.size, 1_000);
});
