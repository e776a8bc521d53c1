/** PN13: Ctrl-C ends the reading of a source, also of a silent one. */
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { untilAborted } from '../../../daemon/sync/plan/until-aborted.ts';

/** Yields these, then is silent, or ends. */
function source(items: readonly number[], then: 'silent' | 'end' | Error) {
  const left = [...items];
  let returned = 0;
  const iterator: AsyncIterator<number> = {
    next: () => {
      const value = left.shift();
      if (value !== undefined) return Promise.resolve({ done: false, value });
      if (then === 'silent') return new Promise(() => {});
      return then === 'end' ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(then);
    },
    return: () => {
      returned++;
      return Promise.reject(new Error('it cannot be released'));
    },
  };
  return { items: { [Symbol.asyncIterator]: () => iterator }, returned: () => returned };
}

async function read(items: AsyncIterable<number>, stop: AbortController, stopAt?: number): Promise<number[]> {
  const found: number[] = [];
  for await (const item of untilAborted(items, stop.signal)) {
    found.push(item);
    if (item === stopAt) stop.abort();
  }
  return found;
}

test('PN13 a source is read to its end, which releases it by itself', async () => {
  const { items, returned } = source([1, 2, 3], 'end');
  const stop = new AbortController();
  assert.deepEqual([await read(items, stop), returned()], [[1, 2, 3], 0]);
  assert.equal(getEventListeners(stop.signal, 'abort').length, 0);
});

test('PN13 after Ctrl-C nothing more is read, and the source is released, whatever it says to that', async () => {
  const between = source([1, 2, 3], 'end');
  assert.deepEqual([await read(between.items, new AbortController(), 2), between.returned()], [[1, 2], 1]);
  const silent = source([1], 'silent');
  const stop = new AbortController();
  setImmediate(() => stop.abort());
  assert.deepEqual([await read(silent.items, stop), silent.returned()], [[1], 1]);
  const before = source([1], 'end');
  const stopped = new AbortController();
  stopped.abort();
  assert.deepEqual([await read(before.items, stopped), before.returned()], [[], 1]);
});

test('PN13 an error of the source is passed on', async () => {
  await assert.rejects(read(source([1], new Error('broken')).items, new AbortController()), /broken/);
});
