import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Turns } from '../../daemon/base/turns.ts';
import { ownTime } from '../support/own-time.ts';

test('LV61 the first few tasks of a turn need not wait; a hundred of a millisecond each do not hold up the others', async (t) => {
  const pass = ownTime(t);
  const turns = new Turns();
  assert.deepEqual(
    Array.from({ length: 5 }, () => turns.soon() === undefined),
    [true, true, true, true, false],
  );
  await setImmediate();
  await setImmediate();
  let done = 0;
  const all = Array.from({ length: 100 }, async () => {
    await turns.soon();
    pass(1);
    done++;
  });
  const perTurn: number[] = [];
  for (let before = done; done < 100; before = done) {
    await setImmediate();
    perTurn.push(done - before);
  }
  await Promise.all(all);
  assert.ok(Math.max(...perTurn) <= 8, `tasks in each turn: ${perTurn.join()}`);
});
