/** WH9, WH15, WH16, WH19: how a webhook reads the log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HookReader, type ReaderOptions } from '../../../daemon/jobs/hooks/reader.ts';
import type { Entry, Fact } from '../../../protocol/log/entry.ts';
import { userRecord } from '../../support/hooks/hook-bench.ts';

const update = (id: string, seq: number): Fact => ({ t: 'user', event: 'updated', user: userRecord(id, seq) });
const outbox: Fact = { t: 'doc', kind: 'outbox', id: 'h', doc: null };
const settings: Fact = { t: 'app', app: { enforce_unique_usernames: 'no' } };
const entryAt = (first: number, ...facts: readonly Fact[]): Entry => ({ id: `e${first}`, time: 1, first, facts });

/** Reads what `follow` yields, until it ends; what happened, in order. */
function bench(follow: (after: number) => AsyncIterable<Entry>, more: Partial<ReaderOptions> & { keptAfter?: () => number } = {}) {
  const steps: string[] = [];
  const stop = new AbortController();
  const { keptAfter = () => 0, ...rest } = more;
  const reader = new HookReader(
    {
      hookId: 'h',
      source: {
        follow: (after) => {
          steps.push(`follow ${after}`);
          return follow(after);
        },
        get keptAfter() {
          return keptAfter();
        },
      },
      clock: { now: () => 0, sleep: async (ms) => void steps.push(`sleep ${ms}`) },
      logger: { info: (_, text) => steps.push(text), error: (_, text) => steps.push(text) },
      stopping: stop.signal,
      wants: () => true,
      room: async () => {},
      admit: ({ seq }) => void steps.push(`admit ${seq}`),
      lost: async (positions) => void steps.push(`lost ${positions}`),
      onMoved: () => {},
      ...rest,
    },
    4,
  );
  return { reader, steps, stop };
}

async function* of(...entries: readonly Entry[]): AsyncGenerator<Entry> {
  yield* entries;
}

test('WH16 WH19 every wanted event after the position is passed on once; a position is worth writing where more than positions was read', async () => {
  const moves: number[] = [];
  const wanted = bench(
    () => of(entryAt(3, update('a', 3), update('b', 4), update('c', 5)), entryAt(6, settings, update('d', 7)), entryAt(8, outbox)),
    {
      wants: ({ seq }) => seq !== 7,
      onMoved: () => moves.push(wanted.reader.at),
    },
  );
  await wanted.reader.run();
  assert.deepEqual(wanted.steps, ['follow 4', 'admit 5']);
  assert.deepEqual([wanted.reader.at, wanted.reader.worth, moves], [8, 7, [5, 7, 8]]);
});

test('WH16 every fact but a position is worth writing down', async () => {
  const task: Fact = { t: 'doc', kind: 'task', id: 't', doc: null };
  for (const [fact, worth] of [
    [outbox, 4],
    [task, 5],
    [settings, 5],
    [update('a', 5), 5],
  ] as const) {
    const { reader } = bench(() => of(entryAt(5, fact)));
    await reader.run();
    assert.deepEqual([reader.at, reader.worth], [5, worth]);
  }
});

test('WH9 nothing is passed on, or counts as read, before there is room, and nothing after a stop', async () => {
  let open: () => void = () => {};
  const { reader, steps, stop } = bench(() => of(entryAt(5, update('a', 5), update('b', 6))), {
    room: () => new Promise((resolve) => (open = resolve)),
  });
  const run = reader.run();
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  await turn();
  assert.deepEqual([steps, reader.at], [['follow 4'], 4]);
  open();
  await turn();
  assert.deepEqual([steps, reader.at], [['follow 4', 'admit 5'], 5]);
  stop.abort();
  open();
  await run;
  assert.deepEqual([steps, reader.at], [['follow 4', 'admit 5'], 5]);
});

test('WH15 what the log no longer holds counts as lost and is reported, and reading goes on behind it', async () => {
  let first = true;
  const { reader, steps } = bench(
    (after) => {
      if (!first) return of(entryAt(after + 1, update('a', after + 1)));
      first = false;
      throw new Error('trimmed');
    },
    { keptAfter: () => 9 },
  );
  await reader.run();
  assert.deepEqual(steps, [
    'follow 4',
    'a webhook was behind for so long that the log no longer has what comes next; it is lost to it',
    ...['lost 5', 'follow 9', 'admit 10'],
  ]);
  assert.deepEqual([reader.at, reader.worth], [10, 10]);
});

test('WH15 a log that cannot be read is reported and tried again where it broke, and nothing counts as lost', async () => {
  let attempts = 0;
  const { reader, steps } = bench(
    async function* (after) {
      if (after === 4) yield entryAt(5, update('a', 5));
      if (++attempts < 3) throw new Error('EIO');
      yield entryAt(6, update('b', 6));
    },
    { keptAfter: () => 4 },
  );
  await reader.run();
  const again = ['a webhook cannot read the log; it is tried again', 'sleep 10000', 'follow 5'];
  assert.deepEqual(steps, ['follow 4', 'admit 5', ...again, ...again, 'admit 6']);
});
