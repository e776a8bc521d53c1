/** BU1, BU2: walks share the event loop. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Budget, inSlices, inTrustedSlices, type Walk } from '../../daemon/base/slices.ts';
import { ownTime } from '../support/own-time.ts';

/** Set anew by each test. */
let pass: (ms: number) => void;

/** Steps that take a tenth of a millisecond each. */
function* walk(name: string, steps: number, order: string[]): Walk<string> {
  for (let step = 0; step < steps; step++) {
    pass(0.1);
    order.push(name);
    yield { units: 10, unseen: 0 };
  }
  return name;
}

const budgetOf = (caller: string, units = Number.POSITIVE_INFINITY): Budget & { spent: number } => ({
  caller,
  spent: 0,
  spend(more) {
    this.spent += more;
    if (this.spent > units) throw new RangeError(`${caller} spent ${this.spent}`);
  },
  note: () => {},
  isSlowed: () => false,
});

test('BU1 many walks together leave every turn of the event loop to others, and a short one ends at once', async (t) => {
  pass = ownTime(t);
  assert.equal(await Promise.race([inSlices(walk('short', 2, [])), new Promise((resolve) => setImmediate(resolve, 'later'))]), 'short');
  const order: string[] = [];
  const walks = Array.from({ length: 20 }, (_, index) => inSlices(walk(`w${index}`, 50, order)));
  const atTurn: number[] = [];
  let isOver = false;
  const look = (): void => {
    atTurn.push(order.length);
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await Promise.all(walks);
  isOver = true;
  const steps = atTurn.map((count, turn) => count - (atTurn[turn - 1] ?? 0));
  // Fifty steps fill a turn; without a bound, a turn would have as many as there are walks, times fifty.
  assert.ok(Math.max(...steps) <= 60, `${Math.max(...steps)} steps in one turn`);
  assert.ok(atTurn.length > 15, `${atTurn.length} turns`);
});

test('BU1 a walk of a trusted caller ends at once while others wait, and gives way when it is long', async (t) => {
  pass = ownTime(t);
  const order: string[] = [];
  const others = Array.from({ length: 3 }, () => inSlices(walk('other', 60, order), budgetOf('other')));
  const next = (): Promise<string> => new Promise((resolve) => setImmediate(resolve, 'later'));
  assert.equal(await Promise.race([inTrustedSlices(walk('short', 2, order)), next()]), 'short');
  assert.equal(await Promise.race([inTrustedSlices(walk('long', 200, order)), next()]), 'later');
  const many = Array.from({ length: 10 }, () => inTrustedSlices(walk('many', 10, order)));
  // All of a turn share its time: a tenth of a millisecond each.
  assert.ok(order.filter((name) => name === 'many').length <= 60, order.join());
  await Promise.all([...others, ...many]);
});

test('BU1 callers alternate: one walk among a hundred of another caller is not the last to end', async (t) => {
  pass = ownTime(t);
  const order: string[] = [];
  const ends: string[] = [];
  const greedy = Array.from({ length: 30 }, () => inSlices(walk('greedy', 20, order), budgetOf('greedy')).then((name) => ends.push(name)));
  const modest = inSlices(walk('modest', 20, order), budgetOf('modest')).then((name) => ends.push(name));
  await Promise.all([...greedy, modest]);
  assert.ok(ends.indexOf('modest') <= 4, `${ends.indexOf('modest')} walks of the other ended first`);
});

test('BU2 the walks of one caller follow one another, each spends what it did, and the budget ends a walk', async (t) => {
  pass = ownTime(t);
  const order: string[] = [];
  const budget = budgetOf('ann');
  await Promise.all([inSlices(walk('first', 30, order), budget), inSlices(walk('second', 30, order), budget)]);
  assert.deepEqual(order, [...Array(30).fill('first'), ...Array(30).fill('second')]);
  assert.equal(budget.spent, 600);
  const steps: string[] = [];
  await assert.rejects(inSlices(walk('third', 1_000, steps), budgetOf('bob', 50)), /bob spent 60/);
  assert.equal(steps.length, 6);
  await assert.rejects(inSlices(walk('fourth', 1_000, steps), budgetOf('cy', -1)), /cy spent 0/);
  assert.equal(steps.length, 6, 'a caller that has spent everything begins nothing');
});

test('BU2 a walk that throws ends alone', async (t) => {
  pass = ownTime(t);
  function* broken(): Walk<void> {
    yield undefined;
    throw new Error('broken');
  }
  const [first, second] = await Promise.allSettled([inSlices(broken(), budgetOf('ann')), inSlices(walk('fine', 40, []), budgetOf('ann'))]);
  assert.equal(first.status, 'rejected');
  assert.deepEqual(second, { status: 'fulfilled', value: 'fine' });
});

test('BU12 a caller whose walks did much on what it may not see waits between its shares, ends all the same, and slows down no one', async (t) => {
  pass = ownTime(t);
  const ends: string[] = [];
  let unseen = 0;
  const slow: Budget = { ...budgetOf('slow', -1), isSlowed: () => unseen > 0 };
  slow.note = (more) => {
    unseen += more;
  };
  function* hidden(): Walk<string> {
    for (let step = 0; step < 40; step++) {
      pass(0.1);
      yield { units: 0, unseen: 10 };
    }
    return 'slow';
  }
  const free = { ...slow, spend: () => {} };
  const startedMs = Date.now();
  const walks = [inSlices(hidden(), free), inSlices(hidden(), free)].map((done) => done.then((name) => ends.push(name)));
  await inSlices(walk('other', 30, []), budgetOf('other')).then((name) => ends.push(name));
  await Promise.all(walks);
  assert.deepEqual(ends, ['other', 'slow', 'slow']);
  assert.equal(unseen, 800);
  // Eight milliseconds of work, a millisecond at a time.
  assert.ok(Date.now() - startedMs >= 50, `${Date.now() - startedMs} ms`);
});
