/** LG6: a reader that has seen everything waits, and is woken once for whatever comes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Waiter, Wakeups } from '../../store/wakeups.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A waiter, and the number of its waits that have ended. */
function waiting(wakeups: Wakeups, signal = new AbortController().signal) {
  const waiter = new Waiter(wakeups, signal);
  let woken = 0;
  const wait = (): void => void waiter.wait().then(() => woken++);
  return { waiter, wait, woken: () => woken };
}

test('LG6 all that wait are woken, each once, and may wait again', async () => {
  const wakeups = new Wakeups();
  const both = [waiting(wakeups), waiting(wakeups)];
  for (const { wait } of both) wait();
  await turn();
  assert.deepEqual(
    both.map(({ woken }) => woken()),
    [0, 0],
  );
  wakeups.wakeAll();
  await turn();
  assert.deepEqual(
    both.map(({ woken }) => woken()),
    [1, 1],
  );
  both[1]?.wait();
  wakeups.wakeAll();
  wakeups.wakeAll();
  await turn();
  assert.deepEqual(
    both.map(({ woken }) => woken()),
    [1, 2],
  );
});

test('LG6 a wait ends when its reader is stopped, before or meanwhile, and for nobody else', async () => {
  const wakeups = new Wakeups();
  const stop = new AbortController();
  const [stopped, other] = [waiting(wakeups, stop.signal), waiting(wakeups)];
  stopped.wait();
  other.wait();
  stop.abort();
  await turn();
  assert.deepEqual([stopped.woken(), other.woken()], [1, 0]);
  stopped.wait();
  await turn();
  assert.deepEqual([stopped.woken(), other.woken()], [2, 0]);
});

test('LG6 a reader that has ended leaves nothing behind', () => {
  const held = new Set<() => void>();
  const wakeups = new Wakeups();
  wakeups.add = (wake) => void held.add(wake);
  wakeups.delete = (wake) => void held.delete(wake);
  const listening = new Set<unknown>();
  const signal = {
    aborted: false,
    addEventListener: (type: string, listener: unknown) => void listening.add(`${type} ${typeof listener}`),
    removeEventListener: (type: string, listener: unknown) => void listening.delete(`${type} ${typeof listener}`),
  } as unknown as AbortSignal;
  const { waiter, wait } = waiting(wakeups, signal);
  wait();
  assert.deepEqual([held.size, [...listening]], [1, ['abort function']]);
  waiter.end();
  assert.deepEqual([held.size, listening.size], [0, 0]);
});
