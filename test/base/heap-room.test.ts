/** HR1, HR2: when users are added, by what is in use after full collections. */
import assert from 'node:assert/strict';
import { Session } from 'node:inspector';
import { test } from 'node:test';
import { HeapRoom } from '../../daemon/base/heap-room.ts';
import { eventually } from '../support/eventually.ts';

/** A heap of a thousand bytes, and what was logged about it. */
function heap() {
  const use = { usedBytes: 0, limitBytes: 1_000 };
  const whole = { usedBytes: 0, limitBytes: 3_000 };
  const logged: string[] = [];
  const log = (_: object, text: string) => logged.push(text);
  const room = new HeapRoom({ debug: log, info: log, warn: log, error: log }, () => ({ heap: use, process: whole }));
  const collected = (usedBytes: number, wholeBytes = 0): void => {
    use.usedBytes = usedBytes;
    whole.usedBytes = wholeBytes;
    room.collected();
  };
  return { room, logged, collected };
}

test('HR1 HR2 it is full from 85 % on, and has room again below 80 %: each is logged once', () => {
  const { room, logged, collected } = heap();
  for (const bytes of [0, 840, 850]) {
    collected(bytes);
    assert.ok(room.has(5));
  }
  assert.deepEqual(logged, []);
  for (const bytes of [851, 990, 830, 801]) {
    collected(bytes);
    assert.ok(!room.has(5));
  }
  assert.deepEqual([logged.length, /nearly full/.test(logged[0] ?? '')], [1, true]);
  collected(800);
  assert.ok(room.has(5));
  assert.deepEqual([logged.length, /has room again/.test(logged[1] ?? '')], [2, true]);
  collected(840);
  assert.ok(room.has(5));
});

test('HR1 HR2 what is outside of the heap counts against the memory of the process', () => {
  const { room, logged, collected } = heap();
  collected(100, 2_550);
  assert.ok(room.has(5));
  collected(100, 2_551);
  assert.ok(!room.has(5));
  assert.match(logged[0] ?? '', /^the memory of the machine or container is nearly full/);
  collected(801, 100);
  assert.ok(!room.has(5));
  collected(100, 2_401);
  assert.ok(!room.has(5));
  collected(800, 2_400);
  assert.ok(room.has(5));
  assert.deepEqual([logged.length, /has room again/.test(logged[1] ?? '')], [2, true]);
});

test('HR1 it has room before the next collection once a twentieth of the users is gone', () => {
  const { room, collected } = heap();
  collected(900);
  assert.deepEqual(
    [1_000, 1_100, 950, 949, 950].map((users) => room.has(users)),
    [false, false, false, true, false],
  );
  collected(900);
  assert.deepEqual(
    [949, 902, 901].map((users) => room.has(users)),
    [false, false, true],
  );
});

test('HR1 a full collection of this process is noticed', async (t) => {
  const { room } = heap();
  room.start();
  t.after(() => room.stop());
  const inspector = new Session();
  inspector.connect();
  t.after(() => inspector.disconnect());
  const looks: number[] = [];
  t.mock.method(room, 'collected', () => looks.push(1));
  inspector.post('HeapProfiler.collectGarbage');
  await eventually(() => looks.length > 0);
});
