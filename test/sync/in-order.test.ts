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
