/** AP6, PC10, PN17, SY14, SY15: the counts of a run, the reasons for its errors, and how it names the users that it left out. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorGroups, errorLines, NO_RESULTS, sumOf, type TakenOut, TakenOutList } from '../../daemon/sync/counts.ts';

test('AP6 the sum holds every count once', () => {
  assert.equal(sumOf(NO_RESULTS), 0);
  const names = Object.keys(NO_RESULTS);
  const counts = Object.fromEntries(names.map((name, index) => [name, 2 ** index]));
  assert.equal(sumOf({ ...NO_RESULTS, ...counts }), 2 ** names.length - 1);
});

const users = (how: TakenOut['how'], ...ids: readonly string[]): TakenOut[] => ids.map((id) => ({ id, how }));

function listOf(...taken: readonly TakenOut[]): TakenOutList {
  const list = new TakenOutList();
  list.add(taken.slice(0, 1));
  list.add(taken.slice(1));
  return list;
}

test('PC10 the note names the users, how each was taken out, and the option that brings all of them back', () => {
  assert.deepEqual(listOf().notes(), []);
  assert.deepEqual(listOf(...users('deactivated', 'ann')).notes(), [
    'an earlier sync took out 1 user of the source, and it stays out: ann (deactivated); --returning reactivate brings it back',
  ]);
  assert.deepEqual(listOf(...users('deactivated', 'ann', 'bob')).notes(), [
    'an earlier sync took out 2 users of the source, and they stay out: ann (deactivated), bob (deactivated); --returning reactivate brings them back',
  ]);
  assert.deepEqual(listOf(...users('deactivated', 'ann'), ...users('deleted', 'bob')).notes(), [
    'an earlier sync took out 2 users of the source, and they stay out: ann (deactivated), bob (deleted); --returning restore brings them back',
  ]);
});

test('SY14 the first ten are named and all are counted', () => {
  const ids = Array.from({ length: 11 }, (_, index) => `u${index}`);
  const ten = listOf(...users('deleted', ...ids.slice(0, 10)));
  assert.ok(!ten.notes()[0]?.includes('…'));
  const eleven = listOf(...users('deleted', ...ids));
  assert.deepEqual([eleven.count, eleven.deactivated, eleven.first], [11, 0, ten.first]);
  assert.match(eleven.notes()[0] ?? '', /took out 11 users .* u9 \(deleted\), …; --returning restore/);
  assert.match(
    listOf(...users('deactivated', ...Array.from({ length: 1_234 }, (_, n) => `u${n}`))).notes()[0] ?? '',
    /took out 1,234 users/,
  );
});

test('PN17 SY15 the ten most frequent reasons have a line each, and the last line counts the others', () => {
  const groups = new ErrorGroups();
  let line = 0;
  const add = (reason: string, times: number): void => {
    for (let time = 0; time < times; time++) groups.add({ line: ++line, reason });
  };
  add('often', 1_200);
  for (const letter of 'abcdefghijk') add(`reason ${letter}`, 1);
  const lines = errorLines(groups.shown, line);
  assert.deepEqual([lines.length, lines[0], lines[1]], [11, '1,200 × often (line 1, 2, 3, 4, 5, …)', '1 × reason a (line 1201)']);
  assert.equal(lines.at(-1), '… and 2 for other reasons');
  assert.deepEqual(errorLines(groups.shown.slice(1, 3), 2), ['1 × reason a (line 1201)', '1 × reason b (line 1202)']);
  assert.deepEqual(errorLines([], 0), []);
});
