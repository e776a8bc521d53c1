/** CO13: the events that the live tail keeps. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filtered, KEPT_MAX, TailBuffer } from '../../../daemon/console/live/tail-buffer.ts';

const frame = (seq: number, type = 'user.updated') => ({ type, seq, user: { id: `u${seq}`, name: `Name ${seq}` } });
const seqs = (buffer: TailBuffer): (number | undefined)[] => buffer.events.map(({ seq }) => seq);

test('CO13 the newest events are kept, up to a bound', () => {
  const buffer = new TailBuffer();
  buffer.take([frame(1), frame(2)]);
  buffer.take([frame(3)]);
  assert.deepEqual(seqs(buffer), [3, 2, 1]);
  buffer.take(Array.from({ length: 2 * KEPT_MAX }, (_, n) => frame(n)));
  assert.equal(buffer.events.length, KEPT_MAX);
  assert.equal(buffer.events[0]?.seq, 2 * KEPT_MAX - 1);
  assert.equal(new Set(buffer.events.map(({ key }) => key)).size, KEPT_MAX);
  buffer.clear();
  assert.deepEqual(seqs(buffer), []);
});

test('CO13 while it is paused nothing moves; what waits is bounded, and what is dropped is counted', () => {
  const buffer = new TailBuffer();
  buffer.take([frame(1)]);
  buffer.pause();
  buffer.take([frame(2), frame(3)]);
  assert.deepEqual([seqs(buffer), buffer.waiting, buffer.lost], [[1], 2, 0]);
  buffer.take(Array.from({ length: KEPT_MAX }, (_, n) => frame(10 + n)));
  assert.deepEqual([seqs(buffer), buffer.waiting, buffer.lost], [[1], KEPT_MAX, 2]);
  buffer.goOn();
  assert.equal(buffer.events.length, KEPT_MAX);
  assert.deepEqual([buffer.events[0]?.seq, buffer.waiting, buffer.lost, buffer.isPaused], [9 + KEPT_MAX, 0, 0, false]);
});

test('CO13 events are found by their words and their type, frames without a user too', () => {
  const buffer = new TailBuffer();
  buffer.take([frame(1), frame(2, 'user.deleted'), { type: 'import.updated', progress: 1 }]);
  const found = (text: string, type = '') => filtered(buffer.events, text, type).map((event) => event.type + event.userId);
  assert.deepEqual(found(' NAME  2 '), ['user.deletedu2']);
  assert.deepEqual(found('name', 'user.updated'), ['user.updatedu1']);
  assert.deepEqual(found('progress'), ['import.updated']);
  assert.equal(found('').length, 3);
});
