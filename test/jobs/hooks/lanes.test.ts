/** WH8, WH9, WH13, WH14: the lanes of a hook, and what of it is in memory. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { HookLane, type Item, type LaneState, Lanes, Window } from '../../../daemon/jobs/hooks/lanes.ts';
import type { HookEvent } from '../../../protocol/hooks/payload.ts';

const EVENT = {} as HookEvent;

const item = (seq: number, more: Partial<Item> = {}): Item => ({
  ...{ id: `id${seq}`, epoch: 'e', seq, at: seq, event: EVENT, attempts: 0, retries: 0, isReplay: false, isMoving: false },
  ...more,
});

const seqs = ({ items }: HookLane): number[] => items.map(({ seq }) => seq);

test('WH8 WH14 events of a lane are in their order, and none goes before one that is in flight', () => {
  const lane = new HookLane('ann');

  for (const seq of [5, 7, 6, 9]) lane.insert(item(seq));
  assert.deepEqual([seqs(lane), lane.first?.seq], [[5, 6, 7, 9], 5]);
  for (const [state, expected] of [
    ['idle', [1, 5]],
    ['ready', [1, 5]],
    ['held', [1, 5]],
    ['waiting', [1, 5]],
    ['sending', [5, 1]],
    ['moving', [5, 1]],
  ] as const) {
    const other = new HookLane('bob');
    other.insert(item(5));
    other.state = state;
    other.insert(item(1));
    assert.deepEqual(seqs(other), expected, state);
    other.insert(item(3));
    assert.deepEqual(seqs(other).indexOf(3), state === 'sending' || state === 'moving' ? 2 : 1, state);
  }
  const equal = new HookLane('carl');
  for (const id of ['a', 'b']) equal.insert(item(5, { id }));
  assert.deepEqual(
    equal.items.map(({ id }) => id),
    ['a', 'b'],
  );
});

test('WH12 a lane is parked when one of its events is a letter, or is becoming one', () => {
  const lane = new HookLane('ann');
  const [first, second] = [item(1), item(2)];
  lane.insert(first);
  lane.insert(second);
  assert.equal(lane.isParked, false);
  second.isMoving = true;
  assert.equal(lane.isParked, true);
  second.isMoving = false;
  first.event = undefined;
  assert.equal(lane.isParked, true);
  lane.remove(first);
  assert.deepEqual([seqs(lane), lane.isParked], [[2], false]);
  lane.remove(first);
  assert.deepEqual(seqs(lane), [2], 'one that is gone is not removed again');
});

test('WH13 a lane is in the set of its state alone, and the lane that was tried last is at the end', () => {
  const lanes = new Lanes();
  const [ann, bob] = [lanes.get('ann'), lanes.get('bob')];
  assert.equal(lanes.get('ann'), ann);
  const sets = (): string[] => [lanes.ready, lanes.held, lanes.waiting].map((set) => [...set].map(({ key }) => key).join());
  for (const [state, expected] of [
    ['ready', ['ann', '', '']],
    ['held', ['', 'ann', '']],
    ['waiting', ['', '', 'ann']],
    ['sending', ['', '', '']],
    ['moving', ['', '', '']],
    ['idle', ['', '', '']],
  ] as readonly [LaneState, string[]][]) {
    lanes.move(ann, state, 7);
    assert.deepEqual([sets(), ann.state, ann.dueMs], [expected, state, 7]);
  }
  lanes.move(ann, 'held');
  lanes.move(bob, 'held');
  lanes.move(ann, 'held');
  assert.deepEqual(sets(), ['', 'bob,ann', '']);
  assert.deepEqual([...lanes.all()].length, 2);
});

test('WH13 a hook that is down is probed with what is ready, then what failed, then what waits; otherwise with what failed', () => {
  const lanes = new Lanes();
  const probed = (isDown: boolean): string | undefined => lanes.toProbe(isDown)?.key;
  assert.deepEqual([probed(true), probed(false)], [undefined, undefined]);
  lanes.move(lanes.get('waits'), 'waiting');
  assert.deepEqual([probed(true), probed(false)], ['waits', undefined]);
  lanes.move(lanes.get('failed'), 'held');
  lanes.move(lanes.get('failed later'), 'held');
  assert.deepEqual([probed(true), probed(false)], ['failed', 'failed']);
  lanes.move(lanes.get('ready'), 'ready');
  assert.deepEqual([probed(true), probed(false)], ['ready', 'failed']);
});

test('WH8 the next event of a lane has its turn, and an empty lane is gone', () => {
  const lanes = new Lanes();
  const lane = lanes.get('ann');
  lane.insert(item(1));
  lanes.next(lane);
  assert.equal(lane.state, 'ready');
  lane.insert(item(0, { isMoving: true }));
  lanes.next(lane);
  assert.deepEqual([lane.state, lanes.ready.size], ['moving', 0]);
  for (const one of [...lane.items]) lane.remove(one);
  lanes.next(lane);
  assert.deepEqual([lane.state, [...lanes.all()]], ['idle', []]);
  const anew = lanes.get('ann');
  assert.notEqual(anew, lane);
  lanes.next(lane);
  assert.equal(lanes.get('ann'), anew, 'the old lane does not take the new one with it');
});

test('WH9 the window is full at its number or its bytes, and knows the oldest position', () => {
  const window = new Window(3, 100);
  assert.deepEqual([window.oldest, window.size, window.isFull], [undefined, 0, false]);
  window.add(5, 10);
  window.add(6, 10);
  assert.deepEqual([window.oldest, window.size, window.isFull], [5, 2, false]);
  window.add(7, 10);
  assert.equal(window.isFull, true);
  window.delete(5);
  window.delete(5);
  assert.deepEqual([window.oldest, window.isFull], [6, false]);
  window.delete(6);
  window.delete(7);
  window.add(8, 99);
  assert.equal(window.isFull, false);
  window.add(9, 1);
  assert.equal(window.isFull, true);
  window.delete(9);
  assert.equal(window.isFull, false);
});

test('WH9 whoever waits for room is told when an event has left, or at a stop', async () => {
  const window = new Window(1, 100);
  window.add(1, 1);
  const stop = new AbortController();
  let told = 0;
  const wait = (): void => void window.changed(stop.signal).then(() => told++);
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  wait();
  await settled();
  window.delete(2);
  await settled();
  assert.equal(told, 0, 'nothing has left');
  window.delete(1);
  await settled();
  assert.deepEqual([told, getEventListeners(stop.signal, 'abort').length], [1, 0]);
  window.add(3, 1);
  window.delete(3);
  wait();
  await settled();
  assert.equal(told, 1, 'what left before is no news');
  stop.abort();
  await settled();
  assert.equal(told, 2);
  wait();
  await settled();
  assert.equal(told, 3);
});
