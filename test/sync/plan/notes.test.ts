/** PN: what a plan points out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SameLetters } from '../../../daemon/sync/plan/notes.ts';

test('PN16 ids that differ only in upper and lower case are pointed out, in any order', () => {
  const seen = new Set<string>();
  const letters = new SameLetters((id) => seen.has(id));
  for (const [index, id] of ['Ann', 'bob', 'ann', 'BOB', 'carl', 'Dan', 'DAN', 'Dan2'].entries()) {
    seen.add(id);
    letters.take(id, index + 2);
  }
  assert.deepEqual(letters.notes(), [
    'ids that differ only in upper and lower case are different users: Ann and ann (line 4), bob and BOB (line 5), Dan and DAN (line 8)',
  ]);
  assert.deepEqual(new SameLetters(() => false).notes(), []);
});
