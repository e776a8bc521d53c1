/** LG6: readers that catch up from memory share one slice in each turn of the event loop. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { Pace } from '../../../store/journal/pace.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function clocked(t: TestContext): { pass: (ms: number) => void } {
  let nowMs = 1_000;
  t.mock.method(performance, 'now', () => nowMs);
  return { pass: (ms) => (nowMs += ms) };
}

test('LG6 while the slice lasts nobody waits; when it is used up all wait for the same next turn', async (t) => {
  const { pass } = clocked(t);
  const pace = new Pace();
  let kept = 0;
  const keep = (): void => void pace.keep().then(() => kept++);
  const settled = async (): Promise<number> => {
    for (let n = 0; n < 5; n++) await Promise.resolve();
    return kept;
  };
  keep();
  assert.equal(await settled(), 0, 'the first slice begins with a turn, too');
  await turn();
  assert.equal(await settled(), 1);
  pass(3.9);
  keep();
  assert.equal(await settled(), 2);
  pass(0.1);
  keep();
  keep();
  assert.equal(await settled(), 2);
  await turn();
  assert.equal(await settled(), 4);
  keep();
  assert.equal(await settled(), 5);
});

test('LG6 a reader that wakes when the slice of its turn is used up waits for another turn', async (t) => {
  let nowMs = 1_000;
  // Each look at the clock takes half a slice: one for its beginning, one for each reader.
  t.mock.method(performance, 'now', () => (nowMs += 2));
  const pace = new Pace();
  const kept: string[] = [];
  for (const name of ['first', 'second']) void pace.keep().then(() => kept.push(name));
  await turn();
  assert.deepEqual(kept, ['first']);
  await turn();
  assert.deepEqual(kept, ['first', 'second']);
});
