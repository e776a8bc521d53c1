/** PL4, LG6: what a log on PostgreSQL knows to be confirmed, and what it keeps in memory for readers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Entry, lastSeq } from '../../../../protocol/log/entry.ts';
import { Confirmed } from '../../../../store/postgres/log/confirmed.ts';
import { ENTRY_FORMATS } from '../../../../store/postgres/log/formats.ts';
import type { ReadEntry } from '../../../../store/postgres/log/wire.ts';
import { draft } from '../../../support/store/entries.ts';

const BYTES = 10;

/** The entry of two facts that begins at `first`. */
const pair = (first: number): ReadEntry => ({ entry: { ...draft(`e${first}`, { facts: 2 }), first }, bytes: BYTES });

const begun = (seq = 0, recentBytes = 10_000): Confirmed =>
  new Confirmed({ epoch: 'e', seq, id: 'known' }, seq, { fence: 3, format: 1 }, recentBytes, ENTRY_FORMATS);

/** What readers after each position get from memory. */
const inMemory = (confirmed: Confirmed, to: number): (number | undefined)[] =>
  Array.from({ length: to }, (_, after) => confirmed.recent(after)?.first);

/** The number of times that somebody who waits is woken. */
function woken(confirmed: Confirmed): () => number {
  let count = 0;
  const wake = (): void => {
    count++;
  };
  confirmed.wakeups.add(wake);
  return () => {
    confirmed.wakeups.add(wake);
    return count;
  };
}

test('PL4 an entry that a conflict brought is read when it is confirmed, in part or as a whole, and not before', () => {
  const confirmed = begun();
  const wakes = woken(confirmed);
  confirmed.offer([pair(1), pair(3), pair(5)]);
  assert.deepEqual([inMemory(confirmed, 6), confirmed.end.seq], [Array(6).fill(undefined), 0]);
  confirmed.raise(4, 'e3');
  assert.deepEqual(confirmed.end, { epoch: 'e', seq: 4, id: 'e3' });
  assert.deepEqual([inMemory(confirmed, 6), wakes()], [[1, 1, 3, 3, undefined, undefined], 1]);
  confirmed.raise(6, 'e5');
  assert.deepEqual([inMemory(confirmed, 6), wakes()], [[1, 1, 3, 3, 5, 5], 2]);
  confirmed.raise(6, 'other');
  confirmed.raise(5, 'other');
  assert.deepEqual([confirmed.end, wakes()], [{ epoch: 'e', seq: 6, id: 'e5' }, 2], 'the end never goes back');
});

test('PL4 an entry that is offered twice, or is confirmed already, is kept once', () => {
  const confirmed = begun(2);
  confirmed.offer([pair(1), pair(3)]);
  confirmed.offer([pair(3), pair(5)]);
  confirmed.offer([pair(5)]);
  confirmed.raise(6, 'e5');
  assert.deepEqual(inMemory(confirmed, 6), [undefined, undefined, 3, 3, 5, 5]);
});

test('PL4 what is not confirmed is forgotten with the connection, and when it becomes too much', () => {
  const confirmed = begun();
  confirmed.offer([pair(1)]);
  confirmed.forgetAhead();
  confirmed.raise(2, 'another');
  assert.equal(confirmed.recent(0), undefined, 'another entry may have its place');
  const many = Array.from({ length: 200 }, (_, n) => pair(3 + n * 2));
  confirmed.offer(many);
  confirmed.raise(4, 'e3');
  assert.equal(confirmed.recent(2)?.first, 3, '200 are kept');
  confirmed.offer([pair(403)]);
  confirmed.raise(6, 'e5');
  assert.equal(confirmed.recent(4)?.first, 5, 'what is confirmed takes no room');
  confirmed.offer([pair(405), pair(407)]);
  confirmed.raise(408, 'e407');
  assert.equal(confirmed.recent(406), undefined, '201 are too much');
});

test('PL4 an own entry is confirmed by its acknowledgement, and named by the end', () => {
  const confirmed = begun();
  const wakes = woken(confirmed);
  confirmed.own([pair(1), pair(3)]);
  assert.deepEqual([confirmed.end, wakes()], [{ epoch: 'e', seq: 4, id: 'e3' }, 1]);
  assert.deepEqual(inMemory(confirmed, 4), [1, 1, 3, 3]);
  confirmed.own([]);
  assert.equal(confirmed.end.seq, 4);
});

test('LG6 memory holds entries that follow one another: after a hole it begins anew, and what is known stays', () => {
  const confirmed = begun();
  confirmed.raise(20, 'e19');
  confirmed.keep([pair(1), pair(3)]);
  confirmed.keep([pair(1), pair(3), pair(5)]);
  assert.deepEqual(inMemory(confirmed, 6), [1, 1, 3, 3, 5, 5]);
  confirmed.keep([pair(9)]);
  assert.deepEqual(inMemory(confirmed, 11), [...Array(8).fill(undefined), 9, 9, undefined]);
  confirmed.keep([pair(11)]);
  assert.deepEqual([confirmed.recent(8)?.first, confirmed.recent(10)?.first], [9, 11]);
});

test('LG6 an entry beyond the confirmed end is not read, though it is in memory; the oldest go when the bytes are too many', () => {
  const confirmed = begun(0, 3 * BYTES);
  confirmed.raise(3, 'middle');
  confirmed.keep([pair(1), pair(3)]);
  assert.deepEqual(inMemory(confirmed, 4), [1, 1, undefined, undefined]);
  confirmed.raise(8, 'e7');
  confirmed.keep([pair(5), pair(7)]);
  assert.deepEqual(inMemory(confirmed, 8), [undefined, undefined, 3, 3, 5, 5, 7, 7]);
  const newest: Entry | undefined = confirmed.recent(7);
  assert.equal(newest === undefined ? 0 : lastSeq(newest), 8);
});

test('LG7 the tail only rises, and wakes readers that it overtakes', () => {
  const confirmed = begun(5);
  const wakes = woken(confirmed);
  for (const tail of [4, 5]) confirmed.raiseTail(tail);
  assert.deepEqual([confirmed.tail, wakes()], [5, 0]);
  confirmed.raiseTail(6);
  assert.deepEqual([confirmed.tail, wakes(), confirmed.fence, confirmed.format], [6, 1, 3, 1]);
});
