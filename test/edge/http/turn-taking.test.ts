/** BU3: requests that come at once take turns. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TurnTaking } from '../../../daemon/edge/http/turn-taking.ts';
import { ownTime } from '../../support/own-time.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('BU3 the first few requests begin at once; of many, a few milliseconds of work begin in each turn, in order', async (t) => {
  const pass = ownTime(t);
  const turns = new TurnTaking();
  const begun: number[] = [];
  for (let n = 0; n < 200; n++) {
    turns.enter(() => {
      begun.push(n);
      pass(0.2);
    });
  }
  const counts = [begun.length];
  while (begun.length < 200) {
    await turn();
    counts.push(begun.length);
  }
  assert.equal(counts[0], 16);
  const steps = counts.map((count, at) => count - (counts[at - 1] ?? 0)).slice(1);
  assert.ok(Math.max(...steps) <= 24, `${Math.max(...steps)} began in one turn`);
  assert.deepEqual(
    begun,
    Array.from({ length: 200 }, (_, n) => n),
  );
});

test('BU3 in the next turn, the first few begin at once again', async () => {
  const turns = new TurnTaking();
  let begun = 0;
  for (let round = 1; round <= 3; round++) {
    for (let n = 0; n < 16; n++) turns.enter(() => begun++);
    assert.equal(begun, 16 * round);
    await turn();
  }
});
