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

test('PR7 the mark counts every change, however many were forgotten, and the newest fifty thousand are always known', () => {
  const trail = new ChangeTrail();
  for (let count = 1; count <= 160_000; count++) {
    trail.add(`u${count}`);
    if (trail.mark !== count) assert.fail(`${trail.mark} after ${count}`);
    if (count % 40_000 !== 0 && count !== 100_001) continue;
    const kept = Math.min(count, 50_000);
    const known = trail.since(count - kept);
    assert.deepEqual([known?.size, known?.has(`u${count}`), known?.has(`u${count - kept + 1}`)], [kept, true, true]);
    assert.equal(trail.since(Math.max(0, count - 100_001)) === undefined, count > 100_000);
  }
  trail.clear();
  assert.deepEqual([trail.mark, trail.since(159_999), trail.since(160_000)?.size], [160_000, undefined, 0]);
});
