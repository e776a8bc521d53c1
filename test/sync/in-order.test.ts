/** AP6: batches settle in the order in which they were read. */
import assert from 'node:assert/strict';
import { setMaxListeners } from 'node:events';
import { test } from 'node:test';
import { inOrder } from '../../daemon/sync/in-order.ts';
import { seeded } from '../support/random.ts';

const never = new AbortController().signal;

// Fake time takes no listener back.
setMaxListeners(0, never);

test('AP6 batches settle in the order in which they were read, whatever takes long, and nothing behind one that is not done', async () => {
  const random = seeded(7);
  const settled: number[] = [];
  async function* numbers(): AsyncGenerator<number> {
    for (let n = 0; n < 500; n++) yield n;
  }
  const isAtEnd = await inOrder<number, number>({
    batches: numbers(),
    concurrency: 7,
    work: async (n) => {
      for (let turns = Math.floor(random() * 5); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      return n * 2;
    },
    settle: async (n, double) => {
      assert.equal(double, n * 2);
      if (n === 400) return false;
      settled.push(n);
      return true;
    },
    stopping: never,
    onError: (error) => assert.fail(String(error)),
  });
  assert.equal(isAtEnd, true);
  assert.deepEqual(
    settled,
    Array.from({ length: 400 }, (_, n) => n),
  );
});

test('AP6 a source or a batch that breaks is told, and what was read before is settled', async () => {
  for (const part of ['source', 'work'] as const) {
    const told: string[] = [];
    const settled: number[] = [];
    const stop = new AbortController();
    async function* numbers(): AsyncGenerator<number> {
      for (let n = 0; n < 5; n++) yield n;
      if (part === 'source') throw new Error('broken');
    }
    await inOrder<number, number>({
      batches: numbers(),
      concurrency: 2,
      work: async (n) => {
        if (part === 'work' && n === 3) throw new Error('broken');
        return n;
      },
      settle: async (n) => {
        settled.push(n);
        return true;
      },
      stopping: stop.signal,
      onError: (error) => {
        told.push(`${part}: ${error instanceof Error ? error.message : error}`);
        stop.abort();
      },
    });
    assert.deepEqual(told, [`${part}: broken`]);
    assert.deepEqual(settled, part === 'source' ? [0, 1, 2, 3, 4] : [0, 1, 2]);
  }
});

/** Reads until everything stands still, while these batches are never done. */
async function readWhile(
  concurrency: number,
  isStuck: (n: number) => boolean,
): Promise<{ read: number; settled: number; working: number }> {
  let read = 0;
  let settled = 0;
  let working = 0;
  async function* numbers(): AsyncGenerator<number> {
    for (;;) yield read++;
  }
  const stop = new AbortController();
  const done = inOrder<number, number>({
    batches: numbers(),
    concurrency,
    work: (n) => {
      working++;
      return isStuck(n) ? new Promise(() => {}) : Promise.resolve(n);
    },
    settle: async () => {
      settled++;
      return true;
    },
    stopping: stop.signal,
    onError: (error) => assert.fail(String(error)),
  });
  void done;
  for (let turn = 0, before = -1; before !== read || turn < 20; turn++) {
    before = read;
    await new Promise((resolve) => setImmediate(resolve));
  }
  stop.abort();
  return { read, settled, working };
}

test('RN23 no more than four batches are read beyond those under way, and none far beyond one that is slow', async () => {
  assert.deepEqual(await readWhile(2, () => true), { read: 6, settled: 0, working: 2 });
  assert.deepEqual(await readWhile(1, () => true), { read: 5, settled: 0, working: 1 });
  const slow = await readWhile(3, (n) => n === 10);
  assert.deepEqual([slow.read, slow.settled], [266, 10]);
});

test('RN18 after a stop nothing more is read, also from a silent source; batches under way are waited for', async () => {
  const stop = new AbortController();
  const settled: number[] = [];
  let release: () => void = () => {};
  async function* silent(): AsyncGenerator<number> {
    yield 1;
    await new Promise(() => {});
  }
  const done = inOrder<number, void>({
    batches: silent(),
    concurrency: 2,
    work: () =>
      new Promise((resolve) => {
        release = resolve;
      }),
    settle: async (n) => {
      settled.push(n);
      return true;
    },
    stopping: stop.signal,
    onError: (error) => assert.fail(String(error)),
  });
  await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(settled, []);
  release();
  assert.deepEqual([await done, settled], [false, [1]]);
  const read: string[] = [];
  async function* never(): AsyncGenerator<number> {
    read.push('read');
    yield 1;
  }
  const before = { batches: never(), concurrency: 1, work: async () => {}, settle: async () => true, stopping: stop.signal };
  assert.deepEqual([await inOrder<number, void>({ ...before, onError: () => assert.fail() }), read], [false, []]);
});

test('AP6 a batch that cannot be settled is told, and no later one is settled', async () => {
  const told: unknown[] = [];
  const settled: number[] = [];
  async function* numbers(): AsyncGenerator<number> {
    for (let n = 0; n < 4; n++) yield n;
  }
  const isAtEnd = await inOrder<number, number>({
    batches: numbers(),
    concurrency: 1,
    work: async (n) => n,
    settle: async (n) => {
      if (n === 1) throw new Error('the disk');
      settled.push(n);
      return true;
    },
    stopping: never,
    onError: (error) => told.push(error instanceof Error && error.message),
  });
  assert.deepEqual([isAtEnd, told, settled], [true, ['the disk'], [0]]);
});
