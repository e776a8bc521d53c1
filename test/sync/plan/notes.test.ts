/** PN: what a plan points out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deactivatedNote, SameLetters, strangersNote } from '../../../daemon/sync/plan/notes.ts';
import { NO_COUNTS } from '../../../daemon/sync/plan/plan-lines.ts';

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

test('PN16 five pairs are named and the others meant; an id that is read again is no pair of its own', () => {
  const notesOf = (...ids: readonly string[]): readonly string[] => {
    const seen = new Set<string>();
    const letters = new SameLetters((id) => seen.has(id));
    for (const [index, id] of ids.entries()) {
      seen.add(id);
      letters.take(id, index + 2);
    }
    return letters.notes();
  };
  const pairs = (count: number): string[] => Array.from({ length: count }, (_, n) => [`A${n}`, `a${n}`]).flat();
  assert.match(notesOf(...pairs(5))[0] ?? '', /: A0 and a0 \(line 3\), .*A4 and a4 \(line 11\)$/);
  assert.match(notesOf(...pairs(6))[0] ?? '', /A4 and a4 \(line 11\), …$/);
  assert.deepEqual(notesOf('Ann', 'Ann', 'bob', 'bob'), []);
  assert.match(notesOf('ANN', 'Ann', 'ANn')[0] ?? '', /: ANN and Ann \(line 3\), ANN and ANn \(line 4\)$/);
});

test('PN10 strangers are pointed out only where others are known, and nobody of the source is', () => {
  const says = strangersNote({ ...NO_COUNTS, create: 3 }, 7);
  assert.deepEqual(says, [
    'none of the users of the source is in the directory, which has 7: is the right column the id, and is it the right directory?',
  ]);
  assert.deepEqual(strangersNote({ ...NO_COUNTS, create: 3 }, 0), []);
  assert.deepEqual(strangersNote(NO_COUNTS, 7), []);
  for (const known of ['update', 'reactivate', 'restore', 'unchanged'])
    assert.deepEqual(strangersNote({ ...NO_COUNTS, create: 3, [known]: 1 }, 7), [], known);
});

test('PN8 users of the source that somebody deactivated are counted, in the words for one or for many', () => {
  for (const none of [-1, 0]) assert.deepEqual(deactivatedNote(none), []);
  assert.deepEqual(deactivatedNote(1), ['1 user of the source is deactivated (not by a sync) and stays so']);
  assert.deepEqual(deactivatedNote(1_200), ['1,200 users of the source are deactivated (not by a sync) and stay so']);
});

test('PN16 a missing user that the source names in other letters is pointed out', () => {
  const seen = new Set(['bob', 'Ann', 'cem']);
  const letters = new SameLetters((id) => seen.has(id));
  for (const [index, id] of [...seen].entries()) letters.take(id, index + 1);
  assert.deepEqual([letters.notes(), letters.missingNotes()], [[], []]);
  for (const id of ['ann', 'BOB', 'aNN', 'dora', 'Dora']) letters.takeMissing(id);
  const what = 'missing users that the source seems to name in other upper and lower case, which makes them different users';
  assert.deepEqual(letters.missingNotes(), [`${what}: ann (in the source Ann), BOB (in the source bob), aNN (in the source Ann)`]);
  for (let n = 0; n < 3; n++) letters.takeMissing('ANN');
  assert.match(letters.missingNotes().join(), /ANN \(in the source Ann\), …$/);
  assert.deepEqual(letters.notes(), [], 'they are no pairs of the source');
  assert.ok(letters.has('Ann') && !letters.has('ann'));
});
